"""How large the conversation is that the middleware listens to: the same under every variant."""

from __future__ import annotations

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family. The conversation's CTU is `trace_ctu`, of the family volume."""
    return [
        Measure("trace_messages", "count", "neither", trace_messages),
        Measure("trace_concepts", "count", "neither", trace_concepts),
    ]


def trace_messages(seen: Observation) -> float:
    """|T|, the number of the trace's messages.

    >>> trace_messages(Observation(trace_messages=11))
    11
    """
    return seen.trace_messages


def trace_concepts(seen: Observation) -> float:
    """|K(T)|, the number of distinct concepts that the conversation states: what coverage is a share of.

    Edge case: 0 where the extractor finds none, and coverage is undefined.

    >>> trace_concepts(Observation(stated_ms={"HP:0001945": 10, "HP:0002315": 900}))
    2
    """
    return len(seen.trace_concepts)
