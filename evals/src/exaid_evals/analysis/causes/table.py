"""The causes that are weighed, one entry each, and all hypotheses about a drop, the best supported first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from exaid_evals.analysis.causes import batches, signals
from exaid_evals.analysis.causes.base import Cause, Context, Evidence, Family, Hypothesis, Onset
from exaid_evals.analysis.causes.onset import onsets
from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.anomalies.base import Anomaly
from exaid_evals.config.plugins import Kind
from exaid_evals.runs.history import History
from exaid_evals.runs.metric_names import Direction, is_validation


class Look(NamedTuple):
    """One kind of evidence.

    Attributes:
        find: returns what the run says; None where what it needs was not logged.
        needs: what that is; said once, where two need the same.
    """

    find: signals.Find
    needs: str = ""


@dataclass(frozen=True)
class CauseRule:
    """An entry of the table.

    Attributes:
        family: of the cause.
        claim: what would have happened, as a sentence.
        remedy: what to do, if it did.
        looks: the evidence; of equal weights the first is reported first.
        in_training: whether it harms the model, so that the training's own metrics get worse with it.
        otherwise: evidence where none of the looks speaks for the cause.
    """

    family: Family
    claim: str
    remedy: str
    looks: tuple[Look, ...]
    in_training: bool = True
    otherwise: Evidence | None = None

    def weigh(self, context: Context) -> Hypothesis:
        """Return the hypothesis with all that the run says about it."""
        evidence: list[Evidence] = []
        unseen = []
        for find, needs in self.looks:
            found = find(context)
            if found is None:
                unseen += [needs] if needs else []
            else:
                evidence += found
        if self.otherwise is not None and not any(one.weight > 0 for one in evidence):
            evidence.append(self.otherwise)
        evidence += training_moved(context, for_training=self.in_training)
        strongest_first = tuple(sorted(evidence, key=lambda one: -abs(one.weight)))
        return Hypothesis(self.family, self.claim, self.remedy, strongest_first, tuple(unseen))


def training_moved(context: Context, *, for_training: bool) -> Iterator[Evidence]:
    """Yield what the training's own metric says: what harms the model shows there, a changed evaluation does not."""
    train = context.onset.train
    if train is None:
        return
    sign = 1.0 if for_training else -1.0
    if train.undefined:
        text = f"{train.metric} was NaN or infinite with it, first at step {train.interval[1]:g}"
        yield Evidence(text, sign * (1.0 if for_training else 4.0), train.interval[1], {"undefined": True})
    elif train.z >= 5 and train.relative >= 0.1:
        text = (
            f"{train.metric} got worse with it ({_size(train.relative, train.z)}), first at step {train.interval[1]:g}"
        )
        yield Evidence(text, sign * (1.0 if for_training else 4.0), train.interval[1], {"z": train.z})
    elif train.stray:
        text = f"{train.metric} was far out of its range in {train.stray:.0%} of the steps after it, as none before"
        yield Evidence(text, sign * (1.0 if for_training else 4.0), train.interval[1], {"stray": train.stray})
    elif (train.leapt or train.eased) and is_validation(context.onset.anomaly.metric):
        return  # it learns from other data, which neither its health nor an evaluation explains
    elif train.z < 3 or train.quiet:
        fell = context.onset.anomaly
        # A reward that falls is not an evaluation on other data, and says nothing about one; and a loss that is NaN or
        # far above all that it ever was is the training's own, whatever else was logged last before it.
        own = fell.kind == "not_finite" or "times_untrained" in fell.evidence
        if not is_validation(fell.metric) and (own or not for_training):
            return
        text = f"{train.metric} did not get worse with it ({_size(train.relative, train.z)})"
        yield Evidence(text, -sign * (2.5 if not for_training else 2.0), None, {"z": train.z})


def _size(relative: float, z: float) -> str:
    share = f"{relative:+.0%}" if abs(relative) < 10 else f"{1 + relative:.3g} times its level"
    return f"{share}, z = {z:.1f}" if abs(z) < 1e5 else share


TABLE = (
    CauseRule(
        "data",
        "Some of the data harm the training: the batches that hold them are the bad ones.",
        "Check the data there (the report lists suspects), leave out bad items, and go on from before the drop.",
        (
            Look(batches.inputs, "profiles of the batches' inputs"),
            Look(batches.of_items, "the items of each batch (log_batch_metrics)"),
            Look(batches.images, "the images (--data-dir)"),
            Look(batches.announced),
            Look(batches.changed_data),
        ),
    ),
    CauseRule(
        "optimisation",
        "The optimisation became unstable: rate, gradients or loss scale changed just before the drop.",
        "Restore the learning rate from before the drop, clip gradients, and go on from the last checkpoint before it.",
        (
            Look(signals.over(signals.RATE, signals.rate), "the learning rate"),
            Look(signals.over(signals.NORM, signals.norm), "the gradient norm"),
            Look(signals.over(signals.NORM, signals.grown)),
            Look(signals.over(signals.SCALE, signals.scale), "the loss scale"),
            Look(signals.undefined),
            Look(signals.exploded),
        ),
    ),
    CauseRule(
        "evaluation",
        "The evaluation changed, and not the model: its set, the set's size, or the order of its items.",
        "Compare the lists of evaluated items before and after, fix them in the configuration, and evaluate again.",
        (
            Look(batches.evaluated_sets, "the items of each evaluation (log_batch_metrics with phase='eval')"),
            Look(batches.sizes),
            Look(batches.not_of_validation),
            Look(batches.by_and_by),
        ),
        in_training=False,
    ),
    CauseRule(
        "system",
        "The process was disturbed: it restarted, lost part of its state, or ran short of memory.",
        "Check which checkpoint was loaded and that it holds weights, optimiser and schedule; look at the memory.",
        (
            Look(signals.events),
            Look(signals.counted_again),
            Look(signals.learnt_again),
            Look(signals.paused),
            Look(signals.over(signals.MEMORY, signals.memory, machine=True), "memory"),
            Look(signals.over(signals.TIME, signals.slow, machine=True), "the time of a step"),
            Look(signals.over(signals.WORKERS, signals.fewer, machine=True)),
        ),
        otherwise=Evidence("no restart and no step counted again near the drop", -2.0),
    ),
)


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
        # What is lost by and by has no moment that has to be explained.
        severe = onset.anomaly.severity in ("high", "critical") and onset.anomaly.detector != "lost_gain"
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
