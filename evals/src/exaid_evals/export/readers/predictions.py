"""`val_predictions.csv`: counted and digested in one pass, in memory that does not grow with the scores.

Counts need a cell per pair of classes. The area under the ROC curve needs every score, one class at a time: scores are
held up to 64 MiB, and above that they lie in an unnamed temporary file, as columns. What remains are two class
codes of four bytes an item, and one column of scores while its area is computed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exaid_evals.errors import DataError
from exaid_evals.export.base import Predictions
from exaid_evals.export.readers import classification
from exaid_evals.export.readers.delimited import Block, Delimited, line_of, number, numbers, open_delimited
from exaid_evals.export.readers.prediction_columns import Layout
from exaid_evals.export.readers.scores import Scores, in_order

AT_ONCE_BYTES = 1 << 20
"""Up to so many bytes of scores the areas of all classes are taken at once, which needs some ten times as many."""
SORTED_IDS_AT_MOST = 200_000
"""Up to so many ids are digested in sorted order, so that shuffled validation sets are the same set."""


@dataclass
class Counted:
    """What predictions amount to.

    Attributes:
        classes: in order: by number where all are numbers, else as text.
        counts: true class × predicted class.
        summary: for comparing runs.
        warnings: what is odd, without the run's name.
    """

    classes: list[str]
    counts: NDArray[np.float64]
    summary: Predictions
    warnings: list[str]
    _scores: Scores | None = field(default=None, repr=False)
    _codes: NDArray[np.int32] | None = field(default=None, repr=False)
    _predicted: NDArray[np.int32] | None = field(default=None, repr=False)

    def area_ovr(self, *, scikit_learn: bool) -> float | None:
        """Return the mean over classes of the area under the ROC curve, each class against the rest.

        Of two classes with one column of scores it is the area of the class whose predictions score high. None where
        there are no scores, nothing settles which classes they are of, one of them is undefined, or a class does not
        occur.

        Args:
            scikit_learn: have scikit-learn compute it while the scores are in memory; above that, and without it,
                the same area comes from ranks.
        """
        if self._scores is None or self._codes is None or self._predicted is None:
            return None
        if self._scores.n_undefined:
            self.warnings.append(f"{self._scores.n_undefined} scores are undefined, so that auc_ovr is not computed")
            return None
        columns = self._scores.columns_of(self.classes, self._predicted, self.warnings)
        if not columns:
            return None
        areas = self._areas(columns, scikit_learn=scikit_learn)
        for (name, _), area in zip(columns, areas, strict=True):
            if area is None:
                self.warnings.append(f"class {name} is that of none or all of the items, so that auc_ovr is undefined")
                return None
        return sum(area for area in areas if area is not None) / len(areas)

    def _areas(self, columns: list[tuple[str, int]], *, scikit_learn: bool) -> list[float | None]:
        """Return the area of each class, given with the index of its scores."""
        assert self._scores is not None  # noqa: S101 - `area_ovr` looked
        assert self._codes is not None  # noqa: S101
        codes = [self.classes.index(name) for name, _ in columns]
        if not (scikit_learn or self._scores.spooled) and self._scores.n_bytes <= AT_ONCE_BYTES:
            is_positive = np.equal.outer(np.array(codes, dtype=np.int32), self._codes)
            return classification.areas_under_roc(is_positive, self._scores.rows([index for _, index in columns]))
        areas: list[float | None] = []
        for code, (_, column) in zip(codes, columns, strict=True):
            scores, positive = self._scores.column(column), self._codes == code
            if scikit_learn and not self._scores.spooled:
                areas.append(classification.area_by_scikit_learn(positive, scores))
            else:
                areas.append(classification.area_under_roc(scores[positive], scores[~positive]))
        return areas

    def close(self) -> None:
        """Let go of the scores."""
        if self._scores is not None:
            self._scores.close()


def count_predictions(path: Path) -> Counted:
    """Read a file of predictions.

    Raises:
        DataError: it lacks the true or predicted label, holds no row, or a row is cut or malformed.
    """
    file = open_delimited(path)
    layout = Layout.of(file)
    pass_ = _Pass(layout, file)
    for block in file.blocks():
        pass_.take(block)
    return pass_.finished()


class _Pass:
    """One pass over the rows."""

    def __init__(self, layout: Layout, file: Delimited) -> None:
        self._layout = layout
        self._file = file
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._ids: list[str] | None = [] if layout.item is not None else None
        self._items = hashlib.sha256()
        self._predicted = hashlib.sha256()
        self._code_of: dict[str, int] = {}
        self._codes: list[NDArray[np.int32]] = []
        self._guessed: list[NDArray[np.int32]] = []
        self._scores = Scores(layout.score_names) if layout.scores else None
        self._n_unlabelled = 0
        self._n = 0

    def take(self, block: Block) -> None:
        """Count a block's rows.

        Raises:
            DataError: a row is cut, has no label, or a score that is no number.
        """
        columns = self._file.split(block)
        if not columns[0]:
            return
        layout = self._layout
        trues = list(map(str.strip, columns[layout.true]))
        guesses = list(map(str.strip, columns[layout.predicted]))
        if "" in trues or "" in guesses:
            offset = next(at for at, pair in enumerate(zip(trues, guesses, strict=True)) if "" in pair)
            what = "a row without a true or predicted label"
            raise self._file.error(what, line_of(block, offset), "complete or remove it")
        self._n += len(trues)
        self._pairs.update(zip(trues, guesses, strict=True))
        self._predicted.update(_lines(guesses))
        if layout.item is None:
            self._items.update(_lines(trues))
        else:
            self._take_ids(list(map(str.strip, columns[layout.item])))
        if self._scores is not None:
            code_of = self._code_of
            for label in dict.fromkeys([*trues, *guesses]):
                code_of.setdefault(label, len(code_of))
            self._codes.append(np.array([code_of[true] for true in trues], dtype=np.int32))
            self._guessed.append(np.array([code_of[guess] for guess in guesses], dtype=np.int32))
            self._scores.add(
                np.array([self._numbers(columns[index], block) for index in layout.scores], dtype=np.float64).T
            )

    def _take_ids(self, ids: list[str]) -> None:
        self._items.update(_lines(ids))
        if self._ids is not None:
            self._ids += ids
            if len(self._ids) > SORTED_IDS_AT_MOST:
                self._ids = None

    def _numbers(self, cells: Sequence[str], block: Block) -> list[float]:
        """Return a column of scores; NaN for what is undefined."""
        delimiter = self._file.delimiter
        with contextlib.suppress(ValueError):  # a cell that is no number as Python writes it
            if delimiter == ";":  # then a comma stands before decimals
                return numbers(delimiter.join(cells).replace(",", ".").split(delimiter))
            return numbers(cells)
        values = []
        for offset, cell in enumerate(cells):
            try:
                values.append(number(cell))
            except ValueError as error:
                raise self._file.error(str(error), line_of(block, offset)) from None
        return values

    def finished(self) -> Counted:
        """Return what the rows amount to."""
        if not self._n:
            raise DataError("holds no prediction", where=str(self._file.path), remedy="write it again")
        warnings = list(self._file.warnings)
        whole = _whole_numbers(self._pairs)
        pairs: Counter[tuple[str, str]] = Counter()
        for (true, guess), count in self._pairs.items():
            pairs[whole.get(true, true), whole.get(guess, guess)] += count
        classes = in_order({label for pair in pairs for label in pair})
        position = {name: index for index, name in enumerate(classes)}
        counts = np.zeros((len(classes), len(classes)))
        for (true, guess), count in pairs.items():
            counts[position[true], position[guess]] = count
        support = {name: int(counts[index].sum()) for index, name in enumerate(classes)}
        if self._ids is not None and len(set(self._ids)) < len(self._ids):
            warnings.append(f"{len(self._ids) - len(set(self._ids))} ids stand more than once in the predictions")
        if self._scores is not None:
            self._predicted.update(self._scores.digest())
        summary = Predictions(self._n, support, self._items_digest(), f"sha256:{self._predicted.hexdigest()}")
        codes = guessed = None
        if self._codes:  # codes were given in order of appearance; two spellings of a number are one class
            places = np.array([position[whole.get(name, name)] for name in self._code_of], dtype=np.int32)
            codes, guessed = places[np.concatenate(self._codes)], places[np.concatenate(self._guessed)]
        return Counted(classes, counts, summary, warnings, self._scores, codes, guessed)

    def _items_digest(self) -> str:
        if self._layout.item is None:
            return f"labels:{self._items.hexdigest()}"
        if self._ids is None:
            return f"ids-in-order:{self._items.hexdigest()}"
        return f"ids:{hashlib.sha256(_lines(sorted(self._ids))).hexdigest()}"


def _whole_numbers(pairs: Counter[tuple[str, str]]) -> dict[str, str]:
    """Return label → label for `1.0` and the like, which data frames make of whole numbers; only if all are numbers."""
    labels = {label for pair in pairs for label in pair}
    if all(label.isdigit() for label in labels):
        return {}
    try:
        values = {label: number(label) for label in labels}
    except ValueError:
        return {}
    if not all(value.is_integer() for value in values.values()):
        return {}
    return {label: str(int(value)) for label, value in values.items()}


def _lines(texts: list[str]) -> bytes:
    return ("\n".join(texts) + "\n").encode("utf-8", "surrogatepass")
