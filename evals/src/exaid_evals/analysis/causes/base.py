"""What a hypothesis is: a family of causes, and weighed evidence for and against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

from exaid_evals.analysis.settings import RootCauseSettings
from exaid_evals.anomalies.base import Anomaly
from exaid_evals.runs.history import BatchRow, History
from exaid_evals.runs.metric_names import Direction

Family = Literal["data", "optimisation", "evaluation", "system", "unknown"]


@dataclass(frozen=True, slots=True)
class Reaction:
    """How the training's metric moved where the drop is.

    Attributes:
        metric: its name.
        z: shift for the worse over its noise, of the medians of the points after and before.
        relative: shift over the level before.
        interval: last good and first bad step, where it reacted; else the drop's own.
        undefined: whether it was NaN or infinite there.
        stray: share of the steps after it that are far worse than those before ever were, while the others are not.
        quiet: whether it is as before once all its points after are taken together, though single ones stand out.
        leapt: whether a loss of the training became far better at once.
        eased: whether one became better at once by a quarter and more.
    """

    metric: str
    z: float
    relative: float
    interval: tuple[float, float]
    undefined: bool = False
    stray: float = 0.0
    quiet: bool = False
    leapt: bool = False
    eased: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation.

    Attributes:
        text: what was observed, as a sentence with its numbers.
        weight: positive where it speaks for the hypothesis, negative where against; about the natural logarithm of
            how much more often this is seen when the hypothesis holds than when it does not.
        step: where it was observed, if at one step.
        numbers: what the sentence was made from.
    """

    text: str
    weight: float
    step: float | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A family of causes with its evidence.

    Attributes:
        family: of the cause.
        claim: what would have happened, as a sentence.
        remedy: what to do, if it did.
        evidence: strongest first.
        unseen: what would have been evidence and was not logged.
    """

    family: Family
    claim: str
    remedy: str
    evidence: tuple[Evidence, ...]
    unseen: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """The sum of the weights."""
        return sum(one.weight for one in self.evidence)


@dataclass(frozen=True)
class Onset:
    """What a cause is looked for.

    Attributes:
        anomaly: the drop.
        interval: the last step at which all was well, and the first at which it was not.
        train: how the training reacted; None where it logs nothing that has a direction.
    """

    anomaly: Anomaly
    interval: tuple[float, float]
    train: Reaction | None


@dataclass(frozen=True)
class Context:
    """All that a hypothesis may look at.

    Attributes:
        history: of the run.
        directions: metric → how it improves.
        onset: what is to be explained.
        settings: how it is weighed.
        bad_items: items whose images an audit found bad → why; None where no images were given.
    """

    history: History
    directions: Mapping[str, Direction]
    onset: Onset
    settings: RootCauseSettings
    bad_items: Mapping[str, str] | None = None

    @cached_property
    def span(self) -> float:
        """The length of the run in steps."""
        return self.history.last_step or 1.0

    @cached_property
    def window(self) -> tuple[float, float]:
        """The steps in which a cause may lie: some before the last good step, up to the first bad one."""
        low, high = self.onset.interval
        return low - self.settings.lookback * self.span, high

    def near(self, step: float) -> float:
        """Return how well a step fits in time: 1 within the interval, less before it, 0 outside the window."""
        low = self.onset.interval[0]
        first, last = self.window
        if step < first or step > last:
            return 0.0
        return 1.0 if step >= low else 1.0 - 0.8 * (low - step) / max(low - first, 1e-12)

    @cached_property
    def train_batches(self) -> Sequence[BatchRow]:
        """The batches of the training."""
        return [row for row in self.history.batches if row.phase == "train"]

    @cached_property
    def eval_batches(self) -> Sequence[BatchRow]:
        """The batches of evaluations."""
        return [row for row in self.history.batches if row.phase == "eval"]


class Cause(Protocol):
    """Weighs one family of causes."""

    @property
    def family(self) -> Family:
        """The family."""

    def weigh(self, context: Context) -> Hypothesis:
        """Return the hypothesis with all that the run says about it."""
