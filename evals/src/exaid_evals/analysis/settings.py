"""The settings of an analysis: thresholds of the detectors, directions of metrics, the metric that counts."""

from __future__ import annotations

from pydantic import Field

from exaid_evals.anomalies.base import AnomalySettings, Share
from exaid_evals.config.base import Config


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
    causes: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Further causes to weigh, by entry point or `module:attribute`."""


class AnalysisConfig(AnomalySettings):
    """All settings of an analysis."""

    primary_metric: str | None = None
    """The metric that counts; None takes a validation metric whose direction is known."""
    root_cause: RootCauseSettings = Field(default_factory=RootCauseSettings)
