"""Pages as scanners and telephones see them, pictures that were turned or mirrored, and unusual formats."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from analysis.images.test_image_documents import page
from exaid_evals.analysis.images.checks import judge
from exaid_evals.analysis.images.files import AuditSettings, nearest_leaders
from exaid_evals.analysis.images.measure import _reads_heif, measure_bytes, measure_image

SCANS = Path(__file__).resolve().parents[5] / "shared" / "external" / "images" / "scans"


def found(image: Image.Image) -> set[str]:
    """Return the checks that find something in an image."""
    return {one.check for one in judge([measure_image(image)], AuditSettings())[0]}


def scan(seed: int) -> Image.Image:
    """Return a page on a dark lid, with a photograph in it, lit from one side, stained and grainy."""
    rng = np.random.default_rng(seed)
    image = page(0, 34 + 4 * seed, ink=50, paper=200)
    image.paste(Image.fromarray(rng.integers(0, 256, (20, 25), dtype=np.uint8)).resize((400, 330)), (120, 700))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=20, width=12)
    for _ in range(4):
        x, y = rng.integers(100, 1000, 2)
        draw.ellipse((x, y, x + 90, y + 70), outline=170, width=6)
    lit = np.asarray(image, dtype=np.float64) * np.linspace(0.7, 1.1, image.width)
    return Image.fromarray(np.clip(lit + rng.normal(0, 6, lit.shape), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("fill", [0, 200, 255])
@pytest.mark.parametrize("angle", [20, -40])
def test_a_scan_that_was_turned_is_found_whatever_fills_its_corners(angle: int, fill: int) -> None:
    """To two degrees."""
    turned = scan(abs(angle) % 3).rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    tilt = measure_image(turned).measure("rotation")
    assert tilt == pytest.approx(angle, abs=2)
    assert "rotated" in found(turned)


def test_a_level_scan_is_not_turned_and_one_on_its_side_is() -> None:
    """Text tells a quarter turn; upside down looks level."""
    level = scan(1)
    assert "rotated" not in found(level)
    assert "rotated" not in found(level.rotate(180))
    assert "rotated" in found(level.rotate(90, expand=True))
    assert "rotated" in found(level.rotate(270, expand=True))


@pytest.mark.skipif(not SCANS.is_dir(), reason="no ../shared/external/images/scans here")
def test_scans_of_other_people_are_found() -> None:
    """Turned by 20° and 40°, every one; as they are, none; on their side, at least six of seven."""
    turned = level = aside = 0
    every = sorted(SCANS.iterdir())
    for path in every:
        image = Image.open(path).convert("L")
        image.thumbnail((1200, 1200))
        fill = int(np.median(np.asarray(image)))
        level += "rotated" in found(image)
        aside += "rotated" in found(image.rotate(90, expand=True))
        for angle in (20, 40):
            turned += "rotated" in found(image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill))
    assert (level, len(every)) == (0, 7)
    assert turned >= 13
    assert aside >= 6


def blocks(seed: int) -> Image.Image:
    """Return a picture without symmetry."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (7, 9), dtype=np.uint8)).resize((270, 210), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("way", list(Image.Transpose))
def test_a_picture_that_was_turned_or_mirrored_is_a_duplicate(way: Image.Transpose) -> None:
    """Saved anew as JPEG; another picture is none."""
    original, other, stream = blocks(1), blocks(2), io.BytesIO()
    original.transpose(way).save(stream, "JPEG", quality=85)
    first = io.BytesIO()
    original.save(first, "PNG")
    second = io.BytesIO()
    other.save(second, "PNG")
    facts = [measure_bytes(name, one.getvalue()) for name, one in (("a", first), ("b", second), ("c", stream))]
    reported = judge(facts, AuditSettings(), ["duplicate"])
    assert [[one.text for one in each] for each in reported] == [[], [], ["turned or mirrored, looks like a"]]


def test_further_forms_find_the_earliest_leader() -> None:
    """Its own hash goes first; a form of another image leads to nobody."""
    hashes = [0xFFFF << 64, 0x1 << 100, 0xABCDEF << 70]
    assert nearest_leaders(hashes, 4, [[], [], [0xFFFE << 64]]) == {2: (0, 1)}
    assert nearest_leaders(hashes, 4, [[hashes[1]], [], []]) == {}


@pytest.mark.parametrize(
    ("pixels", "brightness"),
    [
        (np.full((64, 64), 0.5, np.float32), 127),
        (np.full((64, 64), 128.0, np.float32), 128),
        (np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64), 127),
        (np.full((64, 64), 2048, np.uint16), 127),
        (np.full((64, 64), 32768, np.uint16), 127),
    ],
)
def test_greys_are_read_by_the_range_of_their_kind(pixels: np.ndarray, brightness: float) -> None:
    """Floats of 0 to 1, of 0 to 255, and with negative values; 12 bits in 16, and all 16."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "TIFF")
    assert measure_bytes("x", stream.getvalue()).measure("brightness") == pytest.approx(brightness, abs=1)


def test_a_picture_of_a_telephone_is_read_where_the_plug_in_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where it is not, the audit says what to install, and calls the file neither broken nor sound."""
    heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    heif.from_pillow(blocks(3).convert("RGB")).save(stream)
    read = measure_bytes("a.heic", stream.getvalue())
    assert (read.problem, read.width, read.height) == (None, 270, 210)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    _reads_heif.cache_clear()
    facts = measure_bytes("a.heic", stream.getvalue())
    _reads_heif.cache_clear()
    (reported,) = judge([facts], AuditSettings())[0]
    assert reported.check == "no_decoder"
    assert "pillow-heif" in reported.text
    monkeypatch.undo()


def test_avif_is_read_by_pillow() -> None:
    """Without a plug-in."""
    stream = io.BytesIO()
    blocks(4).convert("RGB").save(stream, "AVIF")
    assert measure_bytes("a.avif", stream.getvalue()).problem is None
