"""The mean of what people would have said of every unit, from what they said of some and a program of all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_LABELLED = 5
"""Labelled units below which there is no interval."""


@dataclass(frozen=True, slots=True)
class PoweredMean:
    """A share over units.

    Attributes:
        value: the corrected mean; None where nothing is labelled.
        low, high: 95 % interval; None with fewer than `LEAST_LABELLED` labelled units.
        n: units that the program has judged.
        n_labelled: those of them that people have judged too.
        weight: of the program's judgement: 0 where it says nothing about theirs, so that only labels count.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_labelled: int
    weight: float


def powered_mean(predicted: Floats, observed: Floats) -> PoweredMean:
    """Return the mean of a share over units of which people have judged some, chosen at random.

    With Y the labels, f the program's values, means over labelled and unlabelled units, and n and m their numbers,
    the value is λ·f̄_unlabelled + (Y − λf)‾_labelled with λ = cov(Y, f) / ((1 + n/m)·var f), between 0 and 1: the
    prediction-powered mean of A. N. Angelopoulos and others, Science 382 (2023) 669–674, with the tuning of their PPI++
    (arXiv 2311.01453). Its error holds that of the program and that of having labelled few. The interval is of the
    logit, with Student's t of n − 2 degrees of freedom, for shares near 0 or 1 lie askew.

    Args:
        predicted: the program's shares, shape (n + m,).
        observed: people's, same shape; NaN where a unit is not labelled.
    """
    labelled = ~np.isnan(observed)
    n, m = int(labelled.sum()), int((~labelled).sum())
    if n == 0:
        return PoweredMean(None, None, None, n + m, 0, 0.0)
    truth, there, elsewhere = observed[labelled], predicted[labelled], predicted[~labelled]
    spread = float(np.var(predicted, ddof=1)) if n > 1 and m else 0.0
    weight = float(np.clip(np.cov(truth, there, ddof=0)[0, 1] / (spread * (1 + n / m)), 0, 1)) if spread else 0.0
    rest = truth - weight * there
    value = float(rest.mean() + (weight * elsewhere.mean() if weight else 0.0))
    if n < LEAST_LABELLED:
        return PoweredMean(min(1.0, max(0.0, value)), None, None, n + m, n, weight)
    variance = float(((rest - rest.mean()) ** 2).sum()) / (n - 2) / n
    if weight and m > 1:
        variance += weight**2 * float(np.var(elsewhere, ddof=1)) / m
    low, high = _logit_interval(value, math.sqrt(variance), n - 2, floor=0.5 / (n + m))
    return PoweredMean(min(1.0, max(0.0, value)), low, high, n + m, n, weight)


def _logit_interval(value: float, error: float, degrees: int, *, floor: float) -> tuple[float, float]:
    from scipy.stats import t

    inner = min(max(value, floor), 1 - floor)
    centre, reach = math.log(inner / (1 - inner)), float(t.ppf(0.975, degrees)) * error / (inner * (1 - inner))
    low, high = (0.5 * (1 + math.tanh((centre + sign * reach) / 2)) for sign in (-1, 1))
    return min(low, max(value, 0.0)), max(high, min(value, 1.0))
