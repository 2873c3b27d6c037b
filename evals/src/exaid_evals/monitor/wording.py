"""Anomalies in words, for logs, messages and the command line."""

from __future__ import annotations

from exaid_evals.anomalies.base import Anomaly

_WHAT = {
    "sudden_drop": "got worse at once",
    "outlier": "has a value far from those before it",
    "plateau": "has stopped improving",
    "divergence": "has become far worse than its best",
    "not_finite": "is not finite",
}


def described(one: Anomaly) -> str:
    """Return an anomaly as a clause."""
    if one.kind == "stall":
        return f"no step for {one.magnitude or 0:.3g} seconds, after step {one.step:g}"
    if one.kind == "threshold":
        return f"{one.metric} is {one.evidence['value']:.4g}, beyond {one.evidence['threshold']:.4g}, step {one.step:g}"
    size = f" by {abs(one.magnitude):.4g}" if one.magnitude else ""
    end = f" to {one.end_step:g}" if one.end_step is not None else ""
    return f"{one.metric} {_WHAT.get(one.kind, one.kind)}{size}, step {one.step:g}{end}"
