"""Which class scores are of, found out from how they go together with the predicted labels.

A header that does not name its classes leaves two guesses: a lone column may be of either of two classes, or be the
confidence in whatever was predicted; numbered columns may stand in any order of the classes. A wrong guess turns the
area under the ROC curve over without a trace, so that nothing is computed where the predicted labels do not settle it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from exaid_evals.runs.files.classification import area_under_roc

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
    """Tell whether numbered columns stand in the order of the sorted classes; warn where they do not.

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
