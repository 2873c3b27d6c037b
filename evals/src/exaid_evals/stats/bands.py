"""Simultaneous confidence bands: intervals for a whole curve of means at once.

Pointwise intervals hold at each point with 95 %; that a curve lies within all of them at once is rarer. Sources: J. L.
Montiel Olea and M. Plagborg-Møller, "Simultaneous confidence bands: Theory, implementation, and an application to
SVARs", *Journal of Applied Econometrics* 34 (2019), 1–17, for the sup-t band and its bootstrap; B. Efron and R. J.
Tibshirani, *An Introduction to the Bootstrap* (1993), section 12.5, for dividing each resample by its own error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST = 4
"""Values of which there is a band: of three it would hold a curve with 66 %, of two with 42 % (simulated)."""
_NO_VARIANCE = 1e-12
"""Of the mean square: a variance below this share is what rounding leaves of none."""


def sup_t_band(
    means: Floats, squares: Floats, mean: Floats, sd: Floats, n: NDArray[np.int64], level: float = 0.95
) -> Floats:
    """Return the sup-t band of a curve: `mean ± c · sd/√n`, one c for all points.

    With t*(b, x) = (mean of resample b at x − mean at x) / (standard error that resample b itself gives at x), c is the
    `level` quantile over resamples of the greatest |t*| over points. Dividing by the resample's own error makes up
    for few cases, as Student's t does, from four on: half of all resamples of two values have no spread. Where a
    resample shows none at a point, the sample's error stands in.

    Points without spread (sd 0) have a band of no width, and no say in c. Points with fewer than four values
    have no band. The band is symmetric, hence need not lie around a percentile interval.

    Args:
        means: resampled means, shape (points, resamples), from `bootstrap_means`; NaN where nothing was drawn.
        squares: the same of the squared values.
        mean: shape (points,).
        sd: of the sample (ddof 1), shape (points,).
        n: defined values at each point, shape (points,).
        level: of confidence, between 0 and 1.

    Returns:
        Lower and upper bounds, shape (2, points); NaN where there is no band.
    """
    bounds = np.full((2, len(mean)), np.nan)
    known = n >= _LEAST
    error = np.zeros(len(mean))
    error[known] = sd[known] / np.sqrt(n[known])
    spread = np.flatnonzero(known & (error > 0))
    critical = 0.0
    if len(spread):
        greatest = np.zeros(means.shape[1])
        for point in spread:
            t = _t(means[point], squares[point], mean[point], error[point], int(n[point]))
            np.fmax(greatest, t, out=greatest)
        critical = float(np.quantile(greatest, level))
    bounds[:, known] = mean[known] + np.array([[-1.0], [1.0]]) * critical * error[known]
    return bounds


def _t(means: Floats, squares: Floats, mean: float, error: float, n: int) -> Floats:
    """Return |t*| of one point in every resample, shape (resamples,); NaN where nothing was drawn.

    A resample that drew fewer than n defined values is divided by the error of n: it is the size of the sample that
    the band is for.
    """
    variance = squares - means * means
    # Of a resample's values, as of the sample's: ddof 1. Their mean's error is the root of variance / (n − 1).
    own = np.sqrt(np.maximum(variance, 0.0) / (n - 1))
    own[variance <= _NO_VARIANCE * squares] = error
    return np.asarray(np.abs(means - mean) / own)
