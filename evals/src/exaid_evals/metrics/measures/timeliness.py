"""When updates come: how long the clinician waits, lags behind the conversation, and hears nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from functools import partial
from itertools import pairwise

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation, Update
from exaid_evals.stats.descriptive import (
    Blocks,
    average_lagging,
    differentiable_lagging,
    length_adaptive_lagging,
    median_survival,
    quantile,
    restricted_mean,
)


def measures(config: MetricsConfig) -> list[Measure]:
    """How long the clinician waits."""
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


_MINUTE_MS = 60_000


def silences_measures(config: MetricsConfig) -> list[Measure]:
    """Stop and go: for how long nothing comes, and how much comes in a minute."""
    return [
        Measure("silence_count", "count", "lower", partial(silence_count, least_ms=config.silence_ms)),
        Measure("silence_ms_total", "ms", "lower", partial(silence_ms_total, least_ms=config.silence_ms)),
        Measure("silence_ms_max", "ms", "lower", silence_ms_max),
        Measure("updates_per_minute", "count", "neither", updates_per_minute),
        Measure("output_ctu_per_minute", "CTU", "neither", output_ctu_per_minute),
    ]


def silence_count(seen: Observation, least_ms: int) -> float:
    """The number of stretches of `least_ms` or more in which no update came.

    Stretches lie between updates that kept the schema, before the first, and between the last and the end of the
    conversation where that came later.

    Nothing comes from 0 to 20 and from 30 to 60 ms:

    >>> silence_count(Observation(end_ms=60, updates=(Update(t_ms=20), Update(t_ms=30))), least_ms=20)
    2
    """
    return sum(stretch >= least_ms for stretch in _stretches(seen))


def silence_ms_total(seen: Observation, least_ms: int) -> float:
    """The ms that those stretches of `least_ms` or more last together.

    >>> silence_ms_total(Observation(end_ms=60, updates=(Update(t_ms=20), Update(t_ms=30))), least_ms=20)
    50
    """
    return sum(stretch for stretch in _stretches(seen) if stretch >= least_ms)


def silence_ms_max(seen: Observation) -> float:
    """The longest stretch in which no update came, in ms.

    >>> silence_ms_max(Observation(end_ms=60, updates=(Update(t_ms=20), Update(t_ms=30))))
    30
    """
    return max(_stretches(seen))


def updates_per_minute(seen: Observation) -> float | None:
    """Updates that kept the schema, in a minute of what was observed.

    Edge case: undefined where nothing lasts.

    >>> updates_per_minute(Observation(end_ms=30000, updates=(Update(t_ms=20), Update(t_ms=30))))
    4.0
    """
    return len(seen.faithful_updates) * _MINUTE_MS / seen.last_ms if seen.last_ms else None


def output_ctu_per_minute(seen: Observation) -> float | None:
    """Σ CTU(f_i) in a minute of what was observed: how fast the clinician would have to read.

    Edge case: undefined where nothing lasts.

    >>> output_ctu_per_minute(Observation(end_ms=30000, updates=(Update(t_ms=20, ctu=100),)))
    200.0
    """
    return sum(update.ctu for update in seen.updates) * _MINUTE_MS / seen.last_ms if seen.last_ms else None


def _stretches(seen: Observation) -> list[int]:
    times = [0, *(update.t_ms for update in seen.faithful_updates)]
    return [later - earlier for earlier, later in pairwise([*times, max(times[-1], seen.end_ms)])]


_AL, _LAAL, _DAL = "al", "laal", "dal"


def lagging_measures(_: MetricsConfig) -> list[Measure]:
    """How far the clinician lags behind the conversation, as simultaneous translation measures lag.

    The source is the conversation, once as its concepts in the order in which they were first said and once as its CTU;
    the output is what updates report. A unit's delay is how much of the source had been said when it came. Each measure
    has two forms: as it was, latency included, and `_without_latency`, as it would be if each update came when its
    window had left the gate. Formulas and sources: `exaid_evals.stats.descriptive`.
    """
    return [
        Measure(f"lag_{kind}{over}{ending}", unit, "lower", partial(compute, kind=kind, latency=not ending))
        for over, unit, compute in (("", "concepts", lag), ("_ctu", "CTU", lag_ctu))
        for ending in ("", "_without_latency")
        for kind in (_AL, _LAAL, _DAL)
    ]


def lag(seen: Observation, kind: str, *, latency: bool) -> float | None:
    """AL, LAAL or DAL over concepts: by how many concepts the clinician lags behind the conversation.

    The source is K(T) in order of first mention; the output are the concepts reported, in order of the update that
    reports them first; the ideal policy reports every concept as it is said, so that |Y| = |X| = |K(T)|. What is never
    reported adds no unit: read it beside `concepts_never_told`.

    Edge case: undefined where nothing is reported.

    A, B and C are said in turn; an update reports A when two were said, another B and C when all were: lags of 2 and
    3 − 1 until all is said.

    >>> updates = (Update(t_ms=25, concepts={"A"}), Update(t_ms=40, concepts={"B", "C"}))
    >>> lag(Observation(stated_ms={"A": 10, "B": 20, "C": 30}, updates=updates), kind="al", latency=True)
    2.0
    """
    said = sorted(seen.stated_ms.values())
    reported = Counter(update_at(update, latency=latency) for update in seen.reported_by.values())
    blocks = [(bisect_right(said, t_ms), reported[t_ms]) for t_ms in sorted(reported)]
    return _lag(kind, blocks, len(said), len(said))


def lag_ctu(seen: Observation, kind: str, *, latency: bool) -> float | None:
    """AL, LAAL or DAL over CTU: by how much text the clinician lags behind the conversation.

    The source are the CTU of the conversation as they arrive, the output those of the updates. The ideal policy says as
    much as was said, spread evenly over the conversation, so that |Y| is the output's own length and AL equals LAAL.

    Edge case: undefined where there is no output.

    Eight CTU are said; two CTU of output come when 4 were said, two more at the end: lags of 4, 4 − 2 and 8 − 4.

    >>> updates = (Update(t_ms=1, ctu=2, said_ctu=4), Update(t_ms=2, ctu=2, said_ctu=8))
    >>> round(lag_ctu(Observation(trace_ctu=8, updates=updates), kind="al", latency=True), 3)
    3.333
    """
    ordered = sorted(seen.updates, key=lambda update: update_at(update, latency=latency))
    blocks = [(update.said_ctu if latency else update.flushed_said_ctu, update.ctu) for update in ordered]
    return _lag(kind, blocks, seen.trace_ctu, sum(update.ctu for update in ordered))


def update_at(update: Update, *, latency: bool) -> int:
    """Return when an update came, or would have without latency."""
    return update.t_ms if latency else update.flushed_ms


def _lag(kind: str, blocks: Blocks, source_length: int, target_length: int) -> float | None:
    if kind == _DAL:
        return differentiable_lagging(blocks, source_length)
    average = average_lagging if kind == _AL else length_adaptive_lagging
    return average(blocks, source_length, target_length)
