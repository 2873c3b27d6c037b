"""The audit of a folder of images: what it finds, what it withstands, and that its bytes are its inputs'."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from exaid_evals.analysis.images.audit import JOURNAL
from exaid_evals.analysis.images.files import nearest_leaders
from exaid_evals.analysis.images.measure import measure_bytes
from exaid_evals.analysis.images.quality_filter import ImageQualityFilter
from exaid_evals.analysis.images.skew import measure_skew
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.cli.main import run
from exaid_evals.errors import ConfigError, DataError


def page(angle: float = 0.0) -> Image.Image:
    """Return a page of text, turned counter-clockwise."""
    image = Image.new("L", (420, 420), 240)
    font = ImageFont.load_default(14)
    rng = np.random.default_rng(5)
    for row in range(18):
        line = " ".join("".join(rng.choice(list("etaoinshrdlu"), int(rng.integers(2, 9)))) for _ in range(9))
        ImageDraw.Draw(image).text((20, 20 + row * 21), line[:48], font=font, fill=20)
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=240)


def picture(seed: int, side: int = 96) -> Image.Image:
    """Return a coloured picture with structure of every size."""
    rng = np.random.default_rng(seed)
    large = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((side, side))
    noisy = np.asarray(large, dtype=float) + rng.normal(0, 25, (side, side, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, form: str = "PNG", **settings: Any) -> bytes:
    """Return an image as a file's content."""
    held = io.BytesIO()
    image.save(held, form, **settings)
    return held.getvalue()


def bomb(side: int) -> bytes:
    """Return a PNG that claims to be a square of so many pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + b"\0\0\0\x20IDAT"
        + bytes(32)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of sound and bad images."""
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    for number in range(8):
        picture(number).save(root / f"{number}.png")
    (root / "copy.png").write_bytes((root / "3.png").read_bytes())
    picture(4).resize((80, 80)).save(root / "near.jpg", quality=85)
    (root / "cut.jpg").write_bytes(encoded(picture(20), "JPEG")[:-900])
    (root / "no end.jpg").write_bytes(encoded(picture(21), "JPEG")[:-2])
    (root / "text.png").write_text("<html>")
    (root / "empty.jpg").write_bytes(b"")
    (root / "bomb.png").write_bytes(bomb(60_000))
    (root / "sub" / "small.png").write_bytes(encoded(picture(22, 12)))
    (root / "long.png").write_bytes(encoded(picture(23).resize((400, 40))))
    (root / "dark.png").write_bytes(encoded(picture(24).point(lambda grey: grey // 6)))
    (root / "flat.png").write_bytes(encoded(picture(25).point(lambda grey: 110 + grey // 20)))
    Image.fromarray(np.asarray(picture(26, 6).resize((96, 96), Image.Resampling.BICUBIC))).save(root / "soft.png")
    page(20).convert("RGB").save(root / "turned.png")
    page().convert("RGB").save(root / "level.png")
    picture(27).convert("L").save(root / "grey.png")
    exif = Image.Exif()
    exif[0x0112] = 9
    picture(28).save(root / "exif.jpg", exif=exif, quality=95)
    (root / "notes.txt").write_text("no image")
    (root / "loop").symlink_to(root)
    (root / "gone.png").symlink_to(root / "nowhere.png")
    os.mkfifo(root / "pipe.png")
    (root / '"><script>alert(1)<\nb>.png').write_bytes(b"x")
    (root / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    return root


def found_in(out: Path) -> dict[str, set[str]]:
    """Return path → checks that found something."""
    records = read_jsonl(out / "images.jsonl")
    return {one["path"]: {finding["check"] for finding in one["findings"]} for one in records[:-1]}


def test_each_fault_is_found_and_what_is_sound_is_not_accused(folder: Path, tmp_path: Path) -> None:
    """Hostile names, links in circles, pipes and bombs end nothing; the records are valid; exit status 0."""
    out = tmp_path / "out"
    assert run(["audit-images", str(folder), "--out", str(out)]) == 0
    found = found_in(out)
    wanted = {
        "copy.png": {"duplicate"}, "near.jpg": {"duplicate"}, "cut.jpg": {"truncated"}, "no end.jpg": {"truncated"},
        "text.png": {"unreadable"}, "empty.jpg": {"unreadable"}, "gone.png": {"unreadable"},
        "pipe.png": {"unreadable"}, "bomb.png": {"decompression_bomb"}, "sub/small.png": {"tiny"},
        "long.png": {"odd_aspect"}, "dark.png": {"too_dark"}, "flat.png": {"low_contrast"}, "soft.png": {"blurred"},
        "turned.png": {"rotated"}, "grey.png": {"colour_mode"}, "exif.jpg": {"exif_orientation"},
        '"><script>alert(1)<\nb>.png': {"unreadable"}, "\\udcff.png": {"unreadable", "duplicate"},
        "level.png": set(), **{f"{number}.png": set() for number in range(8)},
    }  # fmt: skip
    assert {path: checks for path, checks in found.items() if checks != wanted.get(path)} == {}
    assert set(found) == set(wanted)
    assert run(["validate", str(out / "images.jsonl")]) == 0
    whole = (out / "images.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (out / "cut.jsonl").write_text("".join(whole[:-1]), encoding="utf-8")
    assert run(["validate", str(out / "cut.jsonl")]) == 1
    summary = read_jsonl(out / "images.jsonl")[-1]
    assert (summary["n_images"], summary["n_other_files"]) == (len(wanted), 1)


@pytest.mark.slow
def test_bytes_depend_on_neither_jobs_nor_interruptions(folder: Path, tmp_path: Path) -> None:
    """One process, three, and an audit that goes on from half a journal write the same files."""
    outs = [tmp_path / name for name in ("one", "three", "resumed")]
    run(["audit-images", str(folder), "--out", str(outs[0])])
    for number in range(60):
        picture(100 + number, 40).save(folder / f"more-{number}.png")
    run(["audit-images", str(folder), "--out", str(outs[0])])
    run(["audit-images", str(folder), "--out", str(outs[1]), "-j", "3"])
    lines = (outs[0] / JOURNAL).read_bytes().splitlines(keepends=True)
    outs[2].mkdir()
    (outs[2] / JOURNAL).write_bytes(b"".join(lines[:30]) + lines[30][:40])
    (folder / "0.png").write_bytes((folder / "0.png").read_bytes())  # its time changes, and its content does not
    run(["audit-images", str(folder), "--out", str(outs[2]), "--resume"])
    for name in ("images.jsonl", "contact_sheet.html"):
        assert len({(out / name).read_bytes() for out in outs}) == 1


def test_resuming_measures_a_changed_file_again_and_no_other(folder: Path, tmp_path: Path) -> None:
    """A planted lie in the journal is believed for an unchanged file, and forgotten for a changed one."""
    out = tmp_path / "out"
    run(["audit-images", str(folder), "--out", str(out)])
    journal = out / JOURNAL
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    for entry in entries:
        if entry["key"] in ("1.png", "2.png"):
            entry["facts"]["problem"], entry["facts"]["reason"] = "truncated", "a lie"
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    picture(77).save(folder / "2.png")
    run(["audit-images", str(folder), "--out", str(out), "--resume"])
    found = found_in(out)
    assert (found["1.png"], found["2.png"]) == ({"truncated"}, set())


def test_the_contact_sheet_is_one_inert_file(folder: Path, tmp_path: Path) -> None:
    """No script, no address; names are escaped; each check with a finding can be chosen."""
    run(["audit-images", str(folder), "--out", str(tmp_path / "out")])
    sheet = (tmp_path / "out" / "contact_sheet.html").read_text()
    assert "<script" not in sheet
    assert not re.search(r"(src|href)=\"(?!data:image/jpeg;base64,)", sheet)
    assert "&lt;script&gt;alert(1)&lt;\\nb&gt;.png" in sheet
    assert 'for="f-rotated">rotated (1)<' in sheet
    assert sheet.count("<figure") == sum(map(bool, found_in(tmp_path / "out").values()))


def test_fail_on_is_for_ci(folder: Path, tmp_path: Path) -> None:
    """1 where a named check found something, 0 where it did not, 2 where there is no such check."""
    out = ["--out", str(tmp_path / "out")]
    assert run(["audit-images", str(folder), *out, "--fail-on", "truncated,tiny"]) == 1
    assert run(["audit-images", str(folder), *out, "--fail-on", "too_bright"]) == 0
    assert run(["audit-images", str(folder), *out, "--fail-on", "blury"]) == 2
    assert run(["audit-images", str(folder), *out, "--expect-mode", "L", "--fail-on", "colour_mode"]) == 1


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    """Nothing audited is not nothing found; an unknown threshold is wrong usage."""
    (tmp_path / "images").mkdir()
    assert run(["audit-images", str(tmp_path / "images"), "--out", str(tmp_path / "out")]) == 1
    (tmp_path / "config.yaml").write_text("blur: 3\n")
    arguments = [
        "audit-images",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
        "--config",
        str(tmp_path / "config.yaml"),
    ]
    assert run(arguments) == 2


@pytest.mark.parametrize("angle", [-44, -30, -15.5, -3, 0, 2, 7, 20, 33.3, 44])
def test_the_angle_of_a_page_is_found_to_a_degree(angle: float) -> None:
    """Counter-clockwise is positive, also near 45° where whole pixels line up."""
    image = page(angle)
    image.thumbnail((512, 512))
    tilt = measure_skew(np.asarray(image)).tilt
    assert tilt is not None
    assert abs(tilt - angle) <= 1


def test_lines_from_top_to_bottom_are_a_quarter_turn() -> None:
    """A page on its side is reported, its tilt is 0; a picture has no tilt at all."""
    turned = measure_skew(np.asarray(page().rotate(90, expand=True)))
    assert (turned.stands_upright, round(turned.tilt or 0)) == (True, 0)
    assert measure_skew(np.asarray(page())).stands_upright is False
    assert measure_skew(np.asarray(picture(0, 256).convert("L"))).tilt is None


def test_no_near_duplicate_is_missed() -> None:
    """Oracle: comparing each hash with every leader before it."""
    rng = np.random.default_rng(0)
    bases = [int(rng.integers(0, 2**63)) << 64 | int(rng.integers(0, 2**63)) for _ in range(40)]
    hashes = []
    for base, flips in itertools.product(bases, range(8)):
        changed = base
        for bit in rng.choice(128, flips, replace=False):
            changed ^= 1 << int(bit)
        hashes.append(changed)
    wanted: dict[int, tuple[int, int]] = {}
    for at, one in enumerate(hashes):
        for leader in range(at):
            upper = ((one >> 64) ^ (hashes[leader] >> 64)).bit_count()
            lower = ((one ^ hashes[leader]) & (2**64 - 1)).bit_count()
            if leader not in wanted and upper <= 4 and lower <= 8:
                wanted[at] = leader, upper
                break
    assert nearest_leaders(hashes, 4) == wanted
    assert len(wanted) > 100


def test_sixteen_bits_and_transparency_are_measured_as_they_look() -> None:
    """A 16-bit grey is scaled, not clipped; transparent black is white paper."""
    deep = Image.fromarray(np.full((40, 40), 32896, dtype=np.uint16))
    assert measure_bytes("a.png", encoded(deep)).measure("brightness") == pytest.approx(128, abs=1)
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert measure_bytes("a.png", encoded(clear)).measure("brightness") == 255


def test_the_filter_parts_a_batch(tmp_path: Path) -> None:
    """Paths, images and arrays; damaged ones are rejected and named, and the order is kept."""
    picture(1).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    batch: list[Any] = [tmp_path / "a.png", picture(2), np.asarray(picture(3)) / 255, tmp_path / "b.png", page(25)]
    parted = ImageQualityFilter(min_resolution=(64, 64)).filter_batch(batch)
    assert parted.indices == [0, 1, 2]
    assert {at: one.findings[0].check for at, one in parted.rejected.items()} == {3: "unreadable", 4: "rotated"}
    assert ImageQualityFilter(max_rotation=30).assess_image_quality(page(25)).acceptable
    assert not ImageQualityFilter(min_resolution=200).assess_image_quality(picture(2)).acceptable


def test_what_is_no_image_is_an_error_of_the_caller() -> None:
    """Normalised floats would be measured wrongly, and thresholds without meaning filter nothing."""
    with pytest.raises(DataError, match="outside 0 to 1"):
        ImageQualityFilter().assess_image_quality(np.full((40, 40, 3), -1.5))
    with pytest.raises(DataError, match="not an image"):
        ImageQualityFilter().assess_image_quality(3)
    with pytest.raises(ConfigError, match="min_resolution"):
        ImageQualityFilter(min_resolution=0)
