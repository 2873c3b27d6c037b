"""What counts as a document: small marks in straight lines on even ground, and not whatever else has lines."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from exaid_evals.analysis.images.marks import pieces_of
from exaid_evals.analysis.images.measure import detail
from exaid_evals.analysis.images.skew import Skew, measure_skew


def skew_of(image: Image.Image) -> Skew:
    """Measure an image as an audit does: at most 512 pixels a side."""
    image.thumbnail((512, 512))
    return measure_skew(np.asarray(image))


def wall(angle: float) -> Image.Image:
    """Return a wall of bricks with dark joints, of which every second row is shifted."""
    image = Image.new("L", (700, 700), 190)
    draw = ImageDraw.Draw(image)
    for row in range(24):
        draw.line((0, row * 30, 700, row * 30), fill=60, width=6)
        for column in range(10):
            left = column * 76 + row % 2 * 38
            draw.line((left, row * 30, left, row * 30 + 30), fill=60, width=6)
    return image.rotate(angle, Image.Resampling.BICUBIC).crop((110, 110, 590, 590))


def stairs(angle: float) -> Image.Image:
    """Return steps from side to side, each lit from above."""
    rows = np.arange(700) % 44
    shades = np.where(rows < 6, 30, 90 + 3 * rows).astype(np.uint8)
    flight = Image.fromarray(np.repeat(shades[:, None], 700, axis=1))
    return flight.rotate(angle, Image.Resampling.BICUBIC).crop((110, 110, 590, 590))


def page(angle: float, n_lines: int, *, ink: int = 20, paper: int = 240) -> Image.Image:
    """Return a page of so many lines, as scanned: 1240 × 1754 pixels."""
    image = Image.new("L", (1240, 1754), paper)
    draw, pitch = ImageDraw.Draw(image), 1554 / n_lines
    font = ImageFont.load_default(pitch / 1.4)
    rng = np.random.default_rng(n_lines)
    for row in range(n_lines):
        line = ""
        while draw.textlength(line, font=font) < 1000:
            line += "".join(rng.choice(list("etaoinshrdlu"), int(rng.integers(2, 9)))) + " "
        draw.text((100, 100 + row * pitch), line.strip(), font=font, fill=ink)
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)


@pytest.mark.parametrize("angle", [0, 8, 20, -33, 45])
def test_bricks_and_stairs_are_no_documents(angle: float) -> None:
    """Their lines are as straight as those of text, and at any angle no tilt is reported."""
    assert (skew_of(wall(angle)).tilt, skew_of(stairs(angle)).tilt) == (None, None)


@pytest.mark.parametrize("n_lines", [15, 30, 50])
@pytest.mark.parametrize("angle", [-38, 4.5, 27])
def test_pages_are_documents_however_dense(n_lines: int, angle: float) -> None:
    """A page of 50 lines has lines of six pixels when it is shrunk, and its angle is still found to a degree."""
    tilt = skew_of(page(angle, n_lines)).tilt
    assert tilt is not None
    assert abs(tilt - angle) <= 1


def test_light_text_on_dark_ground_is_a_document_too() -> None:
    """The ground is distinguished from the marks by being more, and not by being light."""
    image = page(12, 25, ink=230, paper=25)
    image.thumbnail((512, 512))
    tilt = measure_skew(np.asarray(image), on_light=False).tilt
    assert tilt == pytest.approx(12, abs=1)


def test_pieces_are_counted_and_weighed() -> None:
    """Oracle: three rectangles of 10, 20 and 70 pixels, of which the last two touch at a corner."""
    marks = np.zeros((40, 40), np.uint8)
    marks[0:2, 0:5] = marks[10:12, 0:10] = marks[12:19, 10:20] = 255
    found = pieces_of(marks)
    assert (found.count, found.largest, found.usual) == (2, 0.9, 90)
    assert pieces_of(np.zeros((40, 40), np.uint8)).count == 0


@pytest.mark.parametrize("height", [8, 63, 64, 65, 128, 200])
def test_detail_measured_in_bands_is_that_of_the_whole(height: int) -> None:
    """Oracle: the Laplacian of the whole image in NumPy, reflected at its border."""
    grey = np.random.default_rng(height).integers(0, 256, (height, 50), dtype=np.uint8)
    wide = np.pad(grey.astype(float), 1, mode="reflect")
    whole = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * wide[1:-1, 1:-1]
    laplacian, share = detail(grey, float(grey.var()))
    assert laplacian == pytest.approx(whole.var(), rel=1e-9)
    assert share == pytest.approx(whole.var() / grey.var(), rel=1e-9)
