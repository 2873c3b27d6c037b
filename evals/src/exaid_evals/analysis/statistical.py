"""Anomalies of a bare series of numbers: points far off, and where it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.anomalies.change_point import change_indices
from exaid_evals.anomalies.robust import difference_sigma, rolling_around
from exaid_evals.anomalies.settings import ChangePointSettings, DetectionSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
