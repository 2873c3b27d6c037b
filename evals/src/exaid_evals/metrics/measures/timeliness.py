"""How long the clinician waits."""

from __future__ import annotations

from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation
from exaid_evals.stats.descriptive import quantile
from exaid_evals.stats.survival import median_survival, restricted_mean


def measures(config: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    return [
        Measure("time_to_first_update_ms", "ms", "lower", time_to_first_update_ms),
        Measure("concept_delay_ms_p50", "ms", "lower", partial(concept_delay_ms, q=0.50), version=2),
        Measure("concept_delay_ms_p95", "ms", "lower", partial(concept_delay_ms, q=0.95), version=2),
        Measure("concept_delay_km_p50", "ms", "lower", concept_delay_km),
        Measure("concept_delay_rmst", "ms", "lower", partial(concept_delay_rmst, horizon=config.delay_horizon_ms)),
    ]


def time_to_first_update_ms(seen: Observation) -> float | None:
    """Virtual ms from the case's first message to the first update that kept the schema, latency included.

    Edge case: undefined where there is none; a failed update is nothing that a clinician could read.

    >>> time_to_first_update_ms(Observation(updates=(Update(t_ms=900, ok=False), Update(t_ms=4000))))
    4000
    """
    return min((update.t_ms for update in seen.faithful_updates), default=None)


def concept_delay_ms(seen: Observation, q: float) -> float | None:
    """The q-quantile, over concepts reported, of the time from the first mention to the first update after it.

    A mention counts from the arrival of its last code point. Concepts that never reach the clinician have no part in
    it, and a middleware that drops what comes late looks prompt: read it beside `concepts_never_told`, or read
    `concept_delay_km_p50`. Quantiles are interpolated linearly between order statistics.

    Edge cases: undefined where no concept of the conversation reaches the clinician; never negative, for what an update
        states
    before anyone said it is `anticipated`, and reported when an update states it again.

    A waits 3000 − 1000 ms, B 5000 − 1500 ms, C is never stated: delays of 2000 and 3500 ms.

    >>> updates = (Update(t_ms=3000, concepts={"A"}), Update(t_ms=5000, concepts={"A", "B"}))
    >>> concept_delay_ms(Observation(stated_ms={"A": 1000, "B": 1500, "C": 1700}, updates=updates), q=0.5)
    2750.0
    """
    return quantile([update.t_ms - seen.stated_ms[concept] for concept, update in seen.reported_by.items()], q)


def concept_delay_km(seen: Observation) -> float | None:
    """The Kaplan–Meier median, over all concepts of the conversation, of the time until an update states them.

    A concept that is never reported is censored: it had waited until the end of the conversation, or of the last update
    where that came later, and nobody knows for how long it would have.

    Edge cases: undefined where S stays above 1/2, as it does where few of the concepts are reported, or the
    conversation states none.

    A waits 2000 ms; B, said at 1500 ms, is never reported and has waited until 5000 ms: S falls to 1/2 at 2000 ms.

    >>> seen = Observation(stated_ms={"A": 1000, "B": 1500}, updates=(Update(t_ms=3000, concepts={"A"}),), end_ms=5000)
    >>> concept_delay_km(seen)
    2000
    """
    return median_survival(*_waits(seen))


def concept_delay_rmst(seen: Observation, horizon: int) -> float | None:
    """The restricted mean, over all concepts, of the time until an update states them: ∫ S(t) dt up to a horizon.

    The mean wait of a clinician who stops waiting at the horizon; concepts that are never reported count with what they
    waited, and from then on with the share that was never reported.

    Edge case: undefined where the conversation states no concept.

    As for the median, S is 1 up to 2000 ms and 1/2 from then on.

    >>> seen = Observation(stated_ms={"A": 1000, "B": 1500}, updates=(Update(t_ms=3000, concepts={"A"}),), end_ms=5000)
    >>> concept_delay_rmst(seen, horizon=4000)
    3000.0
    """
    return restricted_mean(*_waits(seen), horizon)


def _waits(seen: Observation) -> tuple[list[int], list[bool]]:
    """Return how long each concept of the conversation waited, and whether it was reported in the end."""
    reported, last_ms = seen.reported_by, seen.last_ms
    waits = [(reported[one].t_ms if one in reported else last_ms) - t_ms for one, t_ms in seen.stated_ms.items()]
    return waits, [concept in reported for concept in seen.stated_ms]
