"""How much of what was said reaches the clinician at all."""

from __future__ import annotations

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation, Update


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    return [
        Measure("coverage", "share", "higher", coverage, version=2),
        Measure("concepts_told", "count", "higher", concepts_told),
        Measure("concepts_never_told", "count", "lower", concepts_never_told),
        Measure("anticipated", "share", "lower", anticipated),
    ]


def coverage(seen: Observation) -> float | None:
    """|∪(K(s_i) ∩ K(T_i))| / |K(T)|: the share of what was said that some update states after it was said.

    T_i is what had been said, whole, when update i was emitted: a guess that comes true later does not count.

    Edge cases: undefined where the conversation states no concept; a failed update adds nothing; no update gives 0.

    The conversation states A, B, C and D, the last one after the updates, which state A and X, then A, B and D: two of
        four.

    >>> said = {"A": 0, "B": 0, "C": 0, "D": 900}
    >>> updates = (Update(t_ms=10, concepts={"A", "X"}), Update(t_ms=20, concepts={"A", "B", "D"}))
    >>> coverage(Observation(stated_ms=said, updates=updates))
    0.5
    """
    if not seen.trace_concepts:
        return None
    return len(seen.reported_by) / len(seen.trace_concepts)


def concepts_told(seen: Observation) -> float:
    """|∪(K(s_i) ∩ K(T_i))|: how many of the conversation's concepts some update states after they were said.

    >>> concepts_told(Observation(stated_ms={"A": 0, "B": 0}, updates=(Update(concepts={"A"}),)))
    1
    """
    return len(seen.reported_by)


def concepts_never_told(seen: Observation) -> float:
    """|K(T)| − |∪(K(s_i) ∩ K(T_i))|: how many of the conversation's concepts never reach the clinician.

    >>> concepts_never_told(Observation(stated_ms={"A": 0, "B": 0}, updates=(Update(concepts={"A"}),)))
    1
    """
    return len(seen.trace_concepts) - len(seen.reported_by)


def anticipated(seen: Observation) -> float | None:
    """The share of K(∪s) that an update stated before anyone had said it, and that somebody said later.

    What nobody ever says is `unsupported`; what is neither was said before it was first stated.

    Edge case: undefined where the updates state no concept.

    A was said first, B after the update, X never: one of three.

    >>> seen = Observation(stated_ms={"A": 0, "B": 900}, updates=(Update(t_ms=10, concepts={"A", "B", "X"}),))
    >>> round(anticipated(seen), 3)
    0.333
    """
    first: dict[str, Update] = {}
    for update in seen.updates:
        for concept in update.concepts:
            first.setdefault(concept, update)
    early = [c for c, update in first.items() if c in seen.trace_concepts and not seen.was_said(c, update)]
    return len(early) / len(first) if first else None
