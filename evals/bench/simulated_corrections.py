"""Cases that a program measures wrongly and people have judged in part, for `powered_mean` to set right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from exaid_evals.stats.agreement import powered_mean

Floats = NDArray[np.float64]
N_CASES, N_LABELLED, N_MANY = 40, 20, 200
_FEW = 0.05


def biased(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return true and measured coverage, the latter three tenths too low, with noise."""
    truth = rng.beta(6, 3, N_CASES)
    return truth, np.clip(0.7 * truth + 0.02 + rng.normal(0, 0.1, N_CASES), 0, 1)


def extracted(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return coverage, true and counted over concepts by an extractor of recall 0.7 that makes up some."""
    truth, measured = np.empty(N_CASES), np.empty(N_CASES)
    for case in range(N_CASES):
        n = int(rng.integers(8, 30))
        reported = rng.random(n) < rng.beta(4, 3)
        said_found, stated_found = rng.random((2, n)) < 0.7
        made_up = int(rng.poisson(0.12 * n))
        found = int(said_found.sum()) + made_up
        hits = int((said_found & stated_found & reported).sum()) + int(rng.binomial(made_up, 0.5))
        truth[case], measured[case] = reported.mean(), hits / found if found else 0.0
    return truth, measured


def rare(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return shares of unsupported concepts, which are few and which the extractor adds to."""
    truth = rng.binomial(15, rng.beta(1.5, 8, N_CASES)) / 15
    return truth, np.clip(0.8 * truth + rng.binomial(15, 0.05, N_CASES) / 15, 0, 1)


def unseen(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return whether many cases have what few have, and what an extractor sees of it: nothing."""
    truth = (rng.random(N_MANY) < _FEW).astype(float)
    return truth, np.zeros(N_MANY)


MEASURED: dict[str, tuple[Callable[[np.random.Generator], tuple[Floats, Floats]], float]] = {
    "coverage, 0.7 of it measured, with noise": (biased, 6 / 9),
    "coverage over 8 to 29 concepts, recall 0.7, a tenth made up": (extracted, 4 / 7),
    "unsupported: 16 % of 15 concepts, the extractor adds some": (rare, 1.5 / 9.5),
    "unsupported in 5 % of 200 cases, 20 labelled, the extractor sees none": (unseen, _FEW),
}
"""What is measured → its draws, and the true mean."""


def corrected_coverage(data_sets: int) -> dict[str, tuple[float, float]]:
    """Return what is measured → share of corrected intervals that hold the true mean, and of raw ones, in %."""
    found = {}
    for number, (name, (draw, mean)) in enumerate(MEASURED.items()):
        rng = np.random.default_rng([7, number])
        hits = [_holds(*draw(rng), mean) for _ in range(data_sets)]
        corrected, raw = (round(100 * float(share), 1) for share in np.mean(hits, axis=0))
        found[name] = (corrected, raw)
    return found


def _holds(truth: Floats, measured: Floats, mean: float) -> tuple[bool, bool]:
    """Whether the corrected interval holds the mean, and the normal one of what was measured."""
    found = powered_mean(measured, np.where(np.arange(len(truth)) < N_LABELLED, truth, np.nan))
    reach = 1.96 * measured.std(ddof=1) / np.sqrt(len(truth))
    inside = found.low is not None and found.high is not None and found.low <= mean <= found.high
    return inside, bool(abs(measured.mean() - mean) < reach)
