"""The mean loss over a whole set, and the interval of it, from sums alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.run_eval.base import ExampleLosses, Step

_CHUNK_CELLS = 2_000_000
"""Poisson weights that are held at a time: 16 MB."""
_AGREE = 1e-3
"""Relative difference below which two computations of one mean differ by rounding alone."""
_BY_CLASS = frozenset({functional.cross_entropy, functional.nll_loss})
_ELEMENTWISE = frozenset(
    {
        functional.binary_cross_entropy,
        functional.binary_cross_entropy_with_logits,
        functional.huber_loss,
        functional.l1_loss,
        functional.mse_loss,
        functional.smooth_l1_loss,
        functional.soft_margin_loss,
    }
)
"""Whose mean is over all elements."""


class SeenLosses(TorchFunctionMode):
    """Sees how `compute_loss` takes its mean, so that it can be taken over the whole set instead.

    A mean with class weights is Σ w l / Σ w over one batch, and a mean over tokens Σ l / n: the mean of such means
    depends on the batches. While this is on, the usual losses of `torch.nn.functional` are computed by element, and
    their mean from that; sums and weights are kept. What `compute_loss` makes of several losses remains its own.
    """

    def __init__(self, n_examples: int) -> None:
        super().__init__()
        self._n_examples = n_examples
        self._seen: list[tuple[Tensor, ExampleLosses]] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute what is called; a mean over known elements by way of their losses."""
        given = dict(kwargs) if kwargs else {}
        known = func in _BY_CLASS or func in _ELEMENTWISE
        if not known or given.get("reduction", "mean") != "mean" or len(args) < 2:
            return func(*args, **given)
        losses = func(*args, **given | {"reduction": "none"})
        units = _units(func, losses, args, given)
        mean = losses.sum() / units.sum()
        if losses.numel() % self._n_examples == 0 and losses.numel():
            self._seen.append((mean, ExampleLosses(self._of_examples(losses), self._of_examples(units))))
        return mean

    def _of_examples(self, values: Tensor) -> Tensor:
        found = values.double()
        return found if found.shape == (self._n_examples,) else found.reshape(self._n_examples, -1).sum(1)

    def of(self, loss: Tensor) -> ExampleLosses | None:
        """Return the losses that a mean was taken of; None where it is not simply the mean of one of them."""
        return next((losses for mean, losses in self._seen if mean is loss), None)


def _units(func: Callable[..., Any], losses: Tensor, args: Any, given: Mapping[str, Any]) -> Tensor:
    """Return what each element counts in the mean, as PyTorch has it: its class's weight; 0 where it is ignored."""
    target = args[1]
    if func in _ELEMENTWISE or target.is_floating_point():
        return torch.ones_like(losses)
    weight = given.get("weight", args[2] if len(args) > 2 else None)
    counted = target != given.get("ignore_index", -100)
    if weight is None:
        return counted
    return torch.where(counted, weight[target.clamp(min=0)], torch.zeros((), dtype=weight.dtype, device=weight.device))


def loss_of(adapter: Any, outputs: Any, batch: Any, spec: Any, n_examples: int) -> tuple[float, ExampleLosses | None]:
    """Return an adapter's loss of a batch, and what it is the mean of.

    Raises:
        ConfigError: `compute_loss` returns something else than a tensor with one value.
    """
    with SeenLosses(n_examples) as seen:
        loss = adapter.compute_loss(outputs, batch, spec)
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        got = f"a tensor of {loss.numel()} values" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise ConfigError(
            f"compute_loss of {type(adapter).__name__} returns {got}",
            where="adapter",
            remedy="return a scalar tensor, the mean over the batch, as torch.nn.functional.cross_entropy does",
        )
    own = getattr(adapter, "example_losses", None)
    return float(loss), own(outputs, batch, spec) if own else seen.of(loss)


def loss_sum(step: Step, units: float) -> tuple[float, float]:
    """Return a batch's summed loss, and what it weighs: by its examples' losses, where they are known.

    Args:
        step: the batch.
        units: what its mean is taken over, where its examples' losses are not known.

    Raises:
        DataError: the batch's loss is NaN or infinite, or its examples' losses do not add up to it.
    """
    total, weight = step.loss * units, units
    if step.losses is not None:
        total, weight = (float(one.double().sum()) for one in (step.losses.sums, step.losses.units))
    if not weight:
        return 0.0, 0.0
    if not math.isfinite(step.loss):
        raise DataError(
            "the loss is NaN or infinite",
            where=step.where,
            remedy="a true class whose logit is -inf has an infinite loss: look at masks, weights and labels",
        )
    if not math.isclose(total / weight, step.loss, rel_tol=_AGREE, abs_tol=_AGREE):
        raise DataError(
            f"compute_loss says {step.loss:.6g}, and example_losses have the mean {total / weight:.6g}",
            where=step.where,
            remedy="have the adapter's two methods compute one loss, or leave example_losses out",
        )
    return total, weight


class Draws:
    """How often each example is drawn in each resample.

    A Poisson bootstrap (Chamandy, Muralidharan, Najmi and Naidu, *Estimating Uncertainty for Massive Data Streams*,
    2012): each example enters each resample as often as a draw of Poisson(1) says, which is what drawing n of n
    examples amounts to for large n. What is drawn for an example follows from the seed and the example's number alone
    (a counter-based generator: Salmon, Moraes, Dror and Shaw, *Parallel Random Numbers: As Easy as 1, 2, 3*, 2011), so
    batches and processes find the same resamples.
    """

    def __init__(self, resamples: int, seed: int) -> None:
        self.resamples = resamples
        self._seed = seed
        # A draw takes 16 bits; a block of the generator has 256, and an example a whole number of blocks.
        self._blocks = math.ceil(resamples / 16)
        self._last: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None

    @property
    def at_most(self) -> int:
        """How many examples are drawn at a time."""
        return max(1, _CHUNK_CELLS // self.resamples)

    def of(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the draws of examples by their numbers (N,), shape (N, resamples); asked again, the same array."""
        if self._last is None or not np.array_equal(self._last[0], numbers):
            self._last = (numbers, self._drawn(numbers))
        return self._last[1]

    def _drawn(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        words = 4 * self._blocks
        raw = np.empty((len(numbers), words), dtype=np.uint64)
        breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
        for run in np.split(np.arange(len(numbers)), breaks):
            source = np.random.Philox(key=self._seed).advance(int(numbers[run[0]]) * self._blocks)
            raw[run[0] : run[-1] + 1] = source.random_raw(len(run) * words).reshape(len(run), words)
        bits = raw.astype("<u8", copy=False).view("<u2")[:, : self.resamples]
        drawn: NDArray[np.float64] = _POISSON.take(bits)
        return drawn


class Resampled:
    """Sums over resamples of the examples, in memory that does not grow with their number."""

    def __init__(self, columns: int, draws: Draws) -> None:
        """Begin with nothing.

        Args:
            columns: how many values an example has.
            draws: how often examples are drawn, the same for all that is resampled together.
        """
        self.sums = np.zeros((columns, draws.resamples))
        self.n_examples: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self._draws = draws

    def add(self, values: NDArray[np.float64], numbers: NDArray[np.int64]) -> None:
        """Add examples.

        Args:
            values: shape (columns, N).
            numbers: shape (N,), of each example, at least 0.
        """
        for start in range(0, len(numbers), self._draws.at_most):
            part = slice(start, start + self._draws.at_most)
            self.sums += values[:, part] @ self._draws.of(numbers[part])
        self.n_examples += len(numbers)

    def ratio_interval(self) -> tuple[float, float] | None:
        """Return the 95 % percentile interval of the first column by the second; None for fewer than two examples."""
        return self.interval(lambda sums: sums[0] / sums[1], defined=self.sums[1] > 0)

    def interval(
        self, statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], *, defined: NDArray[np.bool_]
    ) -> tuple[float, float] | None:
        """Return the 95 % percentile interval of a statistic of the columns' sums."""
        if self.n_examples[0] < 2 or not defined.any():
            return None
        low, high = np.quantile(statistic(self.sums[:, defined]), [0.025, 0.975])
        return float(low), float(high)


def _poisson_table() -> NDArray[np.float64]:
    """Return the Poisson(1) variate of each of 2¹⁶ equally likely numbers, by inversion."""
    masses = [math.exp(-1) / math.factorial(k) for k in range(12)]
    upper = np.rint(np.cumsum(masses) * 2**16)
    return np.searchsorted(upper, np.arange(2**16), side="right").astype(np.float64)


_POISSON = _poisson_table()
