"""How often an update says again what the one before it said, by concepts."""

from __future__ import annotations

from collections.abc import Set
from functools import partial
from itertools import pairwise

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(config: MetricsConfig) -> list[Measure]:
    """Declare one measure per threshold."""
    return [Measure(f"redundancy_{tau:.2f}", "share", "lower", partial(redundancy, tau=tau)) for tau in config.tau_list]


def redundancy(seen: Observation, tau: float) -> float | None:
    """Share of consecutive updates with Jaccard(K(s_i), K(s_{i+1})) ≥ τ.

    Edge cases: undefined below two updates; two empty sets count 0, so neither silence nor a failed update is
    redundant. Never rises with τ.

    {A, B} and {A, B} agree fully, {A, B} and {A, C} by 1/3: one pair of two reaches 0.85.

    >>> updates = tuple(Update(concepts=set(ids)) for ids in ("AB", "AB", "AC"))
    >>> redundancy(Observation(updates=updates), tau=0.85)
    0.5
    """
    pairs = list(pairwise(update.concepts for update in seen.updates))
    if not pairs:
        return None
    return sum(jaccard(one, other) >= tau for one, other in pairs) / len(pairs)


def jaccard(one: Set[str], other: Set[str]) -> float:
    """|A ∩ B| / |A ∪ B|; 0 for two empty sets."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0
