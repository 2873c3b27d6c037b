"""How much of what was said reaches the clinician at all."""

from __future__ import annotations

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    return [Measure("coverage", "share", "higher", coverage)]


def coverage(seen: Observation) -> float | None:
    """|K(∪s) ∩ K(T)| / |K(T)|: the share of the conversation's concepts that some update states.

    Edge cases: undefined where the conversation states no concept; a failed update adds nothing; no update gives 0.

    The conversation states A, B, C and D; the updates state A and X, then A and B: two of four.

    >>> said = {"A": 0, "B": 0, "C": 0, "D": 0}
    >>> coverage(Observation(stated_ms=said, updates=(Update(concepts={"A", "X"}), Update(concepts={"A", "B"}))))
    0.5
    """
    if not seen.trace_concepts:
        return None
    return len(seen.output_concepts & seen.trace_concepts) / len(seen.trace_concepts)
