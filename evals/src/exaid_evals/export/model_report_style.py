"""What the figures of model reports share: how prompts look, and names of others as text that cannot be markup."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from exaid_evals.artifacts.printable import printable
from exaid_evals.export.model_report_rows import ReportRow
from exaid_evals.report.figures.canvas import LINE_STYLES, LineStyle, font_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.figure import Figure

_MARKERS = "os^DvPX<>*ph"


def looks(rows: Sequence[ReportRow]) -> dict[str, LineStyle]:
    """Return how each prompt's marks look; colour and form repeat at different lengths, so that pairs differ."""
    prompts = sorted({row.prompt for row in rows})
    colors = [look.color for look in LINE_STYLES]
    return {
        prompt: LineStyle(colors[number % len(colors)], "solid", _MARKERS[number % len(_MARKERS)])
        for number, prompt in enumerate(prompts)
    }


def shown(name: str, most: int = 44) -> str:
    r"""Return a name as a figure bears it: short enough, and only characters that the shipped typeface has.

    >>> shown("a" * 50, 10), shown("x\ny")
    ('aaaaaa…aaa', 'x\\ny')
    """
    known = _characters()
    text = "".join(one if ord(one) in known else f"[U+{ord(one):04X}]" for one in printable(name))
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def legend(figure: Figure, styles: dict[str, LineStyle], top: float, *, others: Iterable[object] = ()) -> None:
    """Write above the plot area which mark stands for which prompt.

    Args:
        figure: where.
        styles: of the prompts.
        top: where the legend's upper edge stands, as a share of the figure's height.
        others: further handles, after the prompts.
    """
    from matplotlib.lines import Line2D

    handles: list[object] = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=look.marker,
            markersize=5,
            color=look.color,
            label=shown(prompt, 26),
            markeredgecolor="white",
            markeredgewidth=0.4,
        )
        for prompt, look in styles.items()
    ]
    made = figure.legend(
        handles=[*handles, *others],
        loc="upper center",
        bbox_to_anchor=(0.5, top),
        ncols=legend_columns(styles),
        frameon=False,
        fontsize=7,
        handletextpad=0.2,
        columnspacing=1.4,
    )
    for text in made.get_texts():
        text.set_parse_math(False)


def legend_columns(styles: dict[str, LineStyle]) -> int:
    """Return in how many columns the legend stands, by its longest name."""
    longest = max((len(shown(prompt, 26)) for prompt in styles), default=1)
    return max(1, min(len(styles) + 1, int(90 / (longest + 5))))


def legend_height(styles: dict[str, LineStyle], n_others: int = 0) -> float:
    """Return the height that the legend needs, in inches."""
    lines = -(-(len(styles) + n_others) // legend_columns(styles))
    return 0.1 + 0.16 * lines


@cache
def _characters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font_path())).get_charmap())
