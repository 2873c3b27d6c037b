"""How long the middleware takes for a summary and for a decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Decision, Observation, Update
from exaid_evals.stats.descriptive import quantile


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare mean, median and 95th percentile, of summaries and of decisions."""
    kinds: tuple[tuple[str, Callable[..., float | None]], ...] = (
        ("latency_ms", latency_ms),
        ("trigger_latency_ms", trigger_latency_ms),
    )
    return [
        Measure(f"{prefix}_{suffix}", "ms", "lower", partial(function, q=q))
        for prefix, function in kinds
        for suffix, q in (("mean", None), ("p50", 0.50), ("p95", 0.95))
    ] + [
        Measure("latency_share_trigger", "share", "neither", latency_share_trigger),
        Measure("latency_share_summarizer", "share", "neither", latency_share_summarizer),
    ]


def latency_ms(seen: Observation, q: float | None) -> float | None:
    """Mean (q None) or q-quantile, over updates, of the time that making the update took.

    A failed update has cost its time too and counts; a passed-through message takes none and counts 0.

    Edge case: undefined without updates.

    >>> seen = Observation(updates=(Update(latency_ms=100), Update(latency_ms=400)))
    >>> latency_ms(seen, q=None), latency_ms(seen, q=0.5), latency_ms(seen, q=0.95)
    (250.0, 250.0, 385.0)
    """
    return _location(seen.updates, q)


def trigger_latency_ms(seen: Observation, q: float | None) -> float | None:
    """Mean (q None) or q-quantile, over the trigger's decisions, of the time that the decision took.

    Edge case: undefined without decisions; a trigger that asks nobody takes 0.

    >>> trigger_latency_ms(Observation(decisions=(Decision(latency_ms=30), Decision(latency_ms=60))), q=None)
    45.0
    """
    return _location(seen.decisions, q)


def latency_share_trigger(seen: Observation) -> float | None:
    """Σ latency of decisions / Σ latency of decisions and updates: the trigger's part of the time that work takes.

    Edge case: undefined where nothing takes any time.

    >>> latency_share_trigger(Observation(updates=(Update(latency_ms=300),), decisions=(Decision(latency_ms=100),)))
    0.25
    """
    of_trigger = sum(decision.latency_ms for decision in seen.decisions)
    total = of_trigger + sum(update.latency_ms for update in seen.updates)
    return of_trigger / total if total else None


def latency_share_summarizer(seen: Observation) -> float | None:
    """1 − `latency_share_trigger`: the summarizer's part.

    Edge case: undefined where nothing takes any time.

    >>> latency_share_summarizer(Observation(updates=(Update(latency_ms=300),), decisions=(Decision(latency_ms=100),)))
    0.75
    """
    share = latency_share_trigger(seen)
    return None if share is None else 1 - share


def _location(timed: Sequence[Update] | Sequence[Decision], q: float | None) -> float | None:
    latencies = [event.latency_ms for event in timed]
    if q is not None:
        return quantile(latencies, q)
    return sum(latencies) / len(latencies) if latencies else None
