"""The mean loss over a whole set, and the interval of it, from sums alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import ExampleLosses, Step

_CHUNK_CELLS = 4_000_000
"""Poisson weights that are held at a time: 32 MB."""
_AGREE = 1e-3
"""Relative difference below which two computations of one mean differ by rounding alone."""


class LossTotal:
    """Sums of losses and of the units that they are taken over.

    The interval is a Poisson bootstrap (Chamandy, Muralidharan, Najmi and Naidu, *Estimating Uncertainty for Massive
    Data Streams*, 2012): each example enters each resample as often as a draw of Poisson(1) says, which is what
    drawing n of n examples amounts to for large n, and needs two sums per resample instead of all examples.
    """

    def __init__(self, *, resamples: int, seed: int) -> None:
        """Begin with nothing.

        Args:
            resamples: number of bootstrap resamples; 0 keeps none.
            seed: of the resamples.
        """
        self._sum = 0.0
        self.units = 0
        self._n_examples = 0
        self._rng = np.random.default_rng(seed)
        self._resampled: NDArray[np.float64] | None = np.zeros((2, resamples)) if resamples else None

    def add(self, loss: float, units: int, losses: ExampleLosses | None) -> None:
        """Count a batch: its mean loss by its units; the losses of examples serve the interval."""
        if losses is None:
            self._resampled = None
        elif self._resampled is not None:
            sums, weights = losses.sums.double().cpu().numpy(), losses.units.double().cpu().numpy()
            self._resample(np.stack([sums, weights]))
            self._n_examples += len(sums)
        self._sum += loss * units
        self.units += units

    def _resample(self, values: NDArray[np.float64]) -> None:
        """Add a batch, shape (2, N), to every resample. Draws go by examples, so batch sizes change nothing."""
        if self._resampled is None:
            return
        resamples = self._resampled.shape[1]
        step = max(1, _CHUNK_CELLS // resamples)
        for start in range(0, values.shape[1], step):
            part = values[:, start : start + step]
            self._resampled += part @ self._rng.poisson(1.0, size=(part.shape[1], resamples)).astype(np.float64)

    def mean(self) -> float:
        """Return the mean over all units."""
        return self._sum / self.units

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % percentile interval of the mean; None where losses or all but one example are missing."""
        if self._resampled is None or self._n_examples < 2:
            return None
        drawn = self._resampled[:, self._resampled[1] > 0]
        low, high = np.quantile(drawn[0] / drawn[1], [0.025, 0.975])
        return float(low), float(high)


def checked_losses(step: Step, units: int) -> None:
    """Refuse a loss that is not a number, and two losses of one batch.

    Raises:
        DataError: the batch's loss is NaN or infinite, or its examples' losses do not add up to it.
    """
    if units and not math.isfinite(step.loss):
        raise DataError(
            "the loss is NaN or infinite",
            where=step.where,
            remedy="a true class whose logit is -inf has an infinite loss: look at masks, weights and labels",
        )
    if units and step.losses is not None:
        mean = float(step.losses.sums.double().sum()) / units
        if not math.isclose(mean, step.loss, rel_tol=_AGREE, abs_tol=_AGREE):
            raise DataError(
                f"compute_loss says {step.loss:.6g}, and example_losses have the mean {mean:.6g}",
                where=step.where,
                remedy="have the adapter's two methods compute one loss, or set intervals to false",
            )
