"""A metric that swings in a rhythm rather than by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.analysis.anomalies.robust import rolling_around
from exaid_evals.analysis.settings import OscillationSettings
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Oscillation:
    """Looks at the autocorrelation of the second half, its trend taken away.

    A swing has a period at which the series resembles itself, and half a period at which it is its opposite; noise has
    neither. White noise of n points passes ±2/√n in one of twenty lags, which is far below the threshold.
    """

    name = "oscillation"

    def __init__(self, settings: OscillationSettings | None = None) -> None:
        self._settings = settings or OscillationSettings()

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the oscillation of the second half, if there is one."""
        import numpy as np

        steps, values = series.clean.steps, series.clean.values
        half = len(values) // 2
        if direction is None or len(values) - half < self._settings.min_points:
            return []
        last = values[half:]
        trend = np.polyval(np.polyfit(np.arange(len(last)), last, 2), np.arange(len(last)))
        rest = last - trend
        median, spread = rolling_around(rest, len(rest))
        # A single drop is not a swing: what stands out is cut before the rhythm is looked for.
        rest = np.clip(rest, median - 3 * spread, median + 3 * spread)
        amplitude = float(np.sqrt(2) * rest.std())
        level = float(abs(np.median(last)))
        if amplitude < self._settings.min_amplitude * level:
            return []
        period, strength = _rhythm(rest, self._settings.min_autocorrelation)
        if period is None:
            return []
        return [
            Anomaly(
                series.metric,
                "oscillation",
                float(steps[half]),
                amplitude,
                "medium" if amplitude >= 3 * self._settings.min_amplitude * level else "low",
                self.name,
                {
                    "period_points": period,
                    "autocorrelation": strength,
                    "threshold": self._settings.min_autocorrelation,
                },
                end_step=float(steps[-1]),
            )
        ]


def _rhythm(rest: NDArray[np.float64], least: float) -> tuple[int | None, float]:
    """Return the period in points with the strongest autocorrelation, and that; None where there is no rhythm."""
    import numpy as np

    n = len(rest)
    power = float((rest**2).sum())
    if power == 0:
        return None, 0.0
    lags = np.arange(1, n // 3 + 1)
    # Divided by what n − k terms would sum to, so that long periods are not thought weak for having fewer terms.
    auto = _products(rest, len(lags)) / power * n / (n - lags)
    best, strength = None, least
    for lag in range(2, len(auto) + 1):
        if auto[lag - 1] >= strength and auto[max(0, lag // 2 - 1)] <= -least:
            best, strength = lag, float(auto[lag - 1])
    return best, strength if best else 0.0


def _products(rest: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return Σ restᵢ·restᵢ₊ₖ for k = 1 … most, shape (most,); of a long series by its spectrum, which takes no n²."""
    import numpy as np

    if len(rest) <= _LONG:
        return np.array([float((rest[lag:] * rest[:-lag]).sum()) for lag in range(1, most + 1)])
    spectrum = np.fft.rfft(rest, 2 ** (2 * len(rest) - 1).bit_length())
    products: NDArray[np.float64] = np.fft.irfft(spectrum * spectrum.conj())[1 : most + 1]
    return products


_LONG = 2000
"""Points from which on the products of all pairs would take seconds."""
