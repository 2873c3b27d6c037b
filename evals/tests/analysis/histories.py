"""Histories for the tests: small, made by hand, the random ones from a seed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exaid_evals.runs.history import History, Point, Series
from exaid_evals.runs.rows import history_of

BENCH = Path(__file__).resolve().parents[2] / "bench"
if str(BENCH) not in sys.path:
    sys.path.insert(0, str(BENCH))


def series(values: list[float] | NDArray[np.float64], metric: str = "val_accuracy") -> Series:
    """Return a series whose steps count from 0."""
    return Series(metric, tuple(Point(float(step), float(value)) for step, value in enumerate(values)))


def noisy(n: int, level: float = 0.8, sigma: float = 0.01, seed: int = 0) -> NDArray[np.float64]:
    """Return a level with normal noise."""
    return np.random.default_rng(seed).normal(level, sigma, n)


def simulated(kind: str | None, index: int, half: int = 31) -> History:
    """Return a run of the benchmark's generator, of a seed that is in neither of its halves."""
    from simulated_runs import simulate

    run = simulate(half, index, kind)
    return history_of(run.name, "jsonl", run.rows)
