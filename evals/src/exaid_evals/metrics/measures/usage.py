"""What the middleware's calls of the language model cost: CTU, time, and answers that break the schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Decision, Observation, Update, Usage
from exaid_evals.stats.descriptive import quantile


def measures(_: MetricsConfig) -> list[Measure]:
    """What the middleware asks of the language model. Provider token counts enter no measure: CTU on both sides."""
    return [
        Measure("llm_calls", "count", "lower", llm_calls),
        Measure("prompt_ctu", "CTU", "lower", prompt_ctu),
        Measure("completion_ctu", "CTU", "lower", completion_ctu),
        Measure("trigger_calls", "count", "lower", trigger_calls),
        Measure("trigger_ctu", "CTU", "lower", trigger_ctu),
    ]


def llm_calls(seen: Observation) -> float:
    """Calls of the language model, by trigger and summarizer together, failed summaries included.

    Edge case: a middleware that calls none gives 0, which is a fact and not a gap.

    >>> update, decision = Update(usage={"calls": 2}), Decision(usage={"calls": 1})
    >>> llm_calls(Observation(updates=(update, Update()), decisions=(decision, decision)))
    4
    """
    return _total(_all(seen), "calls")


def prompt_ctu(seen: Observation) -> float:
    """CTU of all prompts, of trigger and summarizer together.

    >>> prompt_ctu(Observation(updates=(Update(usage={"prompt_ctu": 300}),)))
    300
    """
    return _total(_all(seen), "prompt_ctu")


def completion_ctu(seen: Observation) -> float:
    """CTU of all completions, of trigger and summarizer together.

    >>> completion_ctu(Observation(decisions=(Decision(usage={"completion_ctu": 7}),)))
    7
    """
    return _total(_all(seen), "completion_ctu")


def trigger_calls(seen: Observation) -> float:
    """Calls by the trigger: its part of `llm_calls`.

    >>> trigger_calls(Observation(updates=(Update(usage={"calls": 2}),), decisions=(Decision(usage={"calls": 1}),)))
    1
    """
    return _total(_of_triggers(seen), "calls")


def trigger_ctu(seen: Observation) -> float:
    """CTU of the trigger's prompts and completions: its part of `prompt_ctu` + `completion_ctu`.

    >>> trigger_ctu(Observation(decisions=(Decision(usage={"prompt_ctu": 50, "completion_ctu": 5}),)))
    55
    """
    return _total(_of_triggers(seen), "prompt_ctu") + _total(_of_triggers(seen), "completion_ctu")


def _of_triggers(seen: Observation) -> list[Usage | None]:
    return [decision.usage for decision in seen.decisions]


def _all(seen: Observation) -> list[Usage | None]:
    return [*(update.usage for update in seen.updates), *_of_triggers(seen)]


def _total(usages: Iterable[Usage | None], field: str) -> int:
    return sum(usage.get(field) or 0 for usage in usages if usage is not None)


def latency_measures(_: MetricsConfig) -> list[Measure]:
    """How long the middleware takes for a summary and for a decision."""
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


def schema_failures_measures(_: MetricsConfig) -> list[Measure]:
    """How often the summarizer breaks the schema."""
    return [Measure("schema_failure_rate", "share", "lower", schema_failure_rate)]


def schema_failure_rate(seen: Observation) -> float | None:
    """Failed updates / n.

    Edge case: undefined without updates.

    >>> schema_failure_rate(Observation(updates=(Update(), Update(ok=False), Update(), Update())))
    0.25
    """
    return 1 - len(seen.faithful_updates) / len(seen.updates) if seen.updates else None
