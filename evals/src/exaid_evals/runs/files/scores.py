"""Scores of predictions by columns: in memory while they are few, else in a temporary file."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from exaid_evals.runs.files.score_fit import fits_by_position, positive_class

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
