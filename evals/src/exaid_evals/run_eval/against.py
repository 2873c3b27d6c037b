"""Two evaluations of one set, example by example: whether one model is better, where, and on what they part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaid_evals.artifacts.atomic import write_bytes, write_text
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.run_eval.files import files_of, prediction_rows, write_json
from exaid_evals.run_eval.images import open_image
from exaid_evals.run_eval.page import drawn_sheet
from exaid_evals.stats.descriptive import holm
from exaid_evals.stats.paired import mcnemar_p

Floats = NDArray[np.float64]
AGAINST_FILE, PARTED_FILE, SHEET_FILE = Path("against.json"), Path("against.csv"), Path("against.png")
_CELLS = 4_000_000
"""Resampled values that are held at a time: 32 MB."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of classes, as an evaluation has written them.

    Attributes:
        ids: of the examples.
        true, predicted: classes by name.
        confidence: of the predicted class; None where the file has no scores.
        of_true: probability of the true class; None where the file has it not for every example.
    """

    ids: Sequence[str]
    true: Sequence[str]
    predicted: Sequence[str]
    confidence: Floats | None
    of_true: Floats | None


def read_predictions(folder: Path, split: str) -> Predictions:
    """Read the predictions of an evaluation.

    Raises:
        ConfigError: there are none of this split.
        DataError: they are not of classes, or damaged.
    """
    path = folder / files_of(split)[2]
    if not path.exists():
        raise ConfigError(
            f"holds no {path.name}", where=str(folder), remedy=f"name the folder of an evaluation of {split}"
        )
    header, found = prediction_rows(path)
    rows = list(found)
    if not rows or not {"id", "true_label", "predicted_label"} <= header:
        raise DataError("holds no predictions of classes", where=str(path), remedy="compare classifiers")
    true, predicted = ([row[name] for row in rows] for name in ("true_label", "predicted_label"))
    return Predictions(
        [row["id"] for row in rows],
        true,
        predicted,
        _scores(rows, predicted, path),
        _scores(rows, true, path, own=True),
    )


def _scores(rows: Sequence[dict[str, str]], classes: Sequence[str], path: Path, *, own: bool = False) -> Floats | None:
    """Return the score of a class for each row; of very many classes the file has that of the predicted one alone."""
    try:
        if all(f"score_{name}" in row for row, name in zip(rows, classes, strict=True)):
            return np.array([float(row[f"score_{name}"]) for row, name in zip(rows, classes, strict=True)])
        if "score" in rows[0] and not own:
            return np.array([float(row["score"]) for row in rows])
    except (TypeError, ValueError) as error:
        raise DataError(
            f"has a score that is not a number ({error})", where=str(path), remedy="evaluate again"
        ) from None
    return None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two evaluations say of each other.

    Attributes:
        record: accuracies, their difference with its interval, tests, classes, calibration and loss, as plain data.
        parted: rows of the examples that one has right and the other wrong: id, true class, both predictions, and both
            confidences; those on which the wrong one is surest come first.
    """

    record: dict[str, Any]
    parted: list[list[Any]]


def compare(one: Predictions, other: Predictions, *, resamples: int, seed: int, bins: int = 15) -> Comparison:
    """Compare two models on the same examples; differences are the first's less the other's.

    Intervals are of the paired bootstrap, over examples; the test is McNemar's exact one, for classes with Holm's
    correction.

    Raises:
        DataError: the examples or their true classes are not the same.
    """
    places = _places(one, other)
    right = np.array([p == t for p, t in zip(one.predicted, one.true, strict=True)])
    right_other = np.array([other.predicted[at] == other.true[at] for at in places])
    n, pair = len(right), _paired(right, right_other)
    gained, lost = pair["only_this_right"], pair["only_other_right"]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, [gained / n, lost / n, 1 - (gained + lost) / n], size=resamples)
    record: dict[str, Any] = {
        "n_examples": n,
        **pair,
        "difference": (gained - lost) / n,
        **_bounds((drawn[:, 0] - drawn[:, 1]) / n),
        "per_class": _by_class(one.true, right, right_other),
    }
    for name, values in _paired_scores(one, other, places, right, right_other, bins).items():
        record[name] = _difference(*values, resamples=resamples, rng=rng)
    return Comparison(record, _parted(one, other, places, right, right_other))


def _places(one: Predictions, other: Predictions) -> list[int]:
    """Return where each example of the one stands in the other."""
    at = {name: index for index, name in enumerate(other.ids)}
    if len(at) != len(other.ids) or len(set(one.ids)) != len(one.ids):
        raise DataError("ids stand more than once", remedy="give each an id of its own")
    missing = [name for name in one.ids if name not in at]
    if missing or len(one.ids) != len(other.ids):
        shown = f", such as {missing[0]}" if missing else ""
        raise DataError(
            f"{len(one.ids)} examples here and {len(other.ids)} there, {len(missing)} of which are not there{shown}",
            remedy="evaluate both on one set",
        )
    places = [at[name] for name in one.ids]
    for name, true, place in zip(one.ids, one.true, places, strict=True):
        if other.true[place] != true:
            raise DataError(
                f"the example {name} is of class {true} here and {other.true[place]} there",
                remedy="evaluate both with one set of labels",
            )
    return places


def _paired(right: NDArray[np.bool_], right_other: NDArray[np.bool_]) -> dict[str, Any]:
    """Return both accuracies, on how many examples one alone is right, and McNemar's p."""
    gained, lost = int((right & ~right_other).sum()), int((~right & right_other).sum())
    found = mcnemar_p(gained, lost)
    return {
        "accuracy": float(right.mean()),
        "accuracy_other": float(right_other.mean()),
        "only_this_right": gained,
        "only_other_right": lost,
        "mcnemar_p": 1.0 if found is None else found[0],
    }


def _bounds(values: Floats) -> dict[str, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return {"ci95_low": float(low), "ci95_high": float(high)}


def _by_class(true: Sequence[str], right: NDArray[np.bool_], right_other: NDArray[np.bool_]) -> dict[str, Any]:
    classes = np.asarray(true)
    found: dict[str, Any] = {}
    for name in sorted(set(true)):
        of = classes == name
        found[name] = {"n": int(of.sum()), **_paired(right[of], right_other[of])}
    for row, adjusted in zip(found.values(), holm([row["mcnemar_p"] for row in found.values()]), strict=True):
        row["mcnemar_p_holm"] = adjusted
    return found


def _paired_scores(
    one: Predictions,
    other: Predictions,
    places: list[int],
    right: NDArray[np.bool_],
    right_other: NDArray[np.bool_],
    bins: int,
) -> dict[str, tuple[Floats, Floats]]:
    """Return what is resampled: terms of a mean, or of the calibration error by bin, for each model."""
    found = {}
    if one.of_true is not None and other.of_true is not None:
        least = 5e-7  # scores are written with six decimals
        losses = (-np.log(np.maximum(scores, least)) for scores in (one.of_true, other.of_true[places]))
        found["loss"] = tuple(values[:, np.newaxis] for values in losses)
    if one.confidence is not None and other.confidence is not None:
        found["ece"] = (
            _gaps(one.confidence, right, bins),
            _gaps(other.confidence[places], right_other, bins),
        )
    return found  # type: ignore[return-value]


def _gaps(confidence: Floats, right: NDArray[np.bool_], bins: int) -> Floats:
    """Return right − confidence in the column of its bin, shape (n, bins)."""
    values = np.zeros((len(confidence), bins))
    index = np.clip((confidence * bins).astype(int), 0, bins - 1)
    values[np.arange(len(confidence)), index] = right - confidence
    return values


def _difference(one: Floats, other: Floats, *, resamples: int, rng: np.random.Generator) -> dict[str, float]:
    """Return the sum over columns of |mean| of both, and the difference with the interval of the paired bootstrap."""
    n = len(one)
    both = np.hstack([one, other])
    split = one.shape[1]

    def of(means: Floats) -> Floats:
        return np.asarray(np.abs(means[:, :split]).sum(axis=1) - np.abs(means[:, split:]).sum(axis=1))

    drawn = []
    step = max(1, _CELLS // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        indices = rng.integers(0, n, (size, n)) + np.arange(size)[:, np.newaxis] * n
        counts = np.bincount(indices.ravel(), minlength=size * n).reshape(size, n)
        drawn.append(of(counts @ both / n))
    means = both.mean(axis=0, keepdims=True)
    return {
        "this": float(np.abs(means[0, :split]).sum()),
        "other": float(np.abs(means[0, split:]).sum()),
        "difference": float(of(means)[0]),
        **_bounds(np.concatenate(drawn)),
    }


def _parted(
    one: Predictions,
    other: Predictions,
    places: list[int],
    right: NDArray[np.bool_],
    right_other: NDArray[np.bool_],
) -> list[list[Any]]:
    rows = []
    for at in np.flatnonzero(right != right_other).tolist():
        place = places[at]
        sure = None if one.confidence is None else float(one.confidence[at])
        sure_other = None if other.confidence is None else float(other.confidence[place])
        wrong = (sure_other if right[at] else sure) or 0.0
        rows.append((-wrong, [one.ids[at], one.true[at], one.predicted[at], other.predicted[place], sure, sure_other]))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def write_comparison(folder: Path, comparison: Comparison, *, signatures: Sequence[str | None]) -> None:
    """Write against.json, and against.csv with the examples on which the two part."""
    write_json(folder / AGAINST_FILE, {**comparison.record, "signatures": list(signatures)})
    header = ["id", "true_label", "predicted_label", "predicted_by_other", "confidence", "confidence_of_other"]
    write_text(folder / PARTED_FILE, write_csv(header, comparison.parted))


_ON_A_SHEET = 40


def contact_sheet(path: Path, comparison: Comparison, images: Path) -> int:
    """Draw images on which the two part, each with its true class and both predictions; return how many.

    Of many these are the first, on which the wrong model is surest.

    Args:
        path: of the PNG.
        comparison: whose ids are paths within the folder.
        images: the folder.

    Raises:
        DataError: an image cannot be read.
    """
    cells = []
    for name, true, guess, other, *_ in comparison.parted[:_ON_A_SHEET]:
        answers = (("this:", guess), ("other:", other))
        said = [(f"{who} {what}", "darkgreen" if what == true else "darkred") for who, what in answers]
        cells.append((open_image(images / name), (name, f"is {true}", *said)))
    if cells:
        write_bytes(path, drawn_sheet(cells))
    return len(cells)
