"""What a training run logged: points as they were written, and the clean series that an analysis can work on.

Nothing that was logged is dropped: a point whose value is not a finite number, a step that comes twice or out of order
stays among the points, and is counted (`irregularities`). What an analysis computes on is `Series.clean`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from exaid_evals.runs.metric_names import Direction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IrregularityKind = Literal["gap", "repeated_step", "unordered_step", "nan", "infinite", "not_a_number", "missing"]


LARGEST = 1e100
"""A greater value counts as infinite: it is a run that overflows, and its square has no floating-point number."""


@dataclass(frozen=True, slots=True)
class Point:
    """One logged value of a metric.

    Attributes:
        step: of the training, counted by the logger; a fraction of an epoch is allowed.
        value: as logged: a number (NaN and infinity included), None where the row had no value, else the text.
    """

    step: float
    value: float | str | None

    @property
    def finite(self) -> bool:
        """Whether the value is a finite number that can be computed with."""
        return isinstance(self.value, float | int) and abs(self.value) <= LARGEST  # false for NaN and infinity


@dataclass(frozen=True, slots=True)
class Irregularity:
    """What is odd about a series, counted.

    Attributes:
        metric: of the series.
        kind: `gap` (a step is missing that the usual distance of steps would lead one to expect), `repeated_step`,
            `unordered_step`, `nan`, `infinite` (beyond `LARGEST`), `not_a_number`, `missing`.
        count: points, or missing steps of gaps.
        first_step: where it begins.
    """

    metric: str
    kind: IrregularityKind
    count: int
    first_step: float


@dataclass(frozen=True, slots=True)
class CleanSeries:
    """Finite values in ascending order of their steps, one a step (of a step that comes twice, the last).

    Attributes:
        steps: shape (n,), strictly ascending.
        values: shape (n,), finite.
    """

    steps: NDArray[np.float64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True)
class Series:
    """One metric over a run, in the order in which it was logged."""

    metric: str
    points: tuple[Point, ...]

    @cached_property
    def clean(self) -> CleanSeries:
        """What an analysis computes on."""
        import numpy as np

        last = {point.step: float(point.value) for point in self.points if point.finite}  # type: ignore[arg-type]
        steps = sorted(last)
        return CleanSeries(np.array(steps, dtype=np.float64), np.array([last[step] for step in steps]))

    @cached_property
    def defined(self) -> NDArray[np.bool_]:
        """Whether each step at which a number was logged has a finite one, in ascending order of steps."""
        import numpy as np

        found: dict[float, bool] = {}
        for point in self.points:
            if isinstance(point.value, float | int):
                found[point.step] = found.get(point.step, False) or point.finite
        return np.array([found[step] for step in sorted(found)], dtype=np.bool_)

    @cached_property
    def irregularities(self) -> tuple[Irregularity, ...]:
        """What is odd about the points, most telling first within the series' order of kinds."""
        found: dict[IrregularityKind, list[float]] = {}
        seen: set[float] = set()
        latest = -math.inf
        for point in self.points:
            kind = _kind(point.value)
            if kind is not None:
                found.setdefault(kind, []).append(point.step)
            if point.step in seen:
                found.setdefault("repeated_step", []).append(point.step)
            elif point.step < latest:
                found.setdefault("unordered_step", []).append(point.step)
            seen.add(point.step)
            latest = max(latest, point.step)
        odd = [Irregularity(self.metric, kind, len(steps), min(steps)) for kind, steps in found.items()]
        return (*odd, *_gaps(self.metric, sorted(seen)))


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch as `log_batch_metrics` wrote it.

    Attributes:
        step: of the training at which the batch was seen.
        batch_idx: within its epoch or evaluation.
        metrics: of this batch alone.
        items: identifiers (of images, of samples) of what the batch held, in order.
        profile: further numbers of the batch: image statistics, target complexity, prediction confidence.
        phase: `train`, or `eval` for a batch of a validation or test set.
    """

    step: float
    batch_idx: int
    metrics: Mapping[str, float | None]
    items: tuple[str, ...] = ()
    profile: Mapping[str, float | None] = field(default_factory=dict)
    phase: Literal["train", "eval"] = "train"


@dataclass(frozen=True)
class History:
    """A run: steps × metrics, and what stands around them.

    Attributes:
        run_name: of the run, unique within its source.
        source: the reader's name (`csv`, `jsonl`, `wandb`, `mlflow`, `tensorboard`, `campaign`).
        series: metric → its points; in alphabetical order.
        system: system metric (`memory_mb`, `gpu_util`) → its points.
        batches: batch-level rows, in order of logging.
        config: hyper-parameters and settings, nested as the source has them.
        events: what the source tells besides numbers (`restart`, `resumed`, `checkpoint`), as (step, text).
        warnings: of the reader: lines that could not be read, files that were left out.
        directions: metric → how it improves, where the source knows.
        step_name: the column that counts the steps; None where the format has steps of its own, or rows are counted.
        steps_are: what a step counts: `step` of a training, or `case` of an evaluation, whose order means nothing.
    """

    run_name: str
    source: str
    series: Mapping[str, Series]
    system: Mapping[str, Series] = field(default_factory=dict)
    batches: tuple[BatchRow, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[tuple[float, str], ...] = ()
    warnings: tuple[str, ...] = ()
    directions: Mapping[str, Direction] = field(default_factory=dict)
    steps_are: Literal["step", "case"] = "step"
    step_name: str | None = None

    @property
    def irregularities(self) -> tuple[Irregularity, ...]:
        """Of all series, those of the system included."""
        every = (*self.series.values(), *self.system.values())
        return tuple(odd for series in every for odd in series.irregularities)


def series_of(rows: Sequence[tuple[float, Mapping[str, Any]]]) -> dict[str, Series]:
    """Return metric → series of rows (step, {metric: value}), metrics in alphabetical order.

    A metric that a row does not name has no point there; one that it names without a value (None, empty text) has a
    point whose value is None.
    """
    points: dict[str, list[Point]] = {}
    for step, values in rows:
        for metric, value in values.items():
            points.setdefault(metric, []).append(Point(float(step), _value(value)))
    return {metric: Series(metric, tuple(points[metric])) for metric in sorted(points)}


def _value(value: Any) -> float | str | None:
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int):  # bool too: a flag is logged as 0 or 1
        return float(value)
    text = str(value).strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _kind(value: float | str | None) -> IrregularityKind | None:
    if value is None:
        return "missing"
    if isinstance(value, str):
        return "not_a_number"
    if math.isnan(value):
        return "nan"
    return None if abs(value) <= LARGEST else "infinite"


def _gaps(metric: str, steps: Sequence[float]) -> list[Irregularity]:
    """Return the gaps of a series whose steps mostly have one distance; one that is logged irregularly has none."""
    distances = [later - earlier for earlier, later in pairwise(steps)]
    if len(distances) < 3:
        return []
    usual, count = Counter(distances).most_common(1)[0]
    if count < 0.8 * len(distances):
        return []
    wide = [(step, distance) for step, distance in zip(steps, distances, strict=False) if distance > 1.5 * usual]
    missing = sum(round(distance / usual) - 1 for _, distance in wide)
    return [Irregularity(metric, "gap", missing, wide[0][0])] if wide else []
