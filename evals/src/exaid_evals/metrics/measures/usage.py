"""What the middleware asks of the language model. Provider token counts enter no measure: CTU on both sides."""

from __future__ import annotations

from collections.abc import Iterable

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation, Usage


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
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
