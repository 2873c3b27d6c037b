"""How far the clinician lags behind the conversation, as simultaneous translation measures lag.

The source is the conversation, once as its concepts in the order in which they were first said and once as its CTU; the
output is what updates report. A unit's delay is how much of the source had been said when it came. Each measure stands
twice: as it was, latency included, and `_without_latency`, as it would be if each update came when its window had left
the gate. Formulas and sources: `exaid_evals.stats.survival`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation, Update
from exaid_evals.stats.survival import Blocks, average_lagging, differentiable_lagging, length_adaptive_lagging

_AL, _LAAL, _DAL = "al", "laal", "dal"


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family: three kinds of lag, over concepts and over CTU, with latency and without."""
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
