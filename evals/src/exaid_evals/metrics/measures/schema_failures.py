"""How often the summarizer breaks the schema."""

from __future__ import annotations

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    return [Measure("schema_failure_rate", "share", "lower", schema_failure_rate)]


def schema_failure_rate(seen: Observation) -> float | None:
    """Failed updates / n.

    Edge case: undefined without updates.

    >>> schema_failure_rate(Observation(updates=(Update(), Update(ok=False), Update(), Update())))
    0.25
    """
    return 1 - len(seen.faithful_updates) / len(seen.updates) if seen.updates else None
