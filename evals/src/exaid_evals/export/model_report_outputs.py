"""Files of the format model_reports: `aggregate_reports/<input folder>/…`, tables and figures with their data."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals import __version__
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.export.export_table import cell, forms
from exaid_evals.export.model_report_charts import ACCURACY, LATENCY, Chart, ReportRow, row_of, shown
from exaid_evals.report.base import Column, Row, Table
from exaid_evals.report.cells import Number, Text
from exaid_evals.report.figures.canvas import FAINT, INK, PAGE_IN, Canvas, new_canvas, style, to_pdf, to_png
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.runs.base import Run, Settings
from exaid_evals.runs.files.model_reports_numbers import ATTEMPTS, DURATIONS, EXECUTION
from exaid_evals.runs.model_names import ModelNamesConfig, load_patterns

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


FOLDER = "aggregate_reports"
_FIGURES = (ACCURACY, LATENCY, MATRICES)


def outputs(runs: Sequence[Run], settings: Settings) -> dict[str, bytes]:
    """Return path below the output folder → content, for every folder of models."""
    patterns = load_patterns(settings.patterns)
    files: dict[str, bytes] = {}
    for folder, group in by_folder(runs).items():
        signature = signature_of(group, patterns)
        place = f"{FOLDER}/{folder}"
        made = forms(table(group, folder, signature)) | {"csv": render_csv(group, signature)}
        files |= {f"{place}/{NAME}.{suffix}": text.encode() for suffix, text in made.items()}
        files |= _figures(group, f"{place}/figures", signature)
    return files


def _figures(runs: Sequence[Run], place: str, signature: str) -> dict[str, bytes]:
    """Return each figure as PDF and PNG, a file a page where there are more models than fit, and its data as CSV."""
    rows = [row_of(run) for run in runs]
    files: dict[str, bytes] = {}
    for one in _FIGURES:
        with style():
            pages = one.draw(rows, signature)
            for number, figure in enumerate(pages, start=1):
                name = one.name if len(pages) == 1 else f"{one.name}_{number}"
                files[f"{place}/{name}.pdf"] = to_pdf(figure, title=one.title, signature=signature)
                files[f"{place}/{name}.png"] = to_png(figure, title=one.title, signature=signature)
        if pages:
            files[f"{place}/{one.name}.csv"] = one.data(rows, signature).encode()
    return files


def by_folder(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs of each folder that a user named, by the folder's name as an output may bear it.

    Two folders of one name get as much of their paths as tells them apart.
    """
    groups: dict[Path, list[Run]] = defaultdict(list)
    together = _named_one_by_one(runs)
    for run in runs:
        origin = run.origin or Path(str(run.attributes["input_folder"]))
        groups[origin.parent if origin.parent in together else origin].append(run)
    depth, deepest = 1, max((len(origin.parts) for origin in groups), default=1)
    while True:
        names = {origin: _safe("_".join(origin.parts[-depth:])) for origin in groups}
        if len(set(names.values())) == len(names) or depth > deepest:
            break
        depth += 1
    ordered = sorted(groups, key=lambda origin: (names[origin], str(origin)))
    found: dict[str, list[Run]] = {}
    for origin in ordered:
        name = names[origin]
        number = 2
        while name in found:
            name, number = f"{names[origin]}_{number}", number + 1
        found[name] = sorted(
            groups[origin], key=lambda run: (str(run.attributes["model"]), str(run.attributes["prompt_type"]), run.name)
        )
    return found


def _named_one_by_one(runs: Sequence[Run]) -> set[Path]:
    """Return the folders of models whose models a pattern named one by one: they make one table, not one each."""
    models: dict[Path, set[Path]] = defaultdict(set)
    for run in runs:
        if run.origin is not None and run.origin.name == run.attributes["model"]:
            models[run.origin.parent].add(run.origin)
    return {parent for parent, folders in models.items() if len(folders) > 1}


def signature_of(runs: Sequence[Run], patterns: ModelNamesConfig) -> str:
    """Return how the numbers were made: this version, what was read, the patterns; reports carry no signature."""
    read = [[run.name, dict(run.metrics), dict(run.attributes)] for run in runs]
    config = patterns.model_dump(mode="json")
    return (
        f"exaid-evals/{__version__}|model_reports:{short(sha256_structure(read))}|cfg:{short(sha256_structure(config))}"
    )


def _safe(name: str) -> str:
    r"""Return a name for a folder: no separators, no control characters, no leading dot.

    >>> _safe("my runs"), _safe("a/../b\n"), _safe("..")
    ('my runs', 'a_.._b_', '_.')
    """
    cleaned = re.sub(r"[/\\\x00-\x1f\x7f]", "_", name)
    return f"_{cleaned[1:]}" if cleaned.startswith(".") else cleaned or "_"


NAME = "aggregate_model_reports"

_IDENTITY = ("model", "model_name", "prompt_type", "parameters_b", "parameters_rule", "quantisation")
_MATRIX = ("tp", "tn", "fp", "fn")
_QUALITY = ("accuracy", "auc_roc", "precision", "recall", "specificity", "f1", "balanced_accuracy")
_RATES = ("success_rate", "failure_rate", "timeout_rate")
_FILES = ("metrics_file", "report_file")

_PRINTED = (
    Column("parameters_b", "Params", "B", 1, holds=Text),
    Column("quantisation", "Quant.", holds=Text),
    Column("accuracy", "Acc.", decimals=3, holds=Number),
    Column("f1", "F1", decimals=3, holds=Number),
    Column("precision", "Prec.", decimals=3, holds=Number),
    Column("recall", "Recall", decimals=3, holds=Number),
    Column("specificity", "Spec.", decimals=3, holds=Number),
    Column("auc_roc", "AUC", decimals=3, holds=Number),
    Column("success_rate", "Success", decimals=3, holds=Number),
    Column("execution_time_mean_s", "Time", "s", 2, holds=Number),
)


def render_csv(runs: Sequence[Run], signature: str) -> str:
    """Return every number of every pair; empty where unknown, durations in nanoseconds as ollama gives them.

    Numbers that no pair has have no column.
    """
    header = [
        *_IDENTITY,
        *(f"{name}_attempts" for name in ATTEMPTS),
        *_RATES,
        *_QUALITY,
        *_MATRIX,
        *(f"execution_time_{name}_s" for name in EXECUTION),
        *(column for name in DURATIONS for column in (*(f"{name}_{one}_ns" for one in EXECUTION), f"{name}_n")),
        *_FILES,
        "n_warnings",
        "warnings",
        "signature",
    ]
    rows = []
    for run in runs:
        warnings = [str(warning) for warning in run.attributes["report_warnings"]]
        values = {**run.attributes, **run.metrics, "n_warnings": len(warnings), "warnings": "; ".join(warnings)}
        rows.append({**values, "signature": signature})
    kept = [name for name in header if any(row.get(name) not in (None, "") for row in rows)]
    return write_csv(
        kept, [[cell(row.get(name)) if name != "signature" else signature for name in kept] for row in rows]
    )


def table(runs: Sequence[Run], folder: str, signature: str) -> Table:
    """Return the table that a paper prints: models as groups, a row per prompt."""
    columns = [column for column in _PRINTED if any(_value(run, column) is not None for run in runs)]
    rows = tuple(
        Row(
            (str(run.attributes["model"]), str(run.attributes["prompt_type"])),
            tuple(_cell(run, column) for column in columns),
            stub=False,
            signature=signature,
            label=str(run.attributes["prompt_type"]),
            group=str(run.attributes["model"]),
        )
        for run in runs
    )
    warned = sum(1 for run in runs if run.attributes["report_warnings"])
    notes = ["Positive is the class that the confusion matrix counts as such; a dash is a number that is unknown."]
    notes += [f"{warned} of {len(runs)} reports have a warning (column warnings of {NAME}.csv)."] if warned else []
    return Table(
        NAME,
        f"Model reports of {folder}",
        tuple(columns),
        rows,
        tuple(notes),
        counted="reports",
        key_names=("model", "prompt_type"),
        row_heading="Prompt",
    )


def _value(run: Run, column: Column) -> object:
    return run.attributes.get(column.measure, run.metrics.get(column.measure))


def _cell(run: Run, column: Column) -> Text | Number | None:
    value = _value(run, column)
    if value is None:
        return None
    if column.holds is Text:
        return Text(f"{value:g}" if isinstance(value, int | float) else str(value))
    return Number(float(value)) if isinstance(value, int | float) else None
