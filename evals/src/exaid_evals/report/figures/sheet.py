"""The sheet that figures are drawn on: a plot area, below it the small print, above it the stub mark where one is due.

Sizes are in inches, those of the printed page: a column of a journal, or its whole text width. The plot area keeps its
size whatever the small print needs.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exaid_evals.report.figures.canvas import FAINT, INK, use_shipped_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_IN, PAGE_IN = 3.45, 6.3
STUB_MARK = "STUB DATA: simulated conversation or model"

_POINTS = 72.0
_MARGIN_IN = 0.05
_HEADER_IN = 0.24
_NOTE_PT, _NOTE_ADVANCE = 6.0, 0.52
_SIGNATURE_PT, _SIGNATURE_ADVANCE = 4.6, 0.602
_LEADING = 1.3
"""Point sizes, mean advance of a character in ems (exact for the monospaced face), and line height in ems."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A figure in the making.

    Attributes:
        width: of the page, in inches.
        height: of the whole figure.
        floor: where the plot area begins.
    """

    figure: Figure
    width: float
    height: float
    floor: float

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Return axes in the plot area, in inches from its lower left corner, styled as everywhere."""
        box = (left / self.width, (self.floor + bottom) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(box)
        axes.tick_params(length=3, width=0.6)
        axes.set_axisbelow(True)
        return axes

    def finished(self) -> Figure:
        """Return the figure, its texts in the shipped typeface."""
        use_shipped_fonts(self.figure)
        return self.figure


def sheet(width: float, plot_height: float, *, note: str, signatures: Sequence[str], stub: bool) -> Canvas:
    """Return an empty sheet with its small print.

    Args:
        width: of the page.
        plot_height: of the plot area.
        note: what the marks are, and how many cases.
        signatures: how the numbers were made.
        stub: whether any of them is simulated.
    """
    from matplotlib.figure import Figure

    note_lines = textwrap.wrap(note, _characters(width, _NOTE_PT, _NOTE_ADVANCE))
    n_fit = _characters(width, _SIGNATURE_PT, _SIGNATURE_ADVANCE)
    made = [line for signature in signatures for line in folded(signature, n_fit)]
    notes_in = len(note_lines) * _NOTE_PT * _LEADING / _POINTS
    made_in = len(made) * _SIGNATURE_PT * _LEADING / _POINTS
    floor = 2 * _MARGIN_IN + notes_in + made_in
    height = floor + plot_height + (_HEADER_IN if stub else 0.0)
    figure = Figure(figsize=(width, height))
    left = _MARGIN_IN / width
    print_of: dict[str, Any] = {"va": "top", "ha": "left", "linespacing": _LEADING}
    figure.text(left, (floor - _MARGIN_IN) / height, "\n".join(note_lines), fontsize=_NOTE_PT, color=INK, **print_of)
    figure.text(
        left,
        (_MARGIN_IN + made_in) / height,
        "\n".join(made),
        fontsize=_SIGNATURE_PT,
        family="monospace",
        color=FAINT,
        **print_of,
    )
    if stub:
        _mark(figure, width, height)
    return Canvas(figure, width, height, floor)


def folded(signature: str, most: int) -> list[str]:
    """Return a signature in lines of at most `most` characters, divided behind its bars where possible.

    >>> folded("a/1|b:22|c:3", 9)
    ['a/1|b:22|', 'c:3']
    """
    lines = [""]
    for part in re.findall(r"[^|]*\||[^|]+$", signature):
        if lines[-1] and len(lines[-1]) + len(part) > most:
            lines.append("")
        lines[-1] += part
    return [piece for line in lines for piece in textwrap.wrap(line, most)]


def _characters(width: float, size: float, advance: float) -> int:
    """Return how many characters of a size fit between the margins."""
    return int((width - 2 * _MARGIN_IN) * _POINTS / (size * advance))


def _mark(figure: Figure, width: float, height: float) -> None:
    figure.text(
        1 - 0.08 / width,
        1 - 0.07 / height,
        STUB_MARK,
        va="top",
        ha="right",
        fontsize=6.5,
        fontweight="bold",
        color=INK,
        bbox={"boxstyle": "square,pad=0.3", "facecolor": "white", "edgecolor": INK, "linewidth": 0.6},
    )
