"""How often an update says again what the one before it said, by words."""

from __future__ import annotations

from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(config: MetricsConfig) -> list[Measure]:
    """Declare one measure per threshold."""
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
