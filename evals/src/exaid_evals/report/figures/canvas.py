"""How every figure looks, and how it becomes bytes that depend on nothing but its content.

The style is Matplotlib's defaults and what stands here: the user's matplotlibrc is overridden, and the typeface is
the one that Matplotlib ships, taken by path, for another release of it may be installed on the system.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PNG_DPI = 220
INK, FAINT = "#222222", "#8a8a8a"

_STYLE: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.size": 8.5,
    "hatch.linewidth": 0.5,
    "path.simplify": False,
    "pdf.compression": 0,  # the content hash must not depend on some zlib
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "savefig.dpi": PNG_DPI,
    "svg.hashsalt": "exaid-evals",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.usetex": False,
}


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How a variant's line looks; each of colour, dash and marker distinguishes it alone, also in grey."""

    color: str
    dash: Any
    marker: str


# Okabe and Ito's palette (jfly.uni-koeln.de/color, 2008) without yellow, which is too light for a line on white.
LINE_STYLES = (
    LineStyle("#000000", (0, (4, 2)), "o"),
    LineStyle("#E69F00", (0, (1, 1.2)), "s"),
    LineStyle("#009E73", (0, (6, 1.5, 1, 1.5)), "^"),
    LineStyle("#D55E00", "solid", "D"),
    LineStyle("#0072B2", (0, (6, 2)), "v"),
    LineStyle("#CC79A7", (0, (3, 1, 1, 1, 1, 1)), "P"),
    LineStyle("#56B4E9", (0, (2, 1)), "X"),
)

# The paper's variants look the same in every figure, whatever stands beside them.
_OF_THE_PAPER = {f"V{number}": LINE_STYLES[number] for number in range(5)}


def line_styles(variant_ids: Sequence[str]) -> dict[str, LineStyle]:
    """Return how each variant's line looks: V0 to V4 always the same, others the styles that are left, in order."""
    present = {name: look for name, look in _OF_THE_PAPER.items() if name in variant_ids}
    others = [name for name in variant_ids if name not in present]
    # The paper's own styles come last, so that a variant of one's own beside V0 and V3 does not pass for V1.
    ordered = [*LINE_STYLES[len(_OF_THE_PAPER) :], *LINE_STYLES[: len(_OF_THE_PAPER)]]
    free = [look for look in ordered if look not in present.values()] or ordered
    return present | {name: free[number % len(free)] for number, name in enumerate(others)}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw within this block: our style on Matplotlib's own defaults."""
    _require_config_folder()
    import matplotlib as mpl

    # The backend is left alone: figures are made without pyplot, and choose their canvas when they are saved.
    defaults = {key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(("backend", "toolbar"))}
    with mpl.rc_context(defaults | _STYLE):
        yield


_SHAPING = ("GDEF", "GPOS", "GSUB", "MATH")
"""Tables of a typeface that nothing here uses. To read them takes most of the time in which a PDF's part is cut out."""


@cache
def _fonts_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="exaid-evals-fonts-")  # which removes itself in the end


@cache
def font_path(name: str = "DejaVuSans") -> Path:
    """Return a file of a typeface that Matplotlib ships, without its tables for shaping."""
    import matplotlib as mpl
    from fontTools.ttLib import TTFont

    path = Path(_fonts_folder().name) / f"{name}.ttf"
    shipped = Path(mpl.get_data_path()) / "fonts" / "ttf" / path.name
    with TTFont(shipped, lazy=True, recalcBBoxes=False, recalcTimestamp=False) as font:
        for table in _SHAPING:
            if table in font:
                del font[table]
        font.save(path, reorderTables=False)
    return path


def use_shipped_fonts(figure: Figure) -> None:
    """Point every text of a figure to the shipped file of its weight and family."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        properties = text.get_fontproperties().copy()
        family = "DejaVuSansMono" if "monospace" in properties.get_family() else "DejaVuSans"
        bold = "-Bold" if properties.get_weight() == "bold" else ""
        properties.set_file(str(font_path(family + bold)))
        text.set_fontproperties(properties)
        text.set_parse_math(False)  # a dollar sign in the name of a model is not a formula


def to_pdf(figure: Figure, *, title: str, signature: str) -> bytes:
    """Return a figure as PDF: text stays text, no dates, the signature in its keywords."""
    metadata = {
        "Title": title,
        "Keywords": signature,
        "Creator": "exaid-evals",
        "Producer": None,
        "CreationDate": None,
    }
    return _saved(figure, "pdf", metadata)


def to_png(figure: Figure, *, title: str, signature: str) -> bytes:
    """Return a figure as PNG, with title and signature in its text chunks."""
    return _saved(figure, "png", {"Title": title, "Description": signature, "Software": None})


def _saved(figure: Figure, form: str, metadata: dict[str, str | None]) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=form, metadata=metadata)
    return out.getvalue()


def _require_config_folder() -> None:
    """Give Matplotlib a folder for its font cache where the user's is missing or read-only.

    Left to itself it makes a temporary one each time and warns about it.
    """
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: no HOME, and no such user
        chosen = os.environ.get("MPLCONFIGDIR")
        usual = (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache"))
        places = (Path(os.environ.get(variable) or Path.home() / name) / "matplotlib" for variable, name in usual)
        folders = [Path(chosen)] if chosen else list(places)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        if all(os.access(folder, os.W_OK) for folder in folders):
            return
    user = os.getuid() if hasattr(os, "getuid") else "user"
    os.environ["MPLCONFIGDIR"] = str(Path(tempfile.gettempdir()) / f"exaid-evals-matplotlib-{user}")


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


def new_canvas(width: float, plot_height: float, *, note: str, signatures: Sequence[str], stub: bool) -> Canvas:
    """Return an empty canvas with its small print.

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
