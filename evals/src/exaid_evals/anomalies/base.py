"""What an anomaly is, and from which values on something is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from exaid_evals.config.base import Config

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=2)]


class DropThreshold(Config):
    """How far a metric must fall to have dropped; both must be passed."""

    absolute: NotNegative = 0.0
    """In units of the metric."""
    relative: Share = 0.05
    """Of the level before, or of what the metric had gained if that is more."""


class DetectionSettings(Config):
    """The streaming detectors."""

    performance_drop_threshold: Share = 0.05
    """A fall of this share of the level before is a drop, if it also stands above the noise."""
    drop_thresholds: dict[str, DropThreshold] = Field(default_factory=dict)
    """Thresholds of single metrics."""
    drop_window: Annotated[int, Field(ge=3, le=1000)] = 8
    """Values of the level before a drop."""
    drop_min_z: Positive = 4.5
    """A fall over the noise of the level before and of what came after; below it, a fall is noise however large."""
    outlier_window: Annotated[int, Field(ge=5, le=1000)] = 25
    outlier_threshold: Positive = 7.0
    """Distance from the median, in units of the robust noise."""
    divergence_factor: Annotated[float, Field(gt=1)] = 3.0
    """A loss this many times its best has diverged; another metric, when it has lost 1 − 1/factor of its gain."""
    plateau_patience: Annotated[int, Field(ge=5)] = 100
    """Values of a metric without an improvement, after which it is on a plateau."""
    plateau_tolerance: Share = 0.01
    """An improvement by less than this share of all that was gained is none."""
    directions: dict[str, Literal["higher", "lower"]] = Field(default_factory=dict)
    """How metrics improve whose name does not say."""
    detectors: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Further detectors, by entry point or `module:attribute`."""


class ChangePointSettings(Config):
    """Lasting changes of a series."""

    penalty: Positive = 1.0
    """Times log n, for each parameter of a segment: 1 is the Bayesian information criterion."""
    min_size: Count = 5
    """Points between two changes; a quarter of a series that has fewer than twenty."""
    min_z: Positive = 4.0
    """Shift over the noise."""
    max_points: Count = 500
    """A longer series is averaged in equal groups of points first."""


class OscillationSettings(Config):
    """A metric that swings in a rhythm."""

    min_points: Count = 24
    min_autocorrelation: Share = 0.5
    """Of the detrended series at the swing's period, and as far below zero at half of it."""
    min_amplitude: Share = 0.05
    """Of the level."""


class OverfittingSettings(Config):
    """The validation metric gets worse while the training metric goes on improving."""

    min_points: Count = 4
    min_rise: Share = 0.1
    """Of the best validation value."""


class AnomalySettings(Config):
    """All detectors."""

    directions: dict[str, Literal["higher", "lower"]] = Field(default_factory=dict)
    """How metrics improve whose name does not say."""
    anomaly_detection: DetectionSettings = Field(default_factory=DetectionSettings)
    """The streaming ones, which the monitor has too."""
    change_point: ChangePointSettings = Field(default_factory=ChangePointSettings)
    oscillation: OscillationSettings = Field(default_factory=OscillationSettings)
    overfitting: OverfittingSettings = Field(default_factory=OverfittingSettings)


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
