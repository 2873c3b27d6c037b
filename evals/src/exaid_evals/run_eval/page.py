"""An evaluation as one HTML file: metrics, confusion, calibration, and where the model is most wrong."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.atomic import write_text
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.report.document import Block, Document, Grid, Picture, Pictures, Section, to_html
from exaid_evals.report.figures.canvas import FAINT, INK, style, to_png, use_shipped_fonts
from exaid_evals.run_eval.files import files_of, plain, prediction_rows

MOST_CLASSES = 30
"""Whose confusion is drawn as a matrix; of more the pairs that are confused most are listed."""
N_WORST = 20
Show = Callable[[str], Any]
"""From an example's id to its image, its text, or None."""


def report_file(split: str) -> Path:
    """Return the page's file, relative to the evaluation's folder."""
    return Path(f"{split}_report.html")


def write_page(folder: Path, split: str = "val", *, show: Show = lambda _: None) -> Path:
    """Write SPLIT_report.html from the files that an evaluation has written beside it, and return its path.

    Args:
        folder: of the evaluation (`output_dir`).
        split: that was evaluated.
        show: what to show of an example: an image of PIL, a text, or None.

    Raises:
        ConfigError: the folder holds no evaluation of the split.
        DataError: a file of it was changed.
    """
    metrics_file, evaluation_file, predictions = (folder / one for one in files_of(split))
    if not metrics_file.is_file():
        raise ConfigError(f"holds no evaluation of {split}", where=str(folder), remedy="evaluate with output_dir first")
    metrics, evaluation = read_mapping(metrics_file), read_mapping(evaluation_file)
    made = str(evaluation.get("signature", ""))
    try:
        parts = [
            ("Metrics", _metrics(metrics, evaluation)),
            ("Confusion", _confusion(evaluation, made)),
            ("Classes", _classes(metrics)),
            ("Calibration", _calibration(metrics, evaluation, made)),
            ("Selective accuracy", _selective(evaluation, made)),
            ("Thresholds", _thresholds(evaluation)),
        ]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"was changed ({reason})", where=str(evaluation_file), remedy="evaluate again") from error
    parts.append(("Where the model is most wrong", _worst(predictions, show)))
    title = f"{evaluation.get('task', folder.name)}, {split}"
    warnings = [f"Warning: {one}" for one in evaluation.get("warnings", [])]
    blocks: list[Block] = [*warnings, *(Section(name, blocks) for name, blocks in parts if blocks)]
    write_text(folder / report_file(split), to_html(Document(title, blocks, made)))
    return folder / report_file(split)


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _metrics(metrics: Mapping[str, Any], evaluation: Mapping[str, Any]) -> list[Block]:
    bounds = evaluation.get("intervals", {})
    rows = [["metric", "value", "95 % interval"]]
    for name, value in metrics.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            of = bounds.get(name)
            rows.append([name, _number(value), f"{of['ci95_low']:.4f} to {of['ci95_high']:.4f}" if of else ""])
    counts = [f"{value:,} {name.removeprefix('n_')}" for name, value in evaluation.items() if name.startswith("n_")]
    return [f"{', '.join(counts)}.", Grid(rows, figures=True)]


def _confusion(evaluation: Mapping[str, Any], made: str) -> list[Block]:
    names = evaluation.get("class_names")
    if names is None:
        return []
    matrix = evaluation.get("confusion_matrix")
    if matrix is not None and len(matrix) <= MOST_CLASSES:
        return [
            _drawn("Confusion: rows are true classes, columns predictions", made, lambda a: _matrix(a, matrix, names))
        ]
    pairs = evaluation.get("confusion_pairs")
    if pairs is not None:
        rows = list(zip(pairs["true"], pairs["predicted"], pairs["count"], strict=True))
    else:
        rows = [(t, p, n) for t, row in enumerate(matrix or []) for p, n in enumerate(row)]
    worst = heapq.nlargest(N_WORST, (row for row in rows if row[0] != row[1] and row[2]), key=lambda row: row[2])
    return [Grid([["true class", "predicted", "examples"], *([names[t], names[p], str(n)] for t, p, n in worst)])]


def _classes(metrics: Mapping[str, Any]) -> list[Block]:
    of = metrics.get("per_class")
    found = (
        {row["class"] if "class" in row else str(at): row for at, row in enumerate(of)} if isinstance(of, list) else of
    )
    if not found:
        return []
    keys = [key for key in next(iter(found.values())) if key != "class"]
    return [
        Grid([["class", *keys], *([name, *(_number(row.get(k)) for k in keys)] for name, row in found.items())], True)
    ]


def _calibration(metrics: Mapping[str, Any], evaluation: Mapping[str, Any], made: str) -> list[Block]:
    bins = [row for row in evaluation.get("calibration_bins") or [] if row["n"]]
    if not bins:
        return []
    of = (evaluation.get("intervals") or {}).get("ece")
    within = f", 95 % interval {of['ci95_low']:.4f} to {of['ci95_high']:.4f}" if of else ""
    text = f"Expected calibration error {_number(metrics.get('ece'))}{within}; bars are Wilson's 95 % intervals."
    return [text, _drawn("Reliability: share right by confidence", made, lambda axes: _reliability(axes, bins))]


def _selective(evaluation: Mapping[str, Any], made: str) -> list[Block]:
    of = evaluation.get("selective")
    if not of:
        return []
    keys = ("wanted", "threshold", "n", "coverage", "accuracy")
    tables = [
        Grid([keys, *([_number(row[key]) for key in keys] for row in of[by])], figures=True)
        for by in ("by_coverage", "by_accuracy")
    ]

    def draw(axes: Any) -> None:
        axes.plot([x for x, _ in of["curve"]], [y for _, y in of["curve"]], color=INK)
        axes.set(xlim=(0, 1), ylim=(0, None), xlabel="coverage: share answered, surest first", ylabel="share wrong")

    curve = _drawn("Share wrong by coverage", made, draw)
    return [curve, "Wanted is a coverage:", tables[0], "Wanted is an accuracy:", tables[1]]


def _thresholds(evaluation: Mapping[str, Any]) -> list[Block]:
    of = evaluation.get("best_thresholds")
    if not of:
        return []
    of = {"": of} if "f1" in of and "youden" in of else of
    rows = [["label", "best by", "threshold", "F1", "precision", "recall"]]
    for label, best in of.items():
        for by, row in best.items():
            if row is not None:
                rows.append([label, by, *(_number(row[key]) for key in ("threshold", "f1", "precision", "recall"))])
    return ["They are chosen on this very set, and do better here than elsewhere.", Grid(rows)]


def _drawn(title: str, made: str, draw: Callable[[Any], None]) -> Pictures:
    """Return a figure of one field as a picture."""
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.4, 4.0), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, fontsize=9)
        draw(axes)
        use_shipped_fonts(figure)
        return Pictures([Picture(title, "", to_png(figure, title=title, signature=made))])


def _matrix(axes: Any, matrix: Sequence[Sequence[int]], names: Sequence[str]) -> None:
    shares = [[n / max(sum(row), 1) for n in row] for row in matrix]
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    ticks, size = range(len(matrix)), 8 if len(matrix) <= 12 else 5
    axes.set_xticks(ticks, [name[:18] for name in names], rotation=90, fontsize=size)
    axes.set_yticks(ticks, [name[:18] for name in names], fontsize=size)
    for row, counts in enumerate(matrix):
        for column, n in enumerate(counts):
            if n:
                colour = "white" if shares[row][column] > 0.5 else INK
                axes.text(column, row, str(n), ha="center", va="center", color=colour, fontsize=size)


def _reliability(axes: Any, bins: Sequence[Mapping[str, Any]]) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
    x, y = ([row[key] for row in bins] for key in ("confidence", "accuracy"))
    low = [row["accuracy"] - row["accuracy_ci95_low"] for row in bins]
    high = [row["accuracy_ci95_high"] - row["accuracy"] for row in bins]
    axes.errorbar(x, y, yerr=[low, high], fmt="o", color=INK, markersize=4, capsize=2, linewidth=0.8)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="mean confidence", ylabel="share right")


@dataclass(order=True)
class _Example:
    """One that went wrong: by how much, which, and what there is to say of it."""

    badness: float
    name: str
    lines: tuple[str, ...] = field(compare=False)
    boxes: list[tuple[str, list[float]]] = field(default_factory=list, compare=False)


def _worst(path: Path, show: Show) -> list[Block]:
    header, rows = prediction_rows(path)
    kind = next((of for needed, of in _KINDS if needed <= header), None)
    try:
        found = heapq.nlargest(N_WORST, kind(rows)) if kind is not None else []
    except (KeyError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"holds no predictions ({reason})", where=str(path), remedy="evaluate again") from error
    texts: list[list[str]] = []
    cells: list[tuple[Any, tuple[str, ...]]] = []
    for one in sorted(found, key=lambda one: (-one.badness, one.name)):
        what = show(one.name)
        if what is None or isinstance(what, str):
            texts.append([one.name, *one.lines, *([] if what is None else [what[:600]])])
        else:
            cells.append((_with_boxes(what, one.boxes), (one.name, *one.lines)))
    width = max(map(len, texts), default=0)
    table = Grid(
        [["example", *[""] * (width - 1)], *(row + [""] * (width - len(row)) for row in texts)] if texts else []
    )
    drawn = (
        [Pictures([Picture("The examples on which the model is most wrong", "", drawn_sheet(cells))])] if cells else []
    )
    return [*drawn, *([table] if texts else [])]


def _of_classes(rows: Iterator[dict[str, str]]) -> Iterator[_Example]:
    """Yield the wrong ones; the surest are the worst."""
    for row in rows:
        true, guess = plain(row["true_label"]), plain(row["predicted_label"])
        if true != guess:
            score = row.get(f"score_{guess}") or row.get("score") or ""
            lines = (f"is {true}", f"said {guess}", f"confidence {score}" if score else "")
            yield _Example(float(score or 0), plain(row["id"]), lines)


def _of_texts(rows: Iterator[dict[str, str]]) -> Iterator[_Example]:
    """Yield every text by the mean loss of its tokens."""
    sums: dict[str, tuple[float, int]] = {}
    for row in rows:
        name = plain(row["id"]).rpartition(":")[0]
        total, n = sums.get(name, (0.0, 0))
        sums[name] = total + float(row["nll"]), n + 1
    for name, (total, n) in sums.items():
        yield _Example(total / n, name, (f"{total / n:.3f} nats a token", f"{n} tokens"))


def _of_numbers(rows: Iterator[dict[str, str]]) -> Iterator[_Example]:
    for row in rows:
        off = abs(float(row["true"]) - float(row["predicted"]))
        yield _Example(off, plain(row["id"]), (f"is {row['true']}", f"said {row['predicted']}"))


def _of_pixels(rows: Iterator[dict[str, str]]) -> Iterator[_Example]:
    for row in rows:
        if row["mean_iou"]:
            yield _Example(1 - float(row["mean_iou"]), plain(row["id"]), (f"mean IoU {row['mean_iou']}",))


def _of_boxes(rows: Iterator[dict[str, str]]) -> Iterator[_Example]:
    """Yield images with boxes that were missed, or were found where there is none with a score of at least a half."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["box"] == "true" or float(row["score"]) >= 0.5:
            found.setdefault(plain(row["id"]), []).append(row)
    for name, of in found.items():
        missed = sum(row["box"] == "true" and row["matched"] == "0" for row in of)
        false = sum(row["box"] == "predicted" and row["matched"] == "0" for row in of)
        if missed + false:
            boxes = [(row["box"], [float(row[key]) for key in ("x1", "y1", "x2", "y2")]) for row in of]
            yield _Example(missed + false, name, (f"{missed} missed", f"{false} found in vain"), boxes)


_KINDS: tuple[tuple[set[str], Callable[[Any], Iterator[_Example]]], ...] = (
    ({"nll"}, _of_texts),
    ({"true_label", "predicted_label"}, _of_classes),
    ({"true", "predicted"}, _of_numbers),
    ({"mean_iou"}, _of_pixels),
    ({"box"}, _of_boxes),
)


def _with_boxes(image: Any, boxes: Sequence[tuple[str, list[float]]]) -> Any:
    """Return an image with boxes drawn in it: true ones green, predicted ones red."""
    if boxes:
        from PIL import ImageDraw

        draw = ImageDraw.Draw(image)
        for what, box in boxes:
            draw.rectangle(box, outline="green" if what == "true" else "red", width=max(1, min(image.size) // 100))
    return image


def drawn_sheet(cells: Sequence[tuple[Any, Sequence[str]]]) -> bytes:
    """Return images of PIL side by side, with lines of text under each, as PNG.

    A line may be a pair of text and colour.
    """
    from PIL import Image, ImageDraw

    side, below, margin = 160, 60, 8
    width, height = side + margin, side + below + margin
    columns = min(5, len(cells))
    whole = Image.new("RGB", (columns * width + margin, -(-len(cells) // columns) * height + margin), "white")
    draw = ImageDraw.Draw(whole)
    for number, (image, lines) in enumerate(cells):
        left, top = margin + number % columns * width, margin + number // columns * height
        image.thumbnail((side, side))
        whole.paste(image, (left + (side - image.width) // 2, top + (side - image.height) // 2))
        for line, given in enumerate(lines):
            text, colour = given if isinstance(given, tuple) else (given, INK)
            draw.text((left, top + side + 2 + 14 * line), text[-28:] if not line else text[:28], fill=colour)
    out = BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()
