"""What an anomaly is, and anomalies in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
AnomalyKind = Literal[
    "sudden_drop",
    "outlier",
    "change_point",
    "plateau",
    "divergence",
    "not_finite",
    "no_progress",
    "unscaled_start",
    "oscillation",
    "overfitting_gap",
    "stall",  # this and the next are reported during a training only
    "threshold",
]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something at a step of a metric that ought not to be.

    Attributes:
        metric: its name.
        kind: what it is.
        step: where it is, or begins.
        magnitude: how large, in units of the metric, signed as the metric moved.
        severity: how bad, by the detector's stated rule.
        detector: that found it.
        evidence: the numbers that the detector went by, as plain data (`before`, `after`, `z`, `threshold`).
        interval: the last step before it and the first one at which it shows: where it lies for certain.
        end_step: where it ends; None for an anomaly of one step, or one that lasts to the end.
    """

    metric: str
    kind: AnomalyKind
    step: float
    magnitude: float | None
    severity: Severity
    detector: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    end_step: float | None = None

    def __getitem__(self, key: str) -> Any:
        """Return an attribute by its name, `type` for the kind, or `drop_magnitude` for the size without its sign.

        Raises:
            KeyError: there is no such thing.
        """
        if key == "drop_magnitude":
            return None if self.magnitude is None else abs(self.magnitude)
        name = "kind" if key == "type" else key
        if name not in self.__slots__:
            raise KeyError(key)
        return getattr(self, name)


def by_relative_size(relative: float, z: float | None = None) -> Severity:
    """Return how bad a loss of a share of the level is: from 25 % critical, 10 % high, 5 % medium.

    A loss that stands less than ten times above the noise is one degree less.
    """
    degree = 3 if relative >= 0.25 else 2 if relative >= 0.1 else 1 if relative >= 0.05 else 0
    if z is not None and z < 10 and degree:
        degree -= 1
    return SEVERITIES[degree]


def evidence_of(one: Anomaly) -> str:
    """Return the numbers that a detector went by, in one line."""
    parts = []
    for name, value in one.evidence.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        parts.append(f"{name.replace('_', ' ')} {shown}")
    return ", ".join(parts)


WHAT = {
    "sudden_drop": "got worse at once",
    "change_point": "moved to another level",
    "outlier": "has a value far from those before it",
    "plateau": "has stopped improving",
    "divergence": "diverged",
    "not_finite": "was NaN or infinite",
    "no_progress": "never improved: the model does not learn",
    "unscaled_start": "began far from any scale and fell",
    "oscillation": "oscillated",
    "overfitting_gap": "got worse while the training improved (overfitting)",
}
"""Kind of anomaly → what the metric did."""


def described(one: Anomaly) -> str:
    """Return an anomaly as a clause."""
    if one.kind == "stall":
        return f"no step for {one.magnitude or 0:.3g} seconds, after step {one.step:g}"
    if one.kind == "threshold":
        return f"{one.metric} is {one.evidence['value']:.4g}, beyond {one.evidence['threshold']:.4g}, step {one.step:g}"
    size = f" by {abs(one.magnitude):.4g}" if one.magnitude else ""
    end = f" to {one.end_step:g}" if one.end_step is not None else ""
    return f"{one.metric} {WHAT.get(one.kind, one.kind)}{size}, step {one.step:g}{end}"
