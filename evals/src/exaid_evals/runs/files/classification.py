"""Metrics of classification from a confusion matrix, whatever the number of predictions, and scores by columns.

`from_counts` has the closed forms, which are fast enough to check what 10,000 runs report; `by_scikit_learn` has
scikit-learn compute what a run lacks, from the same counts as sample weights. The tests hold one against the other.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from exaid_evals.runs.files.reported import ACCURACY, BALANCED, KAPPA, MACRO_F1, PER_CLASS

Counts = NDArray[np.float64]


def from_counts(counts: Counts) -> dict[str, float | None]:
    """Return the standard metrics that need no scores; None where undefined.

    Args:
        counts: shape (K, K), how many items of the true class (row) were predicted as a class (column); classes in
            their order, which the quadratic weights of kappa depend on.

    accuracy = Σ cᵢᵢ / n; balanced accuracy is the mean recall r over the C classes that occur, adjusted for chance as
    (r − 1/C) / (1 − 1/C); Cohen's kappa with quadratic weights is 1 − Σ (i−j)² cᵢⱼ / Σ (i−j)² eᵢⱼ with
    eᵢⱼ = (row sum i · column sum j) / n (Cohen 1968); macro F1 is the mean of 2 tp / (2 tp + fp + fn).
    """
    # In plain numbers: what NumPy's calls cost would be most of it for the few classes that there are.
    rows = counts.tolist()
    observed = sum([(i - j) ** 2 * count for i, row in enumerate(rows) for j, count in enumerate(row) if count])
    return from_margins(*_margins(rows), observed)


def from_margins(
    right: list[float], truly: list[float], predicted: list[float], observed: float
) -> dict[str, float | None]:
    """Return what `from_counts` does, from its sums: of a matrix of very many classes there is no more.

    Args:
        right: by class, how many items of it were predicted as it.
        truly: by class, how many items are of it; every class occurs here or in `predicted`.
        predicted: by class, how many items were predicted as it.
        observed: Σ (i − j)² cᵢⱼ.
    """
    n = sum(truly)
    recalls = [tp / of for tp, of in zip(right, truly, strict=True) if of]
    chance = 1 / len(recalls)
    expected = _expected_disagreement(truly, predicted) / n
    # Every class of the matrix occurs on one of the sides, so no denominator is 0.
    f1 = [2 * tp / (of + as_) for tp, of, as_ in zip(right, truly, predicted, strict=True)]
    return {
        ACCURACY: sum(right) / n,
        BALANCED: (sum(recalls) / len(recalls) - chance) / (1 - chance) if len(recalls) > 1 else None,
        KAPPA: 1 - observed / expected if expected else None,
        MACRO_F1: sum(f1) / len(f1),
    }


def kappa_with(counts: Counts, weights: str) -> float | None:
    """Return Cohen's kappa: 1 − Σ wᵢⱼ cᵢⱼ / Σ wᵢⱼ eᵢⱼ with w of the distance of classes; None where undefined.

    Args:
        counts: shape (K, K), true × predicted.
        weights: `none` (every confusion counts the same), `linear` or `quadratic`.
    """
    distance = np.abs(np.subtract.outer(np.arange(len(counts)), np.arange(len(counts)))).astype(np.float64)
    of_pairs = {"none": np.minimum(distance, 1.0), "linear": distance, "quadratic": distance**2}[weights]
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    below = float((of_pairs * expected).sum())
    return 1 - float((of_pairs * counts).sum()) / below if below else None


def _margins(rows: list[list[float]]) -> tuple[list[float], list[float], list[float]]:
    """Return what is right of each class, how many items are of it, and how many were predicted as it."""
    right = [row[index] for index, row in enumerate(rows)]
    return right, list(map(sum, rows)), list(map(sum, zip(*rows, strict=True)))


def _expected_disagreement(truly: list[float], predicted: list[float]) -> float:
    """Return Σ (i − j)² tᵢ pⱼ = Σ i² tᵢ · Σ pⱼ − 2 Σ i tᵢ · Σ j pⱼ + Σ tᵢ · Σ j² pⱼ."""
    sums = [
        [sum([at**power * one for at, one in enumerate(margin)]) for power in (0, 1, 2)]
        for margin in (truly, predicted)
    ]
    (t0, t1, t2), (p0, p1, p2) = sums
    return t2 * p0 - 2 * t1 * p1 + t0 * p2


def per_class_from_counts(counts: Counts) -> dict[str, list[float | None]]:
    """Return precision, recall and F1 of each class.

    Precision is undefined for a class that is never predicted, recall for one that never occurs.
    """
    return per_class_from_margins(*_margins(counts.tolist()))


def per_class_from_margins(
    right: list[float], truly: list[float], predicted: list[float]
) -> dict[str, list[float | None]]:
    """Return what `per_class_from_counts` does, from the sums that `from_margins` takes."""
    return {
        "precision": _ratios(right, predicted),
        "recall": _ratios(right, truly),
        "f1": _ratios([2 * one for one in right], [of + as_ for of, as_ in zip(truly, predicted, strict=True)]),
    }


def by_scikit_learn(counts: Counts, wanted: Iterable[str]) -> dict[str, float | None]:
    """Have scikit-learn compute metrics, each cell of the matrix an item with its count for a weight."""
    from sklearn import metrics

    true, predicted = np.nonzero(counts)
    given: dict[str, Any] = {"sample_weight": counts[true, predicted]}
    n_true, n_any = len(np.unique(true)), len(np.union1d(true, predicted))
    compute: dict[str, Callable[[], float] | None] = {
        ACCURACY: lambda: metrics.accuracy_score(true, predicted, **given),
        # Of a single class chance is 1, and there is nothing to adjust for, or to weigh.
        BALANCED: (lambda: metrics.balanced_accuracy_score(true, predicted, adjusted=True, **given))
        if n_true > 1
        else None,
        KAPPA: (lambda: metrics.cohen_kappa_score(true, predicted, weights="quadratic", **given))
        if n_any > 1
        else None,
        MACRO_F1: lambda: metrics.f1_score(true, predicted, average="macro", zero_division=0, **given),
    }
    with warnings.catch_warnings():  # that a class is predicted and never occurs shows in its recall
        warnings.simplefilter("ignore", UserWarning)
        return {name: float(work()) if (work := compute[name]) else None for name in wanted}


def per_class_by_scikit_learn(counts: Counts) -> dict[str, list[float | None]]:
    """Have scikit-learn compute precision, recall and F1 of each class."""
    from sklearn import metrics

    true, predicted = np.nonzero(counts)
    values = metrics.precision_recall_fscore_support(
        true, predicted, labels=np.arange(len(counts)), sample_weight=counts[true, predicted], zero_division=np.nan
    )
    return {
        name: [None if np.isnan(value) else float(value) for value in column]
        for name, column in zip(PER_CLASS, values[:3], strict=True)
    }


def area_under_roc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float | None:
    """Return the probability that a positive item scores above a negative one, ties counted half (Mann-Whitney).

    Args:
        positive: scores of the items of the class, shape (n,).
        negative: scores of all others, shape (m,); sorted in place.
    """
    if not positive.size or not negative.size:
        return None
    negative.sort()
    twice = negative.searchsorted(positive, "left") + negative.searchsorted(positive, "right")
    return int(twice.sum()) / 2 / positive.size / negative.size


def area_by_scikit_learn(is_positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float | None:
    """Have scikit-learn compute the area under the ROC curve of one class against the rest."""
    from sklearn.metrics import roc_auc_score

    if is_positive.all() or not is_positive.any():
        return None
    return float(roc_auc_score(is_positive, scores))


def as_records(classes: Iterable[str], columns: Mapping[str, list[float | None]]) -> dict[str, dict[str, float | None]]:
    """Turn columns over classes into class → name → value."""
    return {name: {key: column[index] for key, column in columns.items()} for index, name in enumerate(classes)}


def _ratios(above: Sequence[float], below: Sequence[float]) -> list[float | None]:
    return [a / b if b else None for a, b in zip(above, below, strict=True)]


IN_MEMORY_BYTES = 64 * 1024 * 1024


class Scores:
    """Scores by columns: in memory while they are few, else in a temporary file."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._blocks: list[NDArray[np.float64]] = []
        self._held = 0
        self._file: BinaryIO | None = None
        self._rows: list[int] = []
        self._hash = hashlib.sha256()
        self.n_undefined = 0

    @property
    def spooled(self) -> bool:
        """Whether the scores lie in a file."""
        return self._file is not None

    def add(self, block: NDArray[np.float64]) -> None:
        """Take rows of scores, shape (n, columns)."""
        self._hash.update(np.ascontiguousarray(block).tobytes())
        if np.isnan(block.sum()):  # some score is, or infinities of both signs are
            self.n_undefined += int(np.isnan(block).sum())
        self._blocks.append(block)
        self._held += block.nbytes
        if self._held > IN_MEMORY_BYTES or self._file is not None:
            self._spool()

    def _spool(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="exaid-scores-")  # noqa: SIM115 - lives until close
        for block in self._blocks:
            self._rows.append(len(block))
            self._file.write(block.T.tobytes())
        self._blocks, self._held = [], 0

    def column(self, index: int) -> NDArray[np.float64]:
        """Return one column, shape (n,)."""
        if self._file is None:
            columns = [block[:, index] for block in self._blocks]
            return columns[0] if len(columns) == 1 else np.concatenate(columns)
        self._file.flush()
        values = np.empty(sum(self._rows))
        at = offset = 0
        for n in self._rows:
            self._file.seek(8 * (offset + index * n))
            values[at : at + n] = np.frombuffer(self._file.read(8 * n))
            at += n
            offset += n * len(self._names)
        return values

    def columns_of(
        self, classes: list[str], predicted: NDArray[np.int32], warnings: list[str]
    ) -> list[tuple[str, int]]:
        """Return each class with the index of its scores; nothing, with a warning, where they do not fit.

        Args:
            classes: in their order.
            predicted: index of each item's predicted class, which settles what the header leaves open.
            warnings: is appended to.
        """
        if self._names == [""]:
            if len(classes) != 2:
                warnings.append(f"one column of scores for {len(classes)} classes, so that auc_ovr is not computed")
                return []
            positive = positive_class(self.column(0), predicted, warnings)
            return [] if positive is None else [(classes[positive], 0)]
        named = [_class_of(name, classes) for name in self._names]
        if set(named) != set(classes):
            # Numbered columns are meant by position: prob_0 … for classes in their order.
            if len(named) != len(classes) or in_order(self._names) != [str(index) for index in range(len(classes))]:
                warnings.append(
                    f"scores of {', '.join(self._names)[:80]} for classes {', '.join(classes)[:80]}, "
                    "so that auc_ovr is not computed"
                )
                return []
            order = [self._names.index(str(index)) for index in range(len(classes))]
            if not fits_by_position(self.column, order, predicted, warnings):
                return []
            named = [classes[int(name)] for name in self._names]
        pairs = [(name, index) for index, name in enumerate(named) if name is not None]
        # Of two classes one against the rest is the other against the rest: once is enough, and exact.
        return [pair for pair in pairs if pair[0] == classes[1]] if len(classes) == 2 else pairs

    def digest(self) -> bytes:
        """Return the digest of all scores in order."""
        return self._hash.digest()

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()


def in_order(labels: Iterable[str]) -> list[str]:
    """Sort classes: by number where all are numbers, else as text.

    >>> in_order(["10", "9"]), in_order(["10", "9", "a"])
    (['9', '10'], ['10', '9', 'a'])
    """
    labels = list(labels)
    try:
        return sorted(labels, key=lambda label: (float(label), label))
    except ValueError:
        return sorted(labels)


def _class_of(name: str, classes: list[str]) -> str | None:
    if name in classes:
        return name
    stripped = re.sub(r"^(class|label|c)[_\-. ]?", "", name, flags=re.I)
    return stripped if stripped in classes else None


CLEAR_AREA = 0.9
"""Predictions by any threshold make 1; what is lower than this was not predicted from these scores alone."""
LEAST_CONFIDENCE = 0.5
"""The probability of the likelier of two classes is at least this."""


def positive_class(scores: NDArray[np.float64], predicted: NDArray[np.int32], warnings: list[str]) -> int | None:
    """Return which of two classes a lone column of scores is of; None, with a warning, where that is not clear.

    Args:
        scores: of each item, shape (n,).
        predicted: index of each item's predicted class (0 or 1), shape (n,).
        warnings: is appended to.
    """
    second = predicted == 1
    low, high = scores[~second], scores[second]
    if not low.size or not high.size:
        warnings.append(
            "the column of scores is of one of two classes, and all items are predicted as the same class, so that "
            "nothing says of which; auc_ovr is not computed: name the column prob_<class>, one for each class"
        )
        return None
    in_unit = scores.min() >= 0 and scores.max() <= 1
    if in_unit and min(low.min(), high.min()) >= LEAST_CONFIDENCE:
        warnings.append(
            f"the column of scores is never under {LEAST_CONFIDENCE:g}, whichever class is predicted: it looks like "
            "the confidence in the predicted class, which is the score of no class; auc_ovr is not computed: write "
            "prob_<class>, one for each class"
        )
        return None
    area = area_under_roc(high, low)
    if area is None or 1 - CLEAR_AREA < area < CLEAR_AREA:
        warnings.append(
            "the column of scores is of one of two classes, and the predicted labels do not go with it either way, so "
            "that nothing says of which; auc_ovr is not computed: name the column prob_<class>, one for each class"
        )
        return None
    return 1 if area >= CLEAR_AREA else 0


def fits_by_position(
    column: Callable[[int], NDArray[np.float64]],
    order: Sequence[int],
    predicted: NDArray[np.int32],
    warnings: list[str],
) -> bool:
    """Return whether numbered columns stand in the order of the sorted classes; warn where they do not.

    They do where the column of the highest score is that of the predicted class for most items, and no predicted class
    has its highest scores more often in another column.

    Args:
        column: index of a column → its scores, shape (n,); one column is held at a time.
        order: index of the column of each class.
        predicted: index of each item's predicted class, shape (n,).
        warnings: is appended to.
    """
    best = column(order[0])
    highest = np.zeros(len(best), dtype=np.int32)
    for index, at in enumerate(order[1:], start=1):
        scores = column(at)
        better = scores > best
        highest[better] = index
        best = np.maximum(best, scores)
    n = len(order)
    counts = np.bincount(predicted.astype(np.int64) * n + highest, minlength=n * n).reshape(n, n)
    agreeing = int(counts.trace())
    elsewhere = (counts.max(axis=1) > counts.diagonal()).any()
    if 2 * agreeing > len(best) and not elsewhere:
        return True
    warnings.append(
        f"numbered columns of scores were taken in the order of the sorted classes, and then the highest score is that "
        f"of the predicted class for {agreeing} of {len(best)} items alone: they stand in another order, so that "
        "auc_ovr is not computed; the columns' names must carry the classes' (prob_<class>)"
    )
    return False
