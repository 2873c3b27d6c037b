"""Lasting changes of a metric: of its level, trend, spread or memory, each with an interval for its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.anomalies.base import Anomaly, ChangePointSettings, DetectionSettings, Severity, by_relative_size
from exaid_evals.anomalies.robust import MAD_TO_SIGMA, difference_sigma, rolling_around
from exaid_evals.errors import DataError
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction, metric_named

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_DROP_OF_FIT = 1.92
"""Half the 95 % quantile of χ² with one degree of freedom: by how much the log likelihood may be less."""
_LARGE = 0.5
"""Of a metric without a direction (a norm) a shift counts that is large and comes at once."""
_SPIKE_WINDOW, _SPIKE = 7, 4.0
_LEAST_VARIANCE = 1e-4
"""Of the whole series: a stretch that is nearly still must not outweigh all others by its logarithm."""
_CLEAR, _CLEAR_AGAIN, _NEAR, _NEAREST, _MOST_NEAR = 8.0, 6.0, 8, 3, 25
_BACK, _FEWEST, _WORTH = 0.05, 3, 0.05
_OF_GAIN = 0.5
"""Of all that was gained: what a shift is held against where the level is less, as a loss that has come near to 0."""
_AROUND = 40
"""Points on either side of a change from whose medians its size is taken."""


class ChangePoint:
    """Reports the changes of `change_indices` that are for the worse.

    The size of a change is the difference of the medians of up to 40 points on either side, and its noise that of
    medians of points that resemble their neighbours as much as these do. Where the metric comes back before its end,
    by half of the shift or more, the change is an episode and low.
    """

    name = "change_point"

    def __init__(self, settings: ChangePointSettings | None = None) -> None:
        self._settings = settings or ChangePointSettings()

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the shifts for the worse; where no direction is known, those that are large and abrupt."""
        steps, values = series.clean.steps, series.clean.values
        if len(values) < 2 * self._settings.min_size:
            return []
        bounds = [0, *change_indices(values, self._settings), len(values)]
        found = []
        for at, (first, last) in zip(bounds[1:-1], zip(bounds, bounds[2:], strict=False), strict=True):
            one = self._at(series.metric, steps, values, direction, (first, at, last))
            if one is not None:
                found.append(one)
        return found

    def _at(
        self,
        metric: str,
        steps: NDArray[np.float64],
        values: NDArray[np.float64],
        direction: Direction | None,
        where: tuple[int, int, int],
    ) -> Anomaly | None:
        import numpy as np

        first, at, last = where
        before, after = values[max(first, at - _AROUND) : at], values[at : min(last, at + _AROUND)]
        for near in (_NEAR, _NEAREST):
            if _has_trend(before):
                before = before[-near:]
        if _has_trend(after):
            after = after[:_NEAR]
        level, shift = float(np.median(before)), float(np.median(after)) - float(np.median(before))
        worse = shift if direction == "lower" else -shift
        noise = _noise(before, after, difference_sigma(values))
        z = min(abs(shift) / noise, 1e6) if noise > 0 else 1e6
        if z < self._settings.min_z or (direction is not None and worse <= 0):
            return None
        gained = 0.0 if direction is None else abs(level - float(np.median(values[:_NEAR])))
        relative = abs(shift) / max(abs(level), float(np.ptp(before)), _OF_GAIN * gained, 1e-12)
        abrupt = abs(values[at] - values[at - 1]) >= abs(shift) / 2 or is_rival(metric)
        if direction is None and (relative < _LARGE or not abrupt):
            return None
        end = float(np.median(values[-max(1, min(_AROUND, (len(values) - at) // 3 or 1)) :]))
        lasting = abs(end - level) >= abs(shift) / 2 and (end - level) * shift > 0
        severity: Severity = by_relative_size(relative, z) if direction is not None and lasting else "low"
        if z < _CLEAR and severity in ("high", "critical"):
            severity = "medium"  # a validation metric drifts by as much
        low, high = location(values[first:last], at - first)
        evidence = {"before": level, "after": level + shift, "relative": relative, "z": z, "lasting": lasting}
        interval = (float(steps[first + low - 1]), float(steps[min(first + high, len(steps) - 1)]))
        return Anomaly(metric, "change_point", float(steps[at]), shift, severity, self.name, evidence, interval)


class LostProgress:
    """Holds the points after steps that are counted again against those logged just before, in order of logging.

    A run that goes on from its last checkpoint is as good as it was; one that got an old one, or none, has lost what it
    had learnt since. Only steps that go back by a twentieth of the run and more count.
    """

    name = "lost_progress"

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the first loss of what had been gained."""
        import numpy as np

        if direction is None or len(series.logged.steps) == len(series.points):
            return []
        known = np.array(
            [(one.step, one.value) for one in series.points if isinstance(one.value, float | int)], dtype=np.float64
        ).reshape(-1, 2)
        steps, values = known.T
        if len(values) < 2 * _FEWEST:
            return []
        near = min(_MOST_NEAR, max(_NEAR, len(values) // 100))
        back = np.flatnonzero(np.diff(steps) < -_BACK * float(steps.max() - steps.min())) + 1
        sign = 1.0 if direction == "lower" else -1.0
        for at in back.tolist():
            before, after = values[max(0, at - near) : at], values[at : at + near]
            if min(len(before), len(after)) < _FEWEST or not np.isfinite([*before, *after]).all():
                continue
            level, shift = float(np.median(before)), float(np.median(after) - np.median(before))
            noise = _noise(before, after, difference_sigma(values))
            z = min(abs(shift) / noise, 1e6) if noise > 0 else 1e6
            relative = abs(shift) / max(abs(level), 1e-12)
            if sign * shift > 0 and z >= _CLEAR_AGAIN and relative >= _WORTH:
                evidence = {"before": level, "after": level + shift, "relative": relative, "z": z}
                evidence["steps_back"] = float(steps[at - 1] - steps[at])
                severity = by_relative_size(relative, z)
                return [Anomaly(series.metric, "sudden_drop", float(steps[at]), shift, severity, self.name, evidence)]
        return []


def is_rival(metric: str) -> bool:
    """Return whether a metric is a discriminator's loss, which falls over many steps where it wins."""
    entry = metric_named(metric)
    return entry is not None and entry.name == "discriminator_loss"


def change_indices(values: NDArray[np.float64], settings: ChangePointSettings | None = None) -> list[int]:
    """Return the first index of each segment but the first.

    Four models of a segment are fitted by least squares, each with a variance of its own: a level, a line, and both
    with an autoregressive term of order one. For each the best division of the series is searched exactly (optimal
    partitioning: Jackson et al., 2005), at −2 log likelihood plus `penalty` · log n for each parameter of a segment,
    its place among them (BIC: Yao, 1988); the model whose total is least is taken. So a trend that goes on and noise
    that resembles itself are not changes. Single spikes, over 4 σ from their neighbours, are taken out first. A series
    of more than `max_points` is averaged in equal groups.

    Args:
        values: shape (n,), finite.
        settings: penalty, least size of a segment; None takes the defaults.

    Raises:
        DataError: the series holds NaN or infinity.
    """
    import numpy as np

    settings = settings or ChangePointSettings()
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        wrong = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"change points of a signal with NaN or infinity (first at index {wrong})",
            remedy="search in `Series.clean`, which holds the finite points",
        )
    group = -(-len(values) // settings.max_points)
    signal = values[: len(values) // group * group].reshape(-1, group).mean(axis=1)
    if len(signal) < 8 or float(np.ptp(signal)) == 0:
        return []
    signal = _without_spikes(signal)
    scale = float(signal.std())
    if not np.isfinite(scale) or scale <= 1e-12 * max(1e-300, float(np.abs(signal).max())):
        return []
    found = _best_division((signal - signal.mean()) / scale, settings)
    if group == 1:
        return found
    bounds = [0, *(at * group for at in found), len(values)]
    around = zip(bounds, bounds[1:-1], bounds[2:], strict=False)
    return sorted({_refined(values, where, group) for where in around})


def _best_division(signal: NDArray[np.float64], settings: ChangePointSettings) -> list[int]:
    import numpy as np

    n = len(signal)
    size = min(settings.min_size, n // 4)
    one, line, lag = np.ones(n), np.linspace(-1, 1, n), np.concatenate([signal[:1], signal[:-1]])
    best: tuple[float, list[int]] | None = None
    for terms in ((one,), (one, lag), (one, line), (one, line, lag)):
        costs = _costs(np.stack([*terms, signal]), size)
        found = _divided(costs, settings.penalty * (len(terms) + 2) * float(np.log(n)))
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None  # noqa: S101 - there are four models
    return best[1]


def _costs(columns: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return −2 log likelihood of the segment from i to j, up to a constant, shape (n + 1, n + 1); infinite if short.

    Args:
        columns: regressors, then the signal; shape (k + 1, n).
        size: least points of a segment.
    """
    import numpy as np

    k, n = len(columns) - 1, columns.shape[1]
    sums = np.zeros((k + 1, k + 1, n + 1))
    np.cumsum(columns[:, None, :] * columns[None, :, :], axis=2, out=sums[:, :, 1:])
    gram = {
        (row, column): sums[row, column][None, :] - sums[row, column][:, None]
        for row in range(k + 1)
        for column in range(row, k + 1)
    }
    for pivot in range(k):  # Gauss: what is left of the last entry is the residual sum of squares
        divisor = gram[pivot, pivot]
        usable = divisor > 1e-9
        for row in range(pivot + 1, k + 1):
            factor = np.where(usable, gram[pivot, row] / np.where(usable, divisor, 1.0), 0.0)
            for column in range(row, k + 1):
                gram[row, column] = gram[row, column] - factor * gram[pivot, column]
    length = np.arange(n + 1)[None, :] - np.arange(n + 1)[:, None]
    variance = gram[k, k] / np.maximum(length - k, 1)
    costs = length * np.log(np.maximum(variance, _LEAST_VARIANCE))
    return np.where(length >= size, costs, np.inf)


def _divided(costs: NDArray[np.float64], penalty: float) -> tuple[float, list[int]]:
    """Return the least total of costs and penalties of all divisions, and the inner bounds of that division."""
    import numpy as np

    n = len(costs) - 1
    best, previous = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=np.int64)
    best[0] = 0.0
    for end in range(1, n + 1):
        totals = best[:end] + costs[:end, end] + penalty
        previous[end] = int(np.argmin(totals))
        best[end] = totals[previous[end]]
    found, end = [], int(previous[n])
    while end > 0:
        found.append(end)
        end = int(previous[end])
    return float(best[n]), found[::-1]


def _without_spikes(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the signal with points over 4 σ from the median of seven replaced by it (Hampel's filter)."""
    import numpy as np

    median, spread = rolling_around(signal, _SPIKE_WINDOW)
    sigma = np.maximum(spread, difference_sigma(signal))
    return np.where((sigma > 0) & (np.abs(signal - median) > _SPIKE * sigma), median, signal)


def _refined(values: NDArray[np.float64], where: tuple[int, int, int], group: int) -> int:
    """Return the index, within a group of `at`, at which the two levels around it are separated best."""
    import numpy as np

    first, at, last = where
    low, high = max(first, at - 10 * group), min(last, at + 10 * group)
    part = _without_spikes(values[low:high])
    sums, splits = np.cumsum(part), np.arange(1, len(part))
    gain = sums[:-1] ** 2 / splits + (sums[-1] - sums[:-1]) ** 2 / (len(part) - splits)
    near = (splits >= at - low - group) & (splits <= at - low + group)
    return at if not near.any() else low + int(splits[near][int(np.argmax(gain[near]))])


def _has_trend(values: NDArray[np.float64]) -> bool:
    """Return whether values rise or fall by far more than their noise."""
    import numpy as np

    if len(values) < 5:
        return False
    third = max(2, len(values) // 3)
    return bool(abs(np.median(values[-third:]) - np.median(values[:third])) > 3 * difference_sigma(values))


def _noise(before: NDArray[np.float64], after: NDArray[np.float64], least: float) -> float:
    """Return σ of the difference of two medians of points that resemble their neighbours as much as these do."""
    import numpy as np

    rest = np.concatenate([before - np.median(before), after - np.median(after)])
    sigma = max(MAD_TO_SIGMA * float(np.median(np.abs(rest))), least)
    power = float((rest**2).sum())
    memory = min(0.9, max(0.0, float((rest[1:] * rest[:-1]).sum()) / power)) if power > 0 else 0.0
    inflated = sigma * ((1 + memory) / (1 - memory)) ** 0.5
    return float(inflated * (np.pi / 2 * (1 / len(before) + 1 / len(after))) ** 0.5)


def location(both: NDArray[np.float64], at: int) -> tuple[int, int]:
    """Return the first and last index at which a change within two joined segments fits nearly as well as at `at`."""
    import numpy as np

    sigma = difference_sigma(both) or 1.0
    part = (both - both.mean()) / sigma
    n = len(part)
    sums = np.cumsum(part)
    splits = np.arange(1, n)
    gain = sums[:-1] ** 2 / splits + (sums[-1] - sums[:-1]) ** 2 / (n - splits)
    near = gain >= gain[at - 1] - 2 * _DROP_OF_FIT
    low = high = at
    while low >= 2 and near[low - 2]:
        low -= 1
    while high < n - 1 and near[high]:
        high += 1
    return low, high


def detect_statistical_anomalies(
    series: Sequence[float] | NDArray[np.float64], threshold: float | None = None
) -> dict[str, list[int]]:
    """Return the indices of points far from their neighbours, and those at which a new segment begins.

    Both are found as `analyze` finds them: points by robust z scores against the 25 around them, changes by
    `anomalies.change_point.change_indices`.

    Args:
        series: shape (n,), in order; what is not finite is passed over, and its index never returned.
        threshold: least z; None takes the default of the settings.

    Returns:
        `z_score_anomalies` and `change_points`, each ascending.
    """
    import numpy as np

    values = np.asarray(series, dtype=np.float64).ravel()
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 3:
        return {"z_score_anomalies": [], "change_points": []}
    finite = values[known]
    settings = DetectionSettings()
    median, spread = rolling_around(finite, settings.outlier_window)
    sigma = np.maximum(spread, difference_sigma(finite))
    least = settings.outlier_threshold if threshold is None else threshold
    far = np.abs(finite - median) >= np.where(sigma > 0, least * sigma, np.inf)
    return {
        "z_score_anomalies": known[far].tolist(),
        "change_points": [int(known[at]) for at in change_indices(finite, ChangePointSettings())],
    }
