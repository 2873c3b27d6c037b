"""Hashes are of content, never of its packing."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import pytest

from exaid_evals.artifacts.hashing import sha256_bytes, sha256_file, sha256_structure, sha256_text, short
from exaid_evals.errors import DataError

ABC = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def test_hashes_are_the_published_ones() -> None:
    """The test vector of the standard, through bytes, text and file."""
    assert (sha256_bytes(b"abc"), sha256_text("abc"), short(ABC)) == (ABC, ABC, "ba7816bf")


@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_gzip_is_hashed_unpacked(tmp_path: Path, level: int) -> None:
    """Level, name and time of packing do not change the hash; the content does."""
    with gzip.GzipFile(tmp_path / "a.gz", "wb", compresslevel=level, mtime=level) as stream:
        stream.write(b"abc")
    (tmp_path / "a").write_bytes(b"abc")
    assert (sha256_file(tmp_path / "a.gz"), sha256_file(tmp_path / "a")) == (ABC, ABC)


def test_a_structure_is_hashed_by_its_canonical_json() -> None:
    """The formula of DESIGN.md section 4, spelled out."""
    expected = hashlib.sha256('{"a":[0.3,null],"b":"é"}'.encode()).hexdigest()
    assert sha256_structure({"b": "é", "a": [0.1 + 0.2, None]}) == f"sha256:{expected}"


def test_an_image_counts_by_its_pixels(tmp_path: Path) -> None:
    """Compression and comments of a PNG do not matter, one pixel does."""
    image = pytest.importorskip("PIL.Image")
    picture = image.new("RGB", (4, 3), (10, 20, 30))
    picture.save(tmp_path / "a.png", compress_level=0)
    picture.save(tmp_path / "b.png", compress_level=9, dpi=(300, 300))
    picture.putpixel((0, 0), (11, 20, 30))
    picture.save(tmp_path / "c.png")
    a, b, c = (sha256_file(tmp_path / f"{name}.png") for name in "abc")
    assert (a == b, a == c) == (True, False)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, damaged and foreign files raise with their path, never a bare error of a library."""
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"abc")[:-3])
    (tmp_path / "raw.gz").write_bytes(zlib.compress(b"abc"))
    (tmp_path / "text.png").write_text("no picture")
    for name in ("none", "cut.gz", "raw.gz", "text.png"):
        with pytest.raises(DataError) as caught:
            sha256_file(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
