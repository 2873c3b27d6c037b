"""Scores of predictions by columns: in memory while they are few, else in a temporary file."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from exaid_evals.runs.files.classification import area_under_roc

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
