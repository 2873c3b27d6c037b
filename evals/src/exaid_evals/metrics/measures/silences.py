"""Stop and go: for how long nothing comes, and how much comes in a minute."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation

_MINUTE_MS = 60_000


def measures(config: MetricsConfig) -> list[Measure]:
    """Declare the family."""
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
