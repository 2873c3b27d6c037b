"""The settings of an analysis: thresholds of the detectors, directions of metrics, the metric that counts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from exaid_evals.config.base import Config

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=2)]


class DropThreshold(Config):
    """How far a metric must fall to have dropped; both must be passed."""

    absolute: Annotated[float, Field(ge=0)] = 0.0
    """In units of the metric."""
    relative: Share = 0.05
    """Of the level before."""


class SuddenDropSettings(DropThreshold):
    """A fall from one point to the next ones."""

    window: Count = 8
    """Points of the level before."""
    min_z: Positive = 4.5
    """Fall over the noise of the points before; below it, a fall is noise however large."""
    per_metric: dict[str, DropThreshold] = Field(default_factory=dict)
    """Thresholds of single metrics."""


class RobustZSettings(Config):
    """Single points far from the rolling median."""

    window: Count = 25
    threshold: Positive = 7.0
    """In units of 1.4826 · MAD."""


class ChangePointSettings(Config):
    """Shifts of the level, by the exact search of ruptures."""

    penalty: Positive = 4.0
    """Times log n, for a signal in units of its noise."""
    min_size: Count = 4
    """Points between two changes."""
    min_z: Positive = 4.0
    """Shift over the noise."""
    max_points: Count = 5000
    """A longer series is averaged in equal groups of points first, and the interval of location says so."""


class PlateauSettings(Config):
    """A metric that no longer improves well before the end."""

    share: Share = 0.4
    """Of the run, at its end, that is looked at."""
    min_points: Count = 10
    tolerance: Positive = 0.01
    """Improvement over that part, as a share of what the run has gained before, below which it is a plateau."""


class DivergenceSettings(Config):
    """A metric that ends far worse than its best."""

    factor: Positive = 3.0
    """Times the level of its best stretch, for a metric that improves downwards."""
    window: Count = 5


class OscillationSettings(Config):
    """A metric that swings in a rhythm."""

    min_points: Count = 24
    min_autocorrelation: Share = 0.5
    """Of the detrended series at the swing's period, and as far below zero at half of it."""
    min_amplitude: Share = 0.05
    """Of the level."""


class OverfittingSettings(Config):
    """The validation loss rises while the training loss falls."""

    min_points: Count = 8
    min_rise: Share = 0.1
    """Of the best validation value."""


class RootCauseSettings(Config):
    """How hypotheses are weighed."""

    lookback: Share = 0.08
    """Of the run before the onset: what happened earlier is not a cause of it."""
    horizon: Share = 0.3
    """Of the run after the onset, within which batches are held against each other."""
    least_score: float = 1.5
    """`unknown` stands at this score: a hypothesis with less explains nothing."""
    explains: float = 4.0
    """A drop that is not critical by itself counts where a hypothesis has this score: small drops are often chance."""


class AnalysisConfig(Config):
    """Everything that an analysis can be told."""

    primary_metric: str | None = None
    """The metric that counts; None takes a validation metric whose direction is known."""
    directions: dict[str, Literal["higher", "lower"]] = Field(default_factory=dict)
    """How metrics improve whose name does not tell."""
    sudden_drop: SuddenDropSettings = Field(default_factory=SuddenDropSettings)
    robust_z: RobustZSettings = Field(default_factory=RobustZSettings)
    change_point: ChangePointSettings = Field(default_factory=ChangePointSettings)
    plateau: PlateauSettings = Field(default_factory=PlateauSettings)
    divergence: DivergenceSettings = Field(default_factory=DivergenceSettings)
    oscillation: OscillationSettings = Field(default_factory=OscillationSettings)
    overfitting: OverfittingSettings = Field(default_factory=OverfittingSettings)
    root_cause: RootCauseSettings = Field(default_factory=RootCauseSettings)
