"""All hypotheses about a drop, the best supported first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from exaid_evals.analysis.causes.base import Cause, Context, Hypothesis, Onset
from exaid_evals.analysis.causes.onset import onsets
from exaid_evals.analysis.causes.table import TABLE
from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.anomalies.base import Anomaly
from exaid_evals.config.plugins import Kind
from exaid_evals.runs.history import History
from exaid_evals.runs.metric_names import Direction

_MOST = 0.5
CAUSES = Kind("cause", "exaid_evals.causes", {})
"""Causes of others, beside those of the table: each a class without arguments; see `causes.base.Cause`. Its family is
one that there is."""


@cache
def _causes(others: tuple[str, ...]) -> tuple[Cause, ...]:
    return (*TABLE, *(CAUSES.build(name) for name in others))


@dataclass(frozen=True)
class Diagnosis:
    """What is to be explained, and what explains it.

    Attributes:
        onset: the drop.
        hypotheses: the best supported first; `unknown` is among them.
        shares: of belief in each hypothesis, in the same order; exp(score) over their sum.
    """

    onset: Onset
    hypotheses: tuple[Hypothesis, ...]
    shares: tuple[float, ...]

    @property
    def named(self) -> str:
        """The family that is named: the first, if more than half of the belief is its own; else `unknown`."""
        return self.hypotheses[0].family if self.shares[0] > _MOST else "unknown"

    @property
    def first(self) -> Hypothesis:
        """The hypothesis that is named."""
        return next(one for one in self.hypotheses if one.family == self.named)


def diagnose(
    history: History,
    anomalies: Sequence[Anomaly],
    directions: Mapping[str, Direction],
    config: AnalysisConfig,
    *,
    bad_items: Mapping[str, str] | None = None,
) -> Diagnosis | None:
    """Rank the causes of a run's worst drop; None where nothing dropped, and for cases, which have no order.

    A drop that is high or critical is always explained, by `unknown` at worst; a lesser one where a cause explains it.

    Args:
        history: of the run.
        anomalies: of its metrics.
        directions: metric → how it improves.
        config: settings.
        bad_items: items whose images are bad → why.
    """
    if history.steps_are == "case":
        return None
    unexplained: Diagnosis | None = None
    for onset in onsets(history, anomalies, directions, config.primary_metric):
        context = Context(history, directions, onset, config.root_cause, bad_items)
        weighed = [cause.weigh(context) for cause in _causes(config.root_cause.causes)]
        severe = onset.anomaly.severity in ("high", "critical")
        if max(one.score for one in weighed) >= config.root_cause.explains and (severe or unexplained is None):
            return _ranked(onset, weighed, config)
        if severe and unexplained is None:
            unexplained = _ranked(onset, weighed, config)  # unless another drop as bad as this has a cause
    return unexplained


def _ranked(onset: Onset, weighed: Sequence[Hypothesis], config: AnalysisConfig) -> Diagnosis:
    unknown = Hypothesis(
        "unknown",
        "Something that was not logged, or the training's own noise.",
        "Log what the report lists as not seen, and repeat the run with another seed.",
        (),
    )
    scores = {id(unknown): config.root_cause.least_score, **{id(one): one.score for one in weighed}}
    ranked = sorted([*weighed, unknown], key=lambda one: -scores[id(one)])
    top = scores[id(ranked[0])]
    beliefs = [math.exp(scores[id(one)] - top) for one in ranked]
    return Diagnosis(onset, tuple(ranked), tuple(one / sum(beliefs) for one in beliefs))
