"""What counts as blurred, over-exposed or turned: the rules that the page on audits of images describes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from exaid_evals.analysis.images.checks import judge
from exaid_evals.analysis.images.files import AuditSettings
from exaid_evals.analysis.images.measure import measure_bytes, measure_image

BENCH = Path(__file__).resolve().parents[3] / "bench"
FOUND_IN_PIXELS = ("blurred", "too_dark", "too_bright", "low_contrast", "rotated")


def found(image: Image.Image) -> set[str]:
    """Return the checks that find something in an image."""
    return {finding.check for finding in judge([measure_image(image)], AuditSettings())[0]}


def drawing(side: int = 400) -> Image.Image:
    """Return flat shapes with smooth rims, as a renderer draws them: steep edges, and hardly any detail."""
    image = Image.new("RGB", (side, side), (60, 90, 200))
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 60, 250, 270), fill=(230, 210, 40))
    draw.rectangle((210, 230, 360, 350), fill=(20, 120, 30))
    return image.filter(ImageFilter.GaussianBlur(0.8))


def gradient(side: int = 400) -> Image.Image:
    """Return an image without an edge."""
    across = np.linspace(10, 240, side)
    return Image.fromarray(np.broadcast_to(across, (side, side)).astype(np.uint8))


@pytest.mark.parametrize("angle", [0, 20])
def test_a_drawing_has_little_detail_and_is_not_blurred_until_it_is(angle: int) -> None:
    """The sharpest edges decide: those of a drawing are steep, whatever their direction."""
    sharp = drawing().rotate(angle, Image.Resampling.BICUBIC, fillcolor=(60, 90, 200))
    facts = measure_image(sharp)
    assert (facts.measure("sharpness") or 1) < AuditSettings().blur_threshold
    assert "blurred" not in found(sharp)
    assert "blurred" in found(sharp.filter(ImageFilter.GaussianBlur(5)))


def test_of_an_image_without_edges_blur_cannot_be_known() -> None:
    """A gradient has no detail and no edge: the measure is missing, and nothing is said."""
    facts = measure_image(gradient())
    assert facts.measure("edge_steepness") is None
    assert (facts.measure("sharpness") or 0) < AuditSettings().blur_threshold
    assert found(gradient()) == set()


@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0])
def test_the_steepness_of_a_blurred_step_is_that_of_the_formula(sigma: float) -> None:
    """Oracle: the largest difference of the normal distribution function between neighbouring pixels."""
    from scipy.stats import norm

    pixels = np.where(np.arange(256) < 128, 20, 220).astype(np.float64)
    edge = 20 + 200 * norm.cdf((np.arange(256) - 127.5) / sigma)
    wanted = norm.cdf(0.5 / sigma) - norm.cdf(-0.5 / sigma)
    sharp, soft = (Image.fromarray(np.tile(np.round(row), (256, 1)).astype(np.uint8)) for row in (pixels, edge))
    assert measure_image(sharp).measure("edge_steepness") == 1.0
    # 17 pixels do not hold the tails of a wide step, and its height is reported a little too low.
    assert measure_image(soft).measure("edge_steepness") == pytest.approx(wanted, rel=0.15)


def test_white_with_dark_marks_is_not_over_exposed_and_clipped_light_without_dark_is() -> None:
    """A product on white keeps its darkest thousandth; glare and five stops take it."""
    product = Image.new("L", (300, 300), 255)
    ImageDraw.Draw(product).ellipse((130, 130, 160, 160), fill=30)
    assert "too_bright" not in found(product)
    linear = np.clip((np.asarray(drawing().convert("L")) / 255) ** 2.2 * 2.0**5 + 0.2, 0, 1)
    assert found(Image.fromarray((linear ** (1 / 2.2) * 255).astype(np.uint8))) == {"too_bright"}


def exif_bytes(image: Image.Image, orientation: int, reported: tuple[int, int]) -> bytes:
    """Return a JPEG whose EXIF tells an orientation and a size."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({0xA002: reported[0], 0xA003: reported[1]})
    held = io.BytesIO()
    image.save(held, "JPEG", exif=exif, quality=95)
    return held.getvalue()


@pytest.mark.parametrize(
    ("size", "orientation", "reported", "severity"),
    [
        ((120, 80), 6, (80, 120), "high"),  # the camera wrote upright pixels, and they lie: turned, tag kept
        ((120, 80), 6, (120, 80), "low"),  # as the camera stored them: a loader without EXIF errs
        ((120, 80), 3, (80, 120), "low"),  # half a turn swaps no sides
        ((100, 100), 6, (100, 100), "low"),  # a square tells nothing
        ((120, 80), 0, (120, 80), "medium"),
    ],
)
def test_swapped_exif_sizes_betray_pixels_that_were_turned_already(
    size: tuple[int, int], orientation: int, reported: tuple[int, int], severity: str
) -> None:
    """Only where a quarter turn is reported and the sides are swapped do tag and pixels contradict each other."""
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    facts = measure_bytes("a.jpg", exif_bytes(Image.fromarray(pixels), orientation, reported))
    assert facts.exif_size == reported
    findings = [one for one in judge([facts], AuditSettings())[0] if one.check == "exif_orientation"]
    assert [one.severity for one in findings] == [severity]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module of planted faults."""
    monkeypatch.syspath_prepend(str(BENCH))
    import corrupted_images

    yield corrupted_images
    sys.modules.pop("corrupted_images", None)


@pytest.mark.slow
def test_planted_faults_of_the_development_half_are_found(planted: Any) -> None:
    """A sample of the benchmark: damage is always found; of each other fault one may be missed, one sound accused."""
    images = planted.planted_images(planted.DEVELOPMENT, 3, 12)
    facts = [measure_bytes(image.name, image.data) for image in images]
    checks = [{one.check for one in findings} for findings in judge(facts, AuditSettings())]
    for fault in planted.FAULTS:
        missed = [image for image, names in zip(images, checks, strict=True) if image.fault == fault not in names]
        assert len(missed) <= int(fault in FOUND_IN_PIXELS), fault
    accused = [
        image.source for image, names in zip(images, checks, strict=True)
        if image.fault is None and names & set(planted.FAULTS) and image.source != "cell.png"
    ]  # fmt: skip
    assert len(accused) <= 1


def test_the_halves_share_neither_pictures_nor_typefaces(planted: Any) -> None:
    """Each half is drawn from sources of its own, all of which are installed."""
    for sources in (planted.PHOTOS, planted.FACES):
        assert not set(sources[planted.DEVELOPMENT]) & set(sources[planted.HELD_OUT])
    for name in planted.PHOTOS[planted.HELD_OUT]:
        assert min(planted.picture(name).size) >= 200
