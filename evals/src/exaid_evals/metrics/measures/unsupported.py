"""How much of what the updates state was never said."""

from __future__ import annotations

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    return [
        Measure("unsupported", "share", "lower", unsupported),
        Measure("unsupported_per_update", "share", "lower", unsupported_per_update),
    ]


def unsupported(seen: Observation) -> float | None:
    """|K(∪s) − K(T)| / |K(∪s)|: the share of stated concepts that occur nowhere in the conversation.

    Edge case: undefined where the updates state no concept.

    Of the stated A, B, X and Y the conversation knows A and B.

    >>> updates = (Update(concepts={"A", "X"}), Update(concepts={"A", "B", "Y"}))
    >>> unsupported(Observation(stated_ms={"A": 0, "B": 0}, updates=updates))
    0.5
    """
    if not seen.output_concepts:
        return None
    return len(seen.output_concepts - seen.trace_concepts) / len(seen.output_concepts)


def unsupported_per_update(seen: Observation) -> float | None:
    """Mean over updates of |K(s_i) − K(T)| / |K(s_i)|.

    Edge cases: an update without concepts counts 0; failed updates are left out; undefined where none is left.

    Shares of 1/2 and 0 have the mean 1/4.

    >>> updates = (Update(concepts={"A", "X"}), Update(concepts={"A"}), Update(ok=False))
    >>> unsupported_per_update(Observation(stated_ms={"A": 0}, updates=updates))
    0.25
    """
    shares = [share_outside(update.concepts, seen.trace_concepts) for update in seen.faithful_updates]
    return sum(shares) / len(shares) if shares else None


def share_outside(stated: frozenset[str], support: frozenset[str]) -> float:
    """Return the share of `stated` that is not in `support`; 0 where nothing is stated."""
    return len(stated - support) / len(stated) if stated else 0.0
