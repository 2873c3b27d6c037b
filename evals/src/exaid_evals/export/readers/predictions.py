"""`val_predictions.csv`: counted and digested in one pass, in memory that does not grow with the scores.

Counts need a cell per pair of classes. The area under the ROC curve needs every score, one class at a time: scores are
held up to 64 MiB, and above that they lie in an unnamed temporary file, as columns. What remains are two class
codes of four bytes an item, and one column of scores while its area is computed.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exaid_evals.errors import DataError
from exaid_evals.export.base import Predictions
from exaid_evals.export.readers import classification
from exaid_evals.export.readers.delimited import Block, Delimited, number, open_delimited
from exaid_evals.export.readers.scores import Scores, in_order, parsed_rows

SORTED_IDS_AT_MOST = 200_000
"""Up to so many ids are digested in sorted order, so that shuffled validation sets are the same set."""

_ID = ("id", "image_id", "sample_id", "case_id", "item_id", "image", "filename", "file", "path", "name", "uid", "index")
_TRUE = ("true", "y_true", "true_label", "label_true", "label", "target", "gt", "ground_truth", "actual")
_PREDICTED = ("pred", "y_pred", "predicted", "pred_label", "predicted_label", "label_pred", "prediction")
_SCORE = re.compile(
    r"^(?:prob|proba|probability|score|scores|softmax|logit|p|y_score|y_prob)(?:[_\-. ](?P<of>.+))?$", re.I
)


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
        areas = []
        for name, column in columns:
            scores = self._scores.column(column)
            positive = self._codes == self.classes.index(name)
            if scikit_learn and not self._scores.spooled:
                areas.append(classification.area_by_scikit_learn(positive, scores))
            else:
                areas.append(classification.area_under_roc(scores[positive], scores[~positive]))
            if areas[-1] is None:
                self.warnings.append(f"class {name} is that of none or all of the items, so that auc_ovr is undefined")
                return None
        defined = [area for area in areas if area is not None]
        return sum(defined) / len(defined) if defined else None

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
    layout = _Layout.of(file)
    pass_ = _Pass(layout, file)
    for block in file.blocks():
        pass_.take(block)
    return pass_.finished()


@dataclass
class _Layout:
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

    @classmethod
    def of(cls, file: Delimited) -> _Layout:
        columns = [name.lower().replace(" ", "_") for name in file.columns]

        def find(names: Sequence[str]) -> int | None:
            return next((columns.index(name) for name in names if name in columns), None)

        predicted, true, item = find(_PREDICTED), find(_TRUE), find(_ID)
        if true is None or predicted is None:
            lacking = " or ".join(
                name for name, index in (("true label", true), ("predicted label", predicted)) if index is None
            )
            raise DataError(
                f"has no column of the {lacking}",
                where=f"{file.path}:1",
                remedy=f"name the columns {_TRUE[1]} and {_PREDICTED[1]}; there are {', '.join(file.columns)[:120]}",
            )
        found: dict[str, int] = {}
        for index, name in enumerate(file.columns):
            match = _SCORE.match(name)
            if match and index not in (item, true, predicted):
                found.setdefault(match["of"] or "", index)
        return cls(item, true, predicted, list(found.values()), list(found))

    @property
    def scores_end_the_row(self) -> bool:
        """Whether the scores are the last columns, so that they can be parsed as one text."""
        first = self.scores[0]
        return (
            self.scores == list(range(first, first + len(self.scores)))
            and max(self.true, self.predicted, self.item or 0) < first
        )


class _Pass:
    """One pass over the rows."""

    def __init__(self, layout: _Layout, file: Delimited) -> None:
        self._layout = layout
        self._file = file
        self._width = len(file.columns)
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
        """Count a block's rows."""
        if block.lines is not None:
            rows, tails = self._split(block)
        else:
            rows, tails = [row for row in block.rows or () if row], None
        if tails is None and any(len(row) != self._width for row in rows):
            offset, cells = next((at, len(row)) for at, row in enumerate(rows) if len(row) != self._width)
            raise self._file.error(f"{cells} cells, where the header has {self._width}", _line(block, offset))
        if rows:
            self._count(rows, block)
            self._take_scores(rows, tails, block)

    def _split(self, block: Block) -> tuple[list[list[str]], list[str] | None]:
        """Split lines into cells; where the scores end the row, they stay together, as the second result."""
        delimiter, layout = self._file.delimiter, self._layout
        lines = [line for line in block.lines or () if line]
        if not (layout.scores and layout.scores_end_the_row):
            return [line.split(delimiter) for line in lines], None
        first = layout.scores[0]
        n_delimiters = self._width - 1
        if any(line.count(delimiter) != n_delimiters for line in lines):
            offset, cells = next(
                (at, line.count(delimiter) + 1)
                for at, line in enumerate(lines)
                if line.count(delimiter) != n_delimiters
            )
            raise self._file.error(f"{cells} cells, where the header has {self._width}", _line(block, offset))
        rows = [line.split(delimiter, first) for line in lines]
        return rows, [row[first] for row in rows]

    def _count(self, rows: list[list[str]], block: Block) -> None:
        layout = self._layout
        columns = list(zip(*rows, strict=True))
        trues = list(map(str.strip, columns[layout.true]))
        guesses = list(map(str.strip, columns[layout.predicted]))
        if "" in trues or "" in guesses:
            offset = next(at for at, pair in enumerate(zip(trues, guesses, strict=True)) if "" in pair)
            raise self._file.error(
                "a row without a true or predicted label", _line(block, offset), "complete or remove it"
            )
        self._n += len(rows)
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

    def _take_ids(self, ids: list[str]) -> None:
        self._items.update(_lines(ids))
        if self._ids is not None:
            self._ids += ids
            if len(self._ids) > SORTED_IDS_AT_MOST:
                self._ids = None

    def _take_scores(self, rows: list[list[str]], tails: list[str] | None, block: Block) -> None:
        if self._scores is None:
            return
        n_columns = len(self._layout.scores)
        values = None
        if tails is not None and n_columns == self._width - self._layout.scores[0]:
            values = parsed_rows(tails, self._file.delimiter, n_columns)
        if values is None:
            first = self._layout.scores[0]
            cells = rows if tails is None else [[*row[:first], *row[first].split(self._file.delimiter)] for row in rows]
            values = self._carefully(cells, block)
        self._scores.add(values)

    def _carefully(self, rows: list[list[str]], block: Block) -> NDArray[np.float64]:
        values = np.empty((len(rows), len(self._layout.scores)))
        for offset, row in enumerate(rows):
            for column, index in enumerate(self._layout.scores):
                try:
                    values[offset, column] = number(row[index])
                except ValueError as error:
                    raise self._file.error(str(error), _line(block, offset)) from None
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


def _line(block: Block, offset: int) -> int:
    """Return the number in the file of a block's row, empty lines between not counted among the rows."""
    held = block.lines if block.lines is not None else block.rows or []
    return block.line + [at for at, one in enumerate(held) if one][offset]


def _lines(texts: list[str]) -> bytes:
    return ("\n".join(texts) + "\n").encode("utf-8", "surrogatepass")
