"""How often an update says again what the one before it said."""

from __future__ import annotations

from collections.abc import Set
from functools import partial
from itertools import pairwise

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(config: MetricsConfig) -> list[Measure]:
    """How often an update says again what the one before it said, by concepts."""
    return [
        *(Measure(f"redundancy_{tau:.2f}", "share", "lower", partial(redundancy, tau=tau)) for tau in config.tau_list),
        Measure("jaccard_mean", "share", "lower", jaccard_mean),
        Measure("restated", "share", "lower", restated),
    ]


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


def jaccard_mean(seen: Observation) -> float | None:
    """Mean Jaccard(K(s_i), K(s_{i+1})) of consecutive updates.

    Edge cases: undefined below two updates; two empty sets count 0.

    {A, B} and {A, B} agree fully, {A, B} and {A, C} by 1/3.

    >>> updates = tuple(Update(concepts=set(ids)) for ids in ("AB", "AB", "AC"))
    >>> round(jaccard_mean(Observation(updates=updates)), 3)
    0.667
    """
    pairs = list(pairwise(update.concepts for update in seen.updates))
    return sum(jaccard(one, other) for one, other in pairs) / len(pairs) if pairs else None


def restated(seen: Observation) -> float | None:
    """Σ_i |K(s_i) ∩ ∪_{j<i} K(s_j)| / Σ_i |K(s_i)|: of what updates state, the share that an earlier one had stated.

    Edge case: undefined where the updates state no concept; the first update restates nothing.

    Of {A, B}, {A, C} and {B, C}, three of six had been stated before.

    >>> restated(Observation(updates=tuple(Update(concepts=set(ids)) for ids in ("AB", "AC", "BC"))))
    0.5
    """
    earlier: set[str] = set()
    again = 0
    for update in seen.updates:
        again += len(earlier & update.concepts)
        earlier |= update.concepts
    total = sum(len(update.concepts) for update in seen.updates)
    return again / total if total else None


def jaccard(one: Set[str], other: Set[str]) -> float:
    """|A ∩ B| / |A ∪ B|; 0 for two empty sets."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0


def redundancy_text_measures(config: MetricsConfig) -> list[Measure]:
    """How often an update says again what the one before it said, by words."""
    return [
        Measure(f"redundancy_text_{tau:.2f}", "share", "lower", partial(redundancy_text, tau=tau))
        for tau in config.tau_list
    ]


def redundancy_text(seen: Observation, tau: float) -> float | None:
    """Share of consecutive updates whose texts s_i, s_{i+1} have a cosine of word counts ≥ τ.

    Words are separated by white space, as everywhere in the pipeline, and compared in lower case.

    Edge cases: undefined below two updates; a text without words (a failed update) has the cosine 0 with any.
    Never rises with τ.

    The first two texts share three of four words, cosine 3/4; the last two are equal.

    >>> texts = ("fever and severe pain", "fever and mild pain", "Fever and mild pain")
    >>> seen = Observation(updates=tuple(Update(text=text) for text in texts))
    >>> redundancy_text(seen, tau=0.85), redundancy_text(seen, tau=0.75)
    (0.5, 1.0)
    """
    cosines = seen.text_cosines
    return sum(cosine >= tau for cosine in cosines) / len(cosines) if cosines else None
