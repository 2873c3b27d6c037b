"""Two systems on the same items, whose truth is known: level, power and intervals of the tests that compare them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from exaid_evals.stats.paired import mcnemar_p, mean_difference, sign_flip_p

Floats = NDArray[np.float64]


def percent(hits: NDArray[np.bool_]) -> float:
    """Return the share of hits in per cent, to one decimal."""
    return round(100 * float(np.mean(hits)), 1)


@dataclass(frozen=True)
class Scored:
    """Two systems on the same items.

    Attributes:
        shape: clusters, and items in each.
        draw: (generator, effect) → B less A of each item, shape (clusters, items in each).
        effect: where power is measured.
        sd: of a cluster's mean difference, which is normally distributed; None where it is not.
        sums: how likely each sum of a cluster is under that effect, where that is a whole number, from −k to k.
    """

    name: str
    shape: tuple[int, int]
    draw: Callable[[np.random.Generator, float], Floats]
    effect: float
    sd: float | None = None
    sums: Floats | None = None

    @property
    def by_mcnemar(self) -> bool:
        """Whether each item is its own, and right or wrong."""
        return self.sd is None and self.sums is None


def _right_and_wrong(rng: np.random.Generator, effect: float) -> Floats:
    """Return differences of which a fifth is not zero, more of them +1 by the effect."""
    return rng.choice([1.0, -1.0, 0.0], size=(200, 1), p=[0.1 + effect / 2, 0.1 - effect / 2, 0.8])


def _epochs(rng: np.random.Generator, effect: float) -> Floats:
    """Return differences of 60 items with 3 epochs each; how often each system solves an item is Beta distributed."""
    solved = [rng.binomial(1, rng.beta(10 * p, 10 * (1 - p), (60, 1)), (60, 3)) for p in (0.5, 0.5 + effect)]
    return (solved[1] - solved[0]).astype(np.float64)


def _sums_of_epochs(effect: float) -> Floats:
    """Return how likely an item's sum of differences over its 3 epochs is −3, …, 3."""
    one, two = (stats.betabinom.pmf(np.arange(4), 3, 10 * p, 10 * (1 - p)) for p in (0.5, 0.5 + effect))
    return np.convolve(two, one[::-1])


SCORED = (
    Scored("right or wrong, 200 items of which a fifth differs", (200, 1), _right_and_wrong, 0.09),
    Scored("scores, 100 items", (100, 1), lambda rng, effect: rng.normal(effect, 1, (100, 1)), 0.28, 1.0),
    Scored(
        "scores, 30 clusters of 5 items, correlated by a half",
        (30, 5),
        lambda rng, effect: rng.normal(effect, np.sqrt(0.5), (30, 1)) + rng.normal(0, np.sqrt(0.5), (30, 5)),
        0.42,
        float(np.sqrt(0.5 + 0.5 / 5)),
    ),
    Scored("right or wrong, 60 items of 3 epochs", (60, 3), _epochs, 0.16, sums=_sums_of_epochs(0.16)),
)


def compared_logs(data_sets: int) -> dict[str, tuple[float, ...]]:
    """Return data → level, power, its other estimate, power in theory, how often the interval holds the truth; in %.

    The other estimate takes the t test on the same data sets as a control variate: what that finds more or less often
    than theory has for it is the luck of the draws, which both tests share.
    """
    found = {}
    for number, scored in enumerate(SCORED):
        hits = []
        for effect in (0.0, scored.effect):
            rng = np.random.default_rng([6, number, int(effect > 0)])
            clusters = np.repeat(np.arange(scored.shape[0]), scored.shape[1]) if scored.shape[1] > 1 else None
            tested = []
            for _ in range(data_sets):
                d = scored.draw(rng, effect).ravel()
                interval = mean_difference(d, clusters)
                held = (
                    interval.low is not None and interval.high is not None and interval.low <= effect <= interval.high
                )
                by_t = interval.low is not None and interval.high is not None and not interval.low <= 0 <= interval.high
                tested.append((_found(scored, d, rng, clusters), held, by_t))
            hits.append(np.array(tested))
        level, power = (percent(one[:, 0]) for one in hits)
        theory = 100 * _power_in_theory(scored)
        luck = 0.0 if scored.by_mcnemar else 100 * float(hits[1][:, 2].mean()) - theory
        of_both = percent(np.vstack(hits)[:, 1])
        found[scored.name] = (level, power, round(power - luck, 1), round(theory, 1), of_both)
    return found


def _found(scored: Scored, d: Floats, rng: np.random.Generator, clusters: NDArray[np.int64] | None) -> bool:
    if scored.by_mcnemar:
        both = mcnemar_p(int((d > 0).sum()), int((d < 0).sum()))
    else:
        both = sign_flip_p(d, rng, clusters, resamples=999)
    return both is not None and both[1] <= 0.05


def _power_in_theory(scored: Scored) -> float:
    """Return the power of the t test on means of clusters; of McNemar's test, the sum over all of its outcomes."""
    n = scored.shape[0]
    if scored.sums is not None:
        return _power_of_sums(scored.sums, n)
    if scored.sd is not None:
        shift, critical = np.sqrt(n) * scored.effect / scored.sd, stats.t.isf(0.025, n - 1)
        return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.sf(critical, n - 1, -shift))
    total = 0.0
    for differing in range(1, n + 1):
        of_b = stats.binom.pmf(np.arange(differing + 1), differing, (0.1 + scored.effect / 2) / 0.2)
        p = 2 * stats.binom.cdf(np.minimum(k := np.arange(differing + 1), differing - k), differing, 0.5)
        p -= stats.binom.pmf(k, differing, 0.5)
        total += stats.binom.pmf(differing, n, 0.2) * of_b[p <= 0.05].sum()
    return float(total)


def _power_of_sums(likely: Floats, n: int) -> float:
    """Return the power of the t test on n such sums: exact, over their joint sum and sum of squares.

    The noncentral t distribution is that of normal data, and half a point too high for these.
    """
    most = len(likely) // 2
    joint = np.zeros((2 * most * n + 1, most**2 * n + 1))
    for at, share in enumerate(likely):
        joint[at, (at - most) ** 2] += share
    joint = np.fft.irfft2(np.fft.rfft2(joint) ** n, s=joint.shape)
    mean = (np.arange(len(joint))[:, np.newaxis] - most * n) / n
    squares = np.maximum(np.arange(joint.shape[1]) - n * mean**2, 0.0)
    return float(joint[n * mean**2 * (n - 1) >= stats.t.isf(0.025, n - 1) ** 2 * squares].sum())
