"""Which column of `val_predictions.csv` is which, by the names that scripts give them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from exaid_evals.errors import DataError
from exaid_evals.runs.files.delimited import Delimited

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
        """Tell whether the scores, of all of that many columns, are the last ones, in order."""
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
