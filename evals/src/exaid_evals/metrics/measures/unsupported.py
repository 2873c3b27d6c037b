"""What updates state and nobody said: at all, or in front of the summarizer when it wrote."""

from __future__ import annotations

from itertools import pairwise

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation, Update


def measures(_: MetricsConfig) -> list[Measure]:
    """How much of what the updates state was never said."""
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


def window_support_measures(_: MetricsConfig) -> list[Measure]:
    """How much of what an update states was not in front of the summarizer when it wrote."""
    return [
        Measure("window_unsupported", "share", "lower", window_unsupported),
        Measure("contract_unsupported", "share", "lower", contract_unsupported),
    ]


def window_unsupported(seen: Observation) -> float | None:
    """Mean over updates of the share of K(s_i) that is not in K(W_i), the text that the update covers.

    A summarizer that repeats its history scores high here without being wrong: see `contract_unsupported`.

    Edge cases: an update without concepts counts 0; failed updates are left out; undefined where none is left.

    >>> updates = (Update(concepts={"A", "B"}, window_concepts={"A"}), Update(concepts={"C"}, window_concepts={"C"}))
    >>> window_unsupported(Observation(updates=updates))
    0.25
    """
    shares = [share_outside(update.concepts, update.window_concepts) for update in seen.faithful_updates]
    return sum(shares) / len(shares) if shares else None


def contract_unsupported(seen: Observation) -> float | None:
    """Mean over updates of the share of K(s_i) that is neither in K(W_i) nor in K(s_{i−1}).

    The contract of a summarizer is its window and the state that it updates. s_{i−1} is the last update before i
    that kept the schema: failed updates are left out of the sequence, since nobody can build on them.

    Edge cases: as for `window_unsupported`; the first update has its window alone.

    The second update states A from the first, C from its window, and X from nowhere.

    >>> first = Update(concepts=frozenset({"A", "B"}), window_concepts=frozenset({"A", "B"}))
    >>> second = Update(concepts=frozenset({"A", "C", "X", "Y"}), window_concepts=frozenset({"C"}))
    >>> contract_unsupported(Observation(updates=(first, second)))
    0.25
    """
    shares = [
        share_outside(update.concepts, update.window_concepts | before.concepts)
        for before, update in pairwise((Update(), *seen.faithful_updates))
    ]
    return sum(shares) / len(shares) if shares else None
