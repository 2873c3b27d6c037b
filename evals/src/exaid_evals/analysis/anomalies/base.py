"""What an anomaly is, and what a detector is: a file that looks at one series, or at a history, for one kind of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from exaid_evals.runs.history import History, Series
from exaid_evals.runs.metric_names import Direction

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
AnomalyKind = Literal[
    "sudden_drop",
    "outlier",
    "change_point",
    "plateau",
    "divergence",
    "not_finite",
    "oscillation",
    "overfitting_gap",
    "stall",  # told of during a training only
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


class Detector(Protocol):
    """Finds one kind of anomaly in one metric. Its settings are its constructor's argument."""

    @property
    def name(self) -> str:
        """The detector's name."""

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the anomalies of a series, in order of their steps.

        Args:
            series: of one metric.
            direction: in which the metric improves; None where that is not known, and no drop can be told from a rise.
        """


class HistoryDetector(Protocol):
    """Finds one kind of anomaly that several metrics show together."""

    @property
    def name(self) -> str:
        """The detector's name."""

    def find_in(self, history: History, directions: Mapping[str, Direction]) -> Sequence[Anomaly]:
        """Return the anomalies of a history, in order of their steps."""


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
