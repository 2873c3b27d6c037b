"""When a value is an anomaly: one set of thresholds, for a training that goes on and for one that has ended."""

from __future__ import annotations

from typing import Annotated, Literal

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
