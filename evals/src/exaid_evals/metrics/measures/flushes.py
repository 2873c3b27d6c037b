"""What leaves the gate: how often, how large, and why."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation
from exaid_evals.stats.descriptive import quantile

REASONS = (
    "min_words",
    "max_words",
    "boundary_cue",
    "silence",
    "max_wait",
    "fixed_ctu",
    "message",
    "turn_end",
    "end_of_trace",
)
"""Those of the gates that ship; a gate of one's own has its own, which add to no share here."""


def measures(_: MetricsConfig) -> list[Measure]:
    """What leaves the gate: how often, how large, and why."""
    return [
        Measure("flush_count", "count", "neither", flush_count),
        Measure("flush_ctu_p50", "CTU", "neither", partial(flush_size, of="ctu")),
        Measure("flush_words_p50", "count", "neither", partial(flush_size, of="words")),
        Measure("flush_interval_ms_p50", "ms", "neither", partial(flush_interval_ms, q=0.50)),
        Measure("flush_interval_ms_p95", "ms", "neither", partial(flush_interval_ms, q=0.95)),
        *(
            Measure(f"flush_share_{reason}", "share", "neither", partial(flush_share, reason=reason))
            for reason in REASONS
        ),
    ]


def flush_count(seen: Observation) -> float:
    """The number of chunks that left the gate.

    >>> flush_count(Observation(flushes=(Flush(), Flush())))
    2
    """
    return len(seen.flushes)


def flush_size(seen: Observation, of: str) -> float | None:
    """The median size of a chunk, in CTU or in words.

    Edge case: undefined without flushes.

    >>> flush_size(Observation(flushes=(Flush(ctu=10), Flush(ctu=30))), of="ctu")
    20.0
    """
    return quantile([flush.ctu if of == "ctu" else flush.words for flush in seen.flushes], 0.50)


def flush_interval_ms(seen: Observation, q: float) -> float | None:
    """The q-quantile of the time from one flush to the next.

    Edge case: undefined below two flushes.

    >>> flush_interval_ms(Observation(flushes=(Flush(t_ms=10), Flush(t_ms=40))), q=0.5)
    30.0
    """
    return quantile([later.t_ms - earlier.t_ms for earlier, later in pairwise(seen.flushes)], q)


def flush_share(seen: Observation, reason: str) -> float | None:
    """The share of flushes for a reason; `silence` and `max_wait` are the gate's timers.

    Edge case: undefined without flushes.

    >>> flush_share(Observation(flushes=(Flush(reason="silence"), Flush(reason="turn_end"))), reason="silence")
    0.5
    """
    return sum(flush.reason == reason for flush in seen.flushes) / len(seen.flushes) if seen.flushes else None
