"""`val_predictions.csv`: counted and digested in one pass, in memory that does not grow with the scores.

Counts need a cell per pair of classes. The area under the ROC curve needs every score, one class at a time: scores are
held up to 64 MiB, and above that they lie in an unnamed temporary file, as columns. What remains are two class
codes of four bytes an item, and one column of scores while its area is computed.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Predictions
from exaid_evals.runs.files import classification
from exaid_evals.runs.files.classification import Scores, in_order
from exaid_evals.runs.files.delimited import Block, Delimited, line_of, number, numbers, open_delimited

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
        scores, codes, predicted = self._scores, self._codes, self._predicted
        if scores is None or codes is None or predicted is None:
            return None
        if scores.n_undefined:
            self.warnings.append(f"{scores.n_undefined} scores are undefined, so that auc_ovr is not computed")
            return None
        areas: list[float] = []
        for name, column in scores.columns_of(self.classes, predicted, self.warnings):
            of_class, positive = scores.column(column), codes == self.classes.index(name)
            area = (
                classification.area_by_scikit_learn(positive, of_class)
                if scikit_learn and not scores.spooled
                else classification.area_under_roc(of_class[positive], of_class[~positive])
            )
            if area is None:
                self.warnings.append(f"class {name} is that of none or all of the items, so that auc_ovr is undefined")
                return None
            areas.append(area)
        return sum(areas) / len(areas) if areas else None

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
        self._pairs: Counter[tuple[int, int]] = Counter()
        self._ids: list[str] | None = [] if layout.item is not None else None
        self._items = hashlib.sha256()
        self._predicted = hashlib.sha256()
        self._code_of: dict[str, int] = {}
        self._codes: list[NDArray[np.int32]] = []
        self._guessed: list[NDArray[np.int32]] = []
        self._scores = Scores(layout.score_names) if layout.scores else None
        self._n = 0

    def take(self, block: Block) -> None:
        """Count a block's rows.

        Raises:
            DataError: a row is cut, has no label, or a score that is not a number.
        """
        layout = self._layout
        columns, scores = self._split(block)
        if not columns[0]:
            return
        trues = list(map(str.strip, columns[layout.true]))
        guesses = list(map(str.strip, columns[layout.predicted]))
        if "" in trues or "" in guesses:
            offset = next(at for at, pair in enumerate(zip(trues, guesses, strict=True)) if "" in pair)
            what = "a row without a true or predicted label"
            raise self._file.error(what, line_of(block, offset), "complete or remove it")
        self._n += len(trues)
        self._predicted.update(_lines(guesses))
        if layout.item is None:
            self._items.update(_lines(trues))
        else:
            self._take_ids(list(map(str.strip, columns[layout.item])))
        code_of = self._code_of
        for label in dict.fromkeys([*trues, *guesses]):
            code_of.setdefault(label, len(code_of))
        true_codes, guess_codes = list(map(code_of.__getitem__, trues)), list(map(code_of.__getitem__, guesses))
        self._pairs.update(zip(true_codes, guess_codes, strict=True))
        if self._scores is not None:
            self._codes.append(np.array(true_codes, dtype=np.int32))
            self._guessed.append(np.array(guess_codes, dtype=np.int32))
            if scores is None:
                of_columns = [self._numbers(columns[index], block) for index in layout.scores]
                scores = np.array(of_columns, dtype=np.float64).T
            self._scores.add(scores)

    def _split(self, block: Block) -> tuple[list[Sequence[str]], NDArray[np.float64] | None]:
        """Return a block's cells by column, and the scores, shape (n, columns), where they could be read at once."""
        n_scores = len(self._layout.scores)
        if self._layout.scores_are_last(len(self._file.columns)):
            split = self._file.split_before_numbers(block, n_scores)
            if split is not None:
                columns, values = split
                return columns, np.array(values, dtype=np.float64).reshape(-1, n_scores)
        return self._file.split(block), None

    def _take_ids(self, ids: list[str]) -> None:
        self._items.update(_lines(ids))
        if self._ids is not None:
            self._ids += ids
            if len(self._ids) > SORTED_IDS_AT_MOST:
                self._ids = None

    def _numbers(self, cells: Sequence[str], block: Block) -> list[float]:
        """Return a column of scores; NaN for what is undefined."""
        delimiter = self._file.delimiter
        with contextlib.suppress(ValueError):  # a cell that is not a number as Python writes it
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
            raise DataError("holds no prediction", where=str(self._file.path), remedy="write or copy it again")
        warnings = list(self._file.warnings)
        whole = _whole_numbers(self._code_of)
        classes = in_order(dict.fromkeys(whole.values()))
        position = {name: index for index, name in enumerate(classes)}
        # Codes were given in order of appearance, and two spellings of a number are one class.
        places = [position[whole[label]] for label in self._code_of]
        cells = [[0.0] * len(classes) for _ in classes]
        for (true, guess), count in self._pairs.items():
            cells[places[true]][places[guess]] += count
        support = {name: int(sum(row)) for name, row in zip(classes, cells, strict=True)}
        if self._ids is not None and (n_again := len(self._ids) - len(set(self._ids))):
            warnings.append(f"{n_again} ids stand more than once in the predictions")
        if self._scores is not None:
            self._predicted.update(self._scores.digest())
        summary = Predictions(self._n, support, self._items_digest(), f"sha256:{self._predicted.hexdigest()}")
        codes = guessed = None
        if self._codes:
            places_of = np.array(places, dtype=np.int32)
            codes, guessed = places_of[_joined(self._codes)], places_of[_joined(self._guessed)]
        return Counted(classes, np.array(cells), summary, warnings, self._scores, codes, guessed)

    def _items_digest(self) -> str:
        if self._layout.item is None:
            return f"labels:{self._items.hexdigest()}"
        if self._ids is None:
            return f"ids-in-order:{self._items.hexdigest()}"
        return f"ids:{hashlib.sha256(_lines(sorted(self._ids))).hexdigest()}"


def _whole_numbers(labels: Iterable[str]) -> dict[str, str]:
    """Return label → class: `1` for the `1.0` that data frames make of whole numbers; only if all are whole numbers."""
    as_written = {label: label for label in labels}
    if all(map(str.isdigit, as_written)):
        return as_written
    try:
        values = {label: number(label) for label in as_written}
    except ValueError:
        return as_written
    if not all(value.is_integer() for value in values.values()):
        return as_written
    return {label: str(int(value)) for label, value in values.items()}


def _joined(blocks: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _lines(texts: list[str]) -> bytes:
    return ("\n".join(texts) + "\n").encode("utf-8", "surrogatepass")


_ID = ("id", "image_id", "sample_id", "case_id", "item_id", "image", "filename", "file", "path", "name", "uid", "index")
_TRUE = ("true", "y_true", "true_label", "label_true", "label", "target", "gt", "ground_truth", "actual")
_PREDICTED = ("pred", "y_pred", "predicted", "pred_label", "predicted_label", "label_pred", "prediction")
_SCORE = re.compile(
    r"^(?:prob|proba|probability|score|scores|softmax|logit|p|y_score|y_prob)(?:[_\-. ](?P<of>.+))?$", re.I
)


@dataclass
class Layout:
    """Which column is which.

    Attributes:
        item: index of the ids; None without.
        true, predicted: indices of the labels.
        scores: indices of the scores.
        score_names: what the scores are of, as the header says; empty for a lone column of scores.
    """

    item: int | None
    true: int
    predicted: int
    scores: list[int]
    score_names: list[str]

    def scores_are_last(self, width: int) -> bool:
        """Return whether the scores, of all of that many columns, are the last ones, in order."""
        n = len(self.scores)
        return 0 < n < width and self.scores == [*range(width - n, width)]

    @classmethod
    def of(cls, file: Delimited) -> Layout:
        """Find the columns.

        Raises:
            DataError: there is none of the true or of the predicted label.
        """
        item, true, predicted, scores = _find(tuple(file.columns))
        if true is None or predicted is None:
            lacking = " or ".join(
                name for name, index in (("true label", true), ("predicted label", predicted)) if index is None
            )
            raise DataError(
                f"has no column of the {lacking}",
                where=f"{file.path}:1",
                remedy=f"name the columns {_TRUE[1]} and {_PREDICTED[1]}; there are {', '.join(file.columns)[:120]}",
            )
        return cls(item, true, predicted, list(scores.values()), list(scores))


@lru_cache(maxsize=64)
def _find(written: tuple[str, ...]) -> tuple[int | None, int | None, int | None, Mapping[str, int]]:
    """Return the indices of id, true and predicted label (None without one), and of the scores by their names."""
    columns = [name.lower().replace(" ", "_") for name in written]

    def first(names: Sequence[str]) -> int | None:
        return next((columns.index(name) for name in names if name in columns), None)

    labels = first(_ID), first(_TRUE), first(_PREDICTED)
    scores: dict[str, int] = {}
    for index, name in enumerate(written):
        match = _SCORE.match(name)
        if match and index not in labels:
            scores.setdefault(match["of"] or "", index)
    return *labels, scores
