"""How much of what an update states was not in front of the summarizer when it wrote."""

from __future__ import annotations

from itertools import pairwise

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.measures.unsupported import share_outside
from exaid_evals.metrics.observation import Observation, Update


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
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
