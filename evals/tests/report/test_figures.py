"""The figure: what stands on it, and that its bytes depend on nothing else."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.metrics.records import COVERAGE_CURVE, Curve, VariantMetrics
from exaid_evals.report.figures import canvas, coverage_vs_budget
from gold.examples import SIGNATURE, VARIANTS, variant

PDF_SCRIPT = """
import hashlib
from gold.examples import VARIANTS
from exaid_evals.report.figures import canvas, coverage_vs_budget as figure
with canvas.style():
    pdf = canvas.to_pdf(figure.draw(VARIANTS, "V3"), title=figure.TITLE, signature="s")
print(hashlib.sha256(pdf).hexdigest())
"""


def texts(variants: list[VariantMetrics]) -> list[str]:
    """Return every text on the figure."""
    from matplotlib.text import Text

    with canvas.style():
        figure = coverage_vs_budget.draw(variants, "V3")
        return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def pdf(variants: list[VariantMetrics]) -> bytes:
    """Return the figure as PDF."""
    with canvas.style():
        figure = coverage_vs_budget.draw(variants, "V3")
        return canvas.to_pdf(figure, title=coverage_vs_budget.TITLE, signature=SIGNATURE)


def test_the_figure_says_what_it_shows_and_how_it_was_made() -> None:
    """Variants by name, budgets, n, signature and the stub mark."""
    found = texts(VARIANTS)
    assert {"V0", "V3", "V10_b", "250", "500", "1,000", "2,000", SIGNATURE} <= set(found)
    assert any(text.startswith("STUB DATA") for text in found)
    assert any("n = 39 cases; 1 of 40 failed" in text for text in found)


def test_real_data_carry_no_stub_mark() -> None:
    """The mark means something only if it can be absent."""
    assert not any("STUB" in text for text in texts([variant("V3", (0.0, 0.1, 0.2, 0.3, 0.4), stub=False)]))


def test_the_pdf_has_text_a_signature_and_no_date() -> None:
    """Content is not compressed, text is embedded as TrueType, and nothing tells when it was made."""
    data = pdf(VARIANTS)
    assert SIGNATURE.encode() in data
    assert b"/FontFile2" in data
    assert b"Date" not in data
    assert b"/Filter" not in data


def test_the_same_bytes_whatever_the_user_has_set_up(tmp_path: Path) -> None:
    """A matplotlibrc, an unwritable cache, another locale or hash seed change no byte of the PDF."""
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\npdf.compression: 6\n", encoding="utf-8")
    root = Path(__file__).parents[2]
    base = {"PYTHONPATH": f"{root / 'src'}:{root / 'tests'}", "PATH": "/usr/bin:/bin"}
    surroundings: list[dict[str, str]] = [
        {"PYTHONHASHSEED": "1", "MPLCONFIGDIR": str(tmp_path)},
        {"PYTHONHASHSEED": "2", "HOME": "/proc/none", "TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8"},
    ]
    hashes = set()
    for extra in surroundings:
        done = subprocess.run(
            [sys.executable, "-c", PDF_SCRIPT],
            env=base | extra,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(done.stdout)
        assert done.stderr == ""
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "variants",
    [
        [],
        [variant("V3", (0.0, 0.0, 0.0, 0.0, 0.0))],
        [variant(f"V{number}", (1.0, 1.0, 1.0, 1.0, 1.0)) for number in range(9)],
        [
            VariantMetrics(
                "V3",
                1,
                1,
                True,
                SIGNATURE,
                {},
                {COVERAGE_CURVE: Curve((0, 25), (None, None), (None, None), (None, None))},
            )
        ],
    ],
    ids=["nothing", "zero", "nine alike", "undefined"],
)
def test_hard_data_are_drawn_too(variants: list[VariantMetrics]) -> None:
    """Nothing to show, lines on the frame, more lines than styles, a curve without a point: a figure all the same."""
    assert pdf(variants).startswith(b"%PDF")


def test_labels_stay_apart_in_order_and_on_the_figure() -> None:
    """However close the ends, labels keep their distance and their order, between 0 and 1."""
    heights = [1.0, 0.99, 0.0, 0.995, 0.01, 0.5, 0.98]
    placed = coverage_vs_budget.spread(heights, 0.052)
    ordered = [placed[index] for index in sorted(range(len(heights)), key=heights.__getitem__)]
    assert ordered == sorted(ordered)
    assert all(above - below >= 0.052 - 1e-9 for below, above in pairwise(ordered))
    assert 0 <= min(placed) <= max(placed) <= 1


def test_lines_differ_without_colour() -> None:
    """Dashes and markers are all different, so that a grey print can be read."""
    styles: list[Any] = list(canvas.LINE_STYLES)
    assert len({str(style.dash) for style in styles}) == len(styles)
    assert len({style.marker for style in styles}) == len(styles)
