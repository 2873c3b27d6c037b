"""Whether what stands beside a metric has got worse with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.analysis.anomalies.robust import MAD_TO_SIGMA
from exaid_evals.monitor.detectors.stream import Stream

_SURE_ALONE = 10.0
_SUPPORT = 2.0
"""Chosen on the development half of the simulated runs of bench_monitor.py, where 7 of 240 clean runs are left with an
alarm, rather than 19, and no cause is lost."""


def weighed(drop: Anomaly, beside: Iterable[tuple[Stream, float]]) -> Anomaly:
    """Return a drop of severity high as a medium one, where nothing else of its phase got worse at its step.

    A loss has long tails: two bad batches, or one evaluation that is sure of a wrong answer, move it by five times its
    noise while the accuracy of the same batches stays. Damage moves both. What stands ten times above the noise is sure
    by itself, and so is what has nothing beside it.

    Args:
        drop: a sudden drop.
        beside: the metrics that were logged at the same step, its own among them: each as it was before, and its value,
            such that larger is worse.
    """
    z = drop.evidence.get("z")
    if drop.kind != "sudden_drop" or drop.severity != "high" or z is None or z >= _SURE_ALONE:
        return drop
    mine = _phase(drop.metric)
    others = [
        departure
        for stream, worse in beside
        if stream.metric != drop.metric
        and _phase(stream.metric) == mine
        and (departure := _departure(stream, worse)) is not None
    ]
    if not others or max(others) >= _SUPPORT:
        return drop
    return replace(drop, severity="medium", evidence={**drop.evidence, "z_beside": max(others)})


def _phase(metric: str) -> str:
    """Return the first word of a name of several: `train` of train_loss and train/acc, nothing of loss."""
    first, *more = re.split(r"[_/. -]+", metric)
    return first if more else ""


def _departure(stream: Stream, worse: float) -> float | None:
    """Return how much worse a value is than those before, in units of the noise; None where that means nothing."""
    if stream.direction is None or not stream.level.full:
        return None
    level = stream.level.median
    sigma = max(stream.noise, MAD_TO_SIGMA * stream.level.deviation(level))
    return (worse - level) / sigma if sigma > 0 else None
