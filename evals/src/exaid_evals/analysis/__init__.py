"""Experiments: what is wrong with a run and why, several runs compared, images audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exaid_evals.analysis.statistical import detect_statistical_anomalies

__all__ = ["detect_statistical_anomalies"]


def __getattr__(name: str) -> Any:
    """Import the function when it is asked for: `--help` loads no NumPy."""
    if name == "detect_statistical_anomalies":
        from exaid_evals.analysis.statistical import detect_statistical_anomalies

        return detect_statistical_anomalies
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
