"""Descriptive statistics of columns, with what is undefined left out and counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exaid_evals.stats.finite import finite

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Description:
    """Statistics of each column, each of shape (columns,); NaN where undefined.

    Attributes:
        n: number of defined values.
        mean: NaN where n is 0, or the sum overflows.
        sd: of the sample (ddof 1); NaN where n is below 2, or it overflows.
        median: the middle value, or the mean of the two middle ones.
        min: the least value.
        max: the greatest value.
    """

    n: NDArray[np.int64]
    mean: Floats
    sd: Floats
    median: Floats
    min: Floats
    max: Floats


def describe(values: Floats) -> Description:
    """Describe each column of a matrix.

    Sums are exact before their one rounding (`math.fsum`), so the result does not depend on the order of rows.

    Args:
        values: shape (n, columns); NaN marks what is undefined.

    >>> described = describe(np.array([[1.0, np.nan], [2.0, np.nan], [6.0, 5.0]]))
    >>> described.mean, described.n
    (array([3., 5.]), array([3, 1]))
    """
    rows = [_describe_column(column[~np.isnan(column)].tolist()) for column in values.T]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 6)
    return Description(table[:, 0].astype(np.int64), *table[:, 1:].T)


def _describe_column(column: list[float]) -> tuple[float, float, float, float, float, float]:
    n = len(column)
    if n == 0:
        return 0, math.nan, math.nan, math.nan, math.nan, math.nan
    ordered = sorted(column)
    mean = finite(lambda: math.fsum(column) / n)
    if mean is None:
        return n, math.nan, math.nan, math.nan, ordered[0], ordered[-1]
    sd = finite(lambda: math.sqrt(math.fsum((value - mean) ** 2 for value in column) / (n - 1))) if n > 1 else None
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return n, mean, math.nan if sd is None else sd, median, ordered[0], ordered[-1]
