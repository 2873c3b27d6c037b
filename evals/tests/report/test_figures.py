"""The figures: what stands on them, and that their bytes depend on nothing else."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.metrics.records import COVERAGE_CURVE, Curve, VariantMetrics
from exaid_evals.report.figures import canvas, coverage_vs_budget
from exaid_evals.report.figures.canvas import STUB_MARK
from exaid_evals.report.figures.compression_vs_coverage import pareto_front
from exaid_evals.report.figures.labels import beside, spread
from exaid_evals.report.registry import FIGURES, load
from exaid_evals.report.results import ExampleCase, Lane, Results, choose
from gold.examples import EXAMPLE, RESULTS, SIGNATURE, VARIANTS, estimate, variant

PDF_SCRIPT = """
import hashlib
from gold.examples import RESULTS
from exaid_evals.report.figures import canvas
from exaid_evals.report.registry import FIGURES, load
for target in FIGURES.values():
    figure = load(target)
    with canvas.style():
        pdf = canvas.to_pdf(figure.draw(RESULTS, "V3"), title=figure.TITLE, signature="s")
    print(hashlib.sha256(pdf).hexdigest())
"""


def drawn(name: str, results: Results = RESULTS) -> Any:
    """Draw a figure."""
    with canvas.style():
        return load(FIGURES[name]).draw(results, "V3")


def texts(name: str, results: Results = RESULTS) -> list[str]:
    """Return every text on a figure."""
    from matplotlib.text import Text

    return [text.get_text() for text in drawn(name, results).findobj(Text) if text.get_text()]


def pdf(name: str, results: Results = RESULTS) -> bytes:
    """Return a figure as PDF."""
    with canvas.style():
        module = load(FIGURES[name])
        return canvas.to_pdf(module.draw(results, "V3"), title=module.TITLE, signature=SIGNATURE)


def live(*variants: VariantMetrics) -> Results:
    """Return results of real data."""
    lanes = tuple(dataclasses.replace(lane, stub=False) for lane in EXAMPLE.lanes)
    return Results(variants, (), dataclasses.replace(EXAMPLE, lanes=lanes))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_what_it_shows_and_how_it_was_made(name: str) -> None:
    """Variants by name, number of cases, the whole signature, the stub mark."""
    found = texts(name)
    assert {"V0", "V3", "V10_b", STUB_MARK} <= set(found)
    assert SIGNATURE in {text.replace("\n", "") for text in found}
    n = "of 39." if name == "timeline" else "n = 39 cases; 1 of 40 failed"
    assert any(n in text.replace("\n", " ") for text in found)


@pytest.mark.parametrize("name", FIGURES)
def test_real_data_carry_no_stub_mark(name: str) -> None:
    """The mark means something only if it can be absent."""
    assert not any("STUB" in text for text in texts(name, live(variant("V3", (0.0, 0.1, 0.2, 0.3, 0.4), stub=False))))


@pytest.mark.parametrize("name", FIGURES)
def test_mixed_signatures_stand_on_the_figure(name: str) -> None:
    """Variants that were made differently: the figure says so, and which is which."""
    other = SIGNATURE.replace("bbbbbbbb", "dddddddd")
    mixed = dataclasses.replace(RESULTS, variants=(VARIANTS[0], variant("V3", (0, 0, 0, 0, 0), signature=other)))
    found = "".join(texts(name, mixed)).replace("\n", "")
    assert "Mixed signatures" in found
    assert SIGNATURE in found
    assert other in found


@pytest.mark.parametrize("name", FIGURES)
def test_the_pdf_has_text_a_signature_and_no_date(name: str) -> None:
    """Content is not compressed, text is embedded as TrueType, and nothing tells when it was made."""
    data = pdf(name)
    assert SIGNATURE.encode() in data
    assert b"/FontFile2" in data
    assert b"Date" not in data
    assert b"/Filter" not in data


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_once_for_all_its_forms(name: str) -> None:
    """What the PDF's canvas computes changes nothing in the PNG, which so does not depend on what was stale."""
    about = {"title": load(FIGURES[name]).TITLE, "signature": SIGNATURE}
    with canvas.style():
        figure = load(FIGURES[name]).draw(RESULTS, "V3")
        canvas.to_pdf(figure, **about)
        behind = canvas.to_png(figure, **about)
        assert behind == canvas.to_png(load(FIGURES[name]).draw(RESULTS, "V3"), **about)


def test_the_same_bytes_whatever_the_user_has_set_up(tmp_path: Path) -> None:
    """A matplotlibrc, an unwritable cache, another locale or hash seed change no byte of any figure."""
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
        assert len(done.stdout.split()) == len(FIGURES)
        slow_machine = "Matplotlib is building the font cache; this may take a moment."
        assert done.stderr.replace(f"{slow_machine}\n", "") == ""
    assert len(hashes) == 1


UNDEFINED = VariantMetrics(
    "V3",
    1,
    1,
    True,
    SIGNATURE,
    {"compression": estimate(None), "coverage": estimate(None), "redundancy_0.90": estimate(None)},
    {COVERAGE_CURVE: Curve((0, 25), (None, None), (None, None), (None, None))},
)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "variants",
    [
        [],
        [variant("V3", (0.0, 0.0, 0.0, 0.0, 0.0))],
        [variant(f"V{number}", (1.0, 1.0, 1.0, 1.0, 1.0)) for number in range(9)],
        [variant("A-name_of_thirty-two_characters_", (0.0, 0.1, 0.2, 0.3, 0.4))],
        [UNDEFINED],
    ],
    ids=["nothing", "zero", "nine alike", "long name", "undefined"],
)
def test_hard_data_are_drawn_too(name: str, variants: list[VariantMetrics]) -> None:
    """Nothing to show, points on the frame, more lines than styles, nothing defined: a figure all the same."""
    lanes = tuple(Lane(one.variant_id, (), (), stub=True) for one in variants)
    results = Results(tuple(variants), (), ExampleCase("case-1", (), lanes, 1))
    assert pdf(name, results).startswith(b"%PDF")


@pytest.mark.parametrize("name", FIGURES)
def test_a_model_called_like_a_formula_is_only_a_name(name: str) -> None:
    """Dollar signs in a signature reach the page as they are."""
    odd = SIGNATURE.replace("s_1", r"$\frac{1}$%&")
    results = dataclasses.replace(RESULTS, variants=(dataclasses.replace(VARIANTS[1], signature=odd),))
    assert odd in "".join(texts(name, results)).replace("\n", "")
    assert pdf(name, results).startswith(b"%PDF")


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("n_variants", [1, 3, 5, 9])
def test_texts_stay_on_the_page_and_off_each_other(name: str, n_variants: int) -> None:
    """No text crosses the edge of the figure, and no variant's name lies on another text."""
    variants = tuple(variant(f"V{number}", (0.0, 0.5, 0.6, 0.7, 0.8 + number / 100)) for number in range(n_variants))
    lanes = tuple(dataclasses.replace(EXAMPLE.lanes[0], variant_id=one.variant_id) for one in variants)
    figure = drawn(name, Results(variants, (), dataclasses.replace(EXAMPLE, lanes=lanes)))
    figure.set_dpi(canvas.PNG_DPI)  # as it is written: glyphs are set on whole pixels, which at less widens small print
    boxes = text_boxes(figure)
    width, height = figure.get_size_inches() * figure.dpi
    assert len(boxes) > n_variants
    for text, box in boxes:
        assert -0.5 <= box.x0 <= box.x1 <= width + 0.5, text
        assert -0.5 <= box.y0 <= box.y1 <= height + 0.5, text
    for (one, here), (other, there) in combinations(boxes, 2):
        if re.fullmatch(r"V\d", one) and name != "compression_vs_coverage":
            assert not overlap(here, there), (one, other)


def text_boxes(figure: Any) -> list[tuple[str, Any]]:
    """Return every text that is drawn, with where; labels of ticks beyond the limits are not drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    with canvas.style():
        FigureCanvasAgg(figure).draw()
        beyond = {
            id(tick.label1)
            for axes in figure.axes
            for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, sorted(axes.get_ylim())))
            for tick in axis.get_major_ticks()
            if not low <= tick.get_loc() <= high
        }
        return [
            (text.get_text(), text.get_window_extent())
            for text in figure.findobj(Text)
            if text.get_text() and text.get_visible() and id(text) not in beyond
        ]


def overlap(one: Any, other: Any) -> bool:
    """Return whether two boxes share more than an edge."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    up = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(across > 0.5 and up > 0.5)


def test_labels_stay_apart_in_order_and_on_the_figure() -> None:
    """However close the ends, labels keep their distance and their order, between 0 and 1."""
    heights = [1.0, 0.99, 0.0, 0.995, 0.01, 0.5, 0.98]
    placed = spread(heights, 0.052)
    ordered = [placed[index] for index in sorted(range(len(heights)), key=heights.__getitem__)]
    assert ordered == sorted(ordered)
    assert all(above - below >= 0.052 - 1e-9 for below, above in pairwise(ordered))
    assert 0 <= min(placed) <= max(placed) <= 1


def test_names_beside_points_cover_neither_points_nor_names() -> None:
    """Five points close together in a frame with room: no name lies on a point or on another name."""
    points = [(100.0, 100.0), (104.0, 100.0), (100.0, 112.0), (118.0, 108.0), (195.0, 195.0)]
    sizes = [(12.0, 8.0)] * 5
    placed = beside(points, sizes, (0, 0, 200, 200), [])
    boxes = [(x, y, x + 12, y + 8) for x, y in placed] + [(x - 3, y - 3, x + 3, y + 3) for x, y in points]
    names = boxes[:5]
    for index, one in enumerate(names):
        assert min(one) >= 0
        assert max(one) <= 200
        for other in boxes[index + 1 :]:
            assert min(one[2], other[2]) <= max(one[0], other[0]) or min(one[3], other[3]) <= max(one[1], other[1])


def test_the_front_holds_what_nothing_beats() -> None:
    """Against the definition, tried out on every pair; equal points are on it together."""
    points = [(x / 7 % 1, y / 5 % 1) for x in range(1, 30, 3) for y in range(1, 20, 4)] + [(0.0, 0.0), (0.0, 0.0)]
    expected = {
        index
        for index, (x, y) in enumerate(points)
        if not any((a < x and b >= y) or (a <= x and b > y) for a, b in points)
    }
    front = pareto_front(points)
    assert set(front) == expected
    assert [points[index][0] for index in front] == sorted(points[index][0] for index in front)


def test_bands_are_simultaneous_where_the_records_have_them() -> None:
    """The note says which bands are drawn; records of an older version have only the pointwise ones."""
    curve = VARIANTS[0].curves[COVERAGE_CURVE]
    old = dataclasses.replace(
        VARIANTS[0], curves={COVERAGE_CURVE: dataclasses.replace(curve, band_low=(), band_high=())}
    )
    assert any("simultaneous" in text for text in texts("coverage_vs_budget"))
    before = texts("coverage_vs_budget", dataclasses.replace(RESULTS, variants=(old,)))
    assert any("pointwise" in text for text in before)
    assert not any("simultaneous" in text for text in before)
    assert "V0,250,0.1,0.05,0.15,,,40,1,true" in coverage_vs_budget.data_csv([old])


def test_the_timeline_shows_the_case_of_median_length_whatever_came_of_it() -> None:
    """The rule needs the input's length alone; ties go by id; of an even number it is the lower middle one."""
    lengths = {"case-c": 30.0, "case-a": 10.0, "case-b": 20.0}
    assert choose(lengths) == "case-b"
    assert choose(dict(reversed(lengths.items()))) == "case-b"
    assert choose({"case-b": 10.0, "case-a": 10.0}) == "case-a"
    assert any("case of median length" in text.replace("\n", " ") for text in texts("timeline"))


def test_lines_differ_without_colour() -> None:
    """Dashes and markers are all different, so that a grey print can be read."""
    styles: list[Any] = list(canvas.LINE_STYLES)
    assert len({str(style.dash) for style in styles}) == len(styles)
    assert len({style.marker for style in styles}) == len(styles)
