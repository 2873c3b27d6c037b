"""How long the clinician waits."""

from __future__ import annotations

from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation
from exaid_evals.stats.quantiles import quantile


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    return [
        Measure("time_to_first_update_ms", "ms", "lower", time_to_first_update_ms),
        Measure("concept_delay_ms_p50", "ms", "lower", partial(concept_delay_ms, q=0.50)),
        Measure("concept_delay_ms_p95", "ms", "lower", partial(concept_delay_ms, q=0.95)),
    ]


def time_to_first_update_ms(seen: Observation) -> float | None:
    """Virtual ms from the case's first message to the first update that kept the schema, latency included.

    Edge case: undefined where there is none; a failed update is nothing that a clinician could read.

    >>> time_to_first_update_ms(Observation(updates=(Update(t_ms=900, ok=False), Update(t_ms=4000))))
    4000
    """
    return min((update.t_ms for update in seen.faithful_updates), default=None)


def concept_delay_ms(seen: Observation, q: float) -> float | None:
    """The q-quantile, over concepts, of the time from first mention in the conversation to first update that states it.

    A mention counts from the arrival of its last code point. Only concepts that both the conversation and the updates
    state have a delay: read it beside `coverage`, since a middleware that drops what comes late looks prompt.
    Quantiles are interpolated linearly between order statistics.

    Edge cases: undefined where no concept of the conversation reaches the clinician; negative for a concept that an
        update
    states before the conversation does.

    A waits 3000 − 1000 ms, B 5000 − 1500 ms, C is never stated: delays of 2000 and 3500 ms.

    >>> updates = (Update(t_ms=3000, concepts={"A"}), Update(t_ms=5000, concepts={"A", "B"}))
    >>> concept_delay_ms(Observation(stated_ms={"A": 1000, "B": 1500, "C": 1700}, updates=updates), q=0.5)
    2750.0
    """
    first_update_ms: dict[str, int] = {}
    for update in seen.updates:
        for concept in update.concepts:
            first_update_ms.setdefault(concept, update.t_ms)
    stated = seen.stated_ms
    return quantile(
        [first_update_ms[concept] - t_ms for concept, t_ms in stated.items() if concept in first_update_ms], q
    )
