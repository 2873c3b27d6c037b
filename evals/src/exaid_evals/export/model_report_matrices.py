"""Figure: the confusion matrices, a row a model and a column a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exaid_evals.export.model_report_charts import Chart, ReportRow, shown
from exaid_evals.export.sheet import cell
from exaid_evals.report.figures.canvas import FAINT, INK, PAGE_IN, Canvas, new_canvas
from exaid_evals.report.formats.csv_table import write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TILE_IN, _GAP_IN, _ROW_IN, _NAMES_IN, _HEAD_IN = 0.46, 0.1, 0.56, 1.35, 0.3
_PAGE_ROWS = 14
_NOTE = (
    "Rows of each matrix: truly positive, truly negative; columns: predicted positive, predicted negative. Numbers are "
    "items; the shade is the share of the row, blue where the prediction is right and orange where it is wrong."
)
_RIGHT, _WRONG = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0)  # Okabe and Ito's blue and vermilion


@dataclass(frozen=True, slots=True)
class _Layout:
    """Blocks of models beside each other: few prompts leave room for several."""

    prompts: tuple[str, ...]
    blocks: int

    @property
    def block_in(self) -> float:
        return _NAMES_IN + len(self.prompts) * (_TILE_IN + _GAP_IN)


def draw(rows: Sequence[ReportRow], signature: str) -> list[Figure]:
    """Draw the figure, as many pages as it needs; nothing without matrices. Call it within `canvas.style`."""
    with_counts = [row for row in rows if row.counts is not None]
    prompts = sorted({row.prompt for row in with_counts})
    pages = []
    most = int((PAGE_IN - _NAMES_IN) / (_TILE_IN + _GAP_IN))
    # More prompts than fit beside each other go on in further pages, all models again.
    for start in range(0, len(prompts), most):
        chosen = tuple(prompts[start : start + most])
        width = _NAMES_IN + len(chosen) * (_TILE_IN + _GAP_IN)
        layout = _Layout(chosen, max(1, int(PAGE_IN / width)))
        cells = {(row.model, row.prompt): row for row in with_counts if row.prompt in chosen}
        models = sorted({model for model, _ in cells})
        per_page = layout.blocks * _PAGE_ROWS
        firsts = range(0, len(models), per_page)
        pages += [_page(models[first : first + per_page], layout, cells, signature) for first in firsts]
    return pages


def data(rows: Sequence[ReportRow], signature: str) -> str:
    """Return what the figure shows."""
    lines = [[cell(row.model), cell(row.prompt), *row.counts, signature] for row in rows if row.counts is not None]
    return write_csv(["model", "prompt_type", "tp", "tn", "fp", "fn", "signature"], lines)


def _page(models: Sequence[str], layout: _Layout, cells: dict[tuple[str, str], ReportRow], signature: str) -> Figure:
    n_rows = -(-len(models) // layout.blocks)
    page = new_canvas(PAGE_IN, n_rows * _ROW_IN + _HEAD_IN, note=_NOTE, signatures=[signature], stub=False)
    top = page.floor + n_rows * _ROW_IN
    for number, model in enumerate(models):
        block, row = divmod(number, n_rows)
        left, low = block * layout.block_in, top - (row + 1) * _ROW_IN
        if row == 0:
            _heads(page, layout, left, top)
        _text(page, left + _NAMES_IN - 0.1, low + _ROW_IN / 2, "\n".join(_wrapped(model)), ha="right", va="center")
        for column, prompt in enumerate(layout.prompts):
            found = cells.get((model, prompt))
            x = left + _NAMES_IN + column * (_TILE_IN + _GAP_IN)
            if found is not None and found.counts is not None:
                _tile(page, x, low + (_ROW_IN - _TILE_IN) / 2, found.counts)
            else:
                _text(page, x + _TILE_IN / 2, low + _ROW_IN / 2, "–", ha="center", va="center", color=FAINT)
    return page.finished()


def _heads(page: Canvas, layout: _Layout, left: float, top: float) -> None:
    for column, prompt in enumerate(layout.prompts):
        x = left + _NAMES_IN + column * (_TILE_IN + _GAP_IN) + _TILE_IN / 2
        lines = "\n".join(_wrapped(prompt, 11, 2))
        _text(page, x, top + 0.05, lines, ha="center", va="bottom", fontweight="bold")


def _tile(page: Canvas, x: float, y: float, counts: tuple[int, int, int, int]) -> None:
    """Draw one matrix: tp fn above fp tn."""
    from matplotlib.patches import Rectangle

    tp, tn, fp, fn = counts
    half = _TILE_IN / 2
    for across, up, count, of, right in (
        (0, 1, tp, tp + fn, True),
        (1, 1, fn, tp + fn, False),
        (0, 0, fp, fp + tn, False),
        (1, 0, tn, fp + tn, True),
    ):
        share = count / of if of else 0.0
        color = tuple(1 - share * 0.92 * (1 - part) for part in (_RIGHT if right else _WRONG))
        box = ((x + across * half) / page.width, (y + up * half) / page.height)
        edge: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.6, "transform": page.figure.transFigure}
        page.figure.add_artist(Rectangle(box, half / page.width, half / page.height, facecolor=color, **edge))
        text = f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k"
        ink = "white" if share > 0.75 else INK
        at_x, at_y = x + (across + 0.5) * half, y + (up + 0.5) * half
        _text(page, at_x, at_y, text, ha="center", va="center_baseline", color=ink, fontsize=5.6)


def _wrapped(name: str, width: int = 22, most: int = 3) -> list[str]:
    """Return a name in lines, divided behind its signs where there are any."""
    text = shown(name, width * most)
    lines = [""]
    piece = ""
    for character in text:
        piece += character
        if character in "-_/: ." or len(piece) >= width:
            lines, piece = _put(lines, piece, width), ""
    lines = _put(lines, piece, width)
    return lines if len(lines) <= most else [*lines[: most - 1], shown("".join(lines[most - 1 :]), width)]


def _put(lines: list[str], piece: str, width: int) -> list[str]:
    if lines[-1] and len(lines[-1]) + len(piece) > width:
        return [*lines, piece]
    return [*lines[:-1], lines[-1] + piece]


def _text(page: Canvas, x: float, y: float, text: str, **settings: Any) -> None:
    looks: dict[str, Any] = {"fontsize": 6.2, "color": INK} | settings
    made = page.figure.text(x / page.width, y / page.height, text, **looks)
    made.set_parse_math(False)


MATRICES = Chart("confusion_matrices", "Confusion matrices by model and prompt", draw, data)
