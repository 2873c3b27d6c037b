"""Bootstrap intervals of accuracies from counts.

An example's top-k outcomes follow from the rank of its true class alone. Drawing n of n examples with replacement
therefore draws how many of them have each rank from a multinomial distribution, and a histogram of ranks stands for
all examples: the same bootstrap as over the examples themselves, in memory that does not grow with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exaid_evals.stats.bootstrap import percentile_intervals


def topk_intervals(
    ranks: NDArray[np.int64], ks: Sequence[int], *, resamples: int, rng: np.random.Generator
) -> list[tuple[float, float] | None]:
    """Return the 95 % percentile interval of each top-k accuracy, over the same resamples.

    Args:
        ranks: shape (R,), how many examples have their true class at rank 0, 1, …; the last counts all behind.
        ks: each below R.
        resamples: number of resamples.
        rng: the source of randomness.

    Returns:
        Lower and upper bounds; None for fewer than two examples.
    """
    n = int(ranks.sum())
    if n < 2:
        return [None] * len(ks)
    counts = rng.multinomial(n, ranks / n, size=resamples).astype(np.float64)
    within = (np.arange(len(ranks))[:, np.newaxis] < np.asarray(ks)).astype(np.float64)
    # The mean is over rows of values, which are ranks here: rescaled to be over the examples they stand for.
    low, high = percentile_intervals(within * (len(ranks) / n), counts)
    return [(float(below), float(above)) for below, above in zip(low, high, strict=True)]
