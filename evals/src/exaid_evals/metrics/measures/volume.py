"""How much there is to read, and how large the conversation is."""

from __future__ import annotations

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """How much the clinician is given to read, against how much was said."""
    return [
        Measure("update_count", "count", "neither", update_count),
        Measure("output_ctu", "CTU", "lower", output_ctu),
        Measure("trace_ctu", "CTU", "neither", trace_ctu),
        Measure("compression", "share", "lower", compression),
        Measure("ctu_saved", "share", "higher", ctu_saved),
    ]


def update_count(seen: Observation) -> float:
    """n, the number of updates; those that broke the schema count.

    Edge case: none gives 0.

    >>> update_count(Observation(updates=(Update(), Update(ok=False))))
    2
    """
    return len(seen.updates)


def output_ctu(seen: Observation) -> float:
    """Σ CTU(f_i): what the clinician is shown.

    Each update is rounded up by itself, so that V0, whose updates are the messages, gives exactly `trace_ctu`.

    Edge case: no update gives 0.

    Updates of 5 and 4 code points have 2 and 1 CTU.

    >>> output_ctu(Observation(updates=(Update(ctu=2), Update(ctu=1))))
    3
    """
    return sum(update.ctu for update in seen.updates)


def trace_ctu(seen: Observation) -> float:
    """Σ CTU of the trace's messages: what was said.

    >>> trace_ctu(Observation(trace_ctu=120))
    120
    """
    return seen.trace_ctu


def compression(seen: Observation) -> float | None:
    """output_ctu / trace_ctu. It exceeds 1 where the updates are longer than the conversation.

    Edge case: undefined where the trace has no text.

    >>> compression(Observation(trace_ctu=400, updates=(Update(ctu=60), Update(ctu=40))))
    0.25
    """
    return output_ctu(seen) / seen.trace_ctu if seen.trace_ctu else None


def ctu_saved(seen: Observation) -> float | None:
    """1 − compression. Negative where the updates are longer than the conversation; undefined where compression is.

    >>> ctu_saved(Observation(trace_ctu=400, updates=(Update(ctu=60), Update(ctu=40))))
    0.75
    """
    share = compression(seen)
    return None if share is None else 1 - share


def conversation_measures(_: MetricsConfig) -> list[Measure]:
    """How large the conversation is that the middleware listens to: the same under every variant.

    The conversation's CTU is `trace_ctu`, of the family volume.
    """
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
