"""What a training run logged: points as they were written, and the clean series that an analysis can work on.

Nothing that was logged is dropped: a point whose value is not a finite number, a step that comes twice or out of order
stays among the points, and is counted (`irregularities`). What an analysis computes on is `Series.clean`.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import eq
from typing import TYPE_CHECKING, Any, Literal, overload

from exaid_evals.runs.metric_names import Direction, role_of_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IrregularityKind = Literal["gap", "repeated_step", "unordered_step", "nan", "infinite", "not_a_number", "missing"]


_NUMBER, _MISSING, _TEXT = 0, 1, 2
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


@dataclass(slots=True)
class Column:
    """The values of a column, as a table gives them.

    Attributes:
        rows: of the table, at which the values stand; None where each row has one.
        numbers: NaN for what is none.
        kinds: of each value: number, missing, text.
        texts: place → text.
    """

    rows: array[int] | None = None
    numbers: array[float] = field(default_factory=lambda: array("d"))
    kinds: bytearray = field(default_factory=bytearray)
    texts: dict[int, str] = field(default_factory=dict)

    def add(self, given: Any) -> None:
        """Append a value as it was logged."""
        self.append(_value(given))

    def append(self, value: float | str | None) -> None:
        """Append a number, a text that is none, or None."""
        if isinstance(value, float | int):
            self.numbers.append(value)
            self.kinds.append(_NUMBER)
            return
        if value is not None:
            self.texts[len(self.kinds)] = value
        self.numbers.append(math.nan)
        self.kinds.append(_MISSING if value is None else _TEXT)

    def put(self, place: int, number: float) -> None:
        """Write a number over what stands at a place."""
        self.numbers[place], self.kinds[place] = number, _NUMBER
        self.texts.pop(place, None)

    def at(self, place: int) -> float | str | None:
        """Return the value at a place."""
        kind = self.kinds[place]
        return self.numbers[place] if kind == _NUMBER else None if kind == _MISSING else self.texts[place]

    def add_numbers(self, values: Sequence[float]) -> None:
        """Append numbers."""
        self.numbers.extend(values)
        self.kinds.extend(bytes(len(values)))

    def add_missing(self, count: int) -> None:
        """Append cells without a value."""
        self.numbers.extend(array("d", [math.nan]) * count)
        self.kinds.extend(bytes([_MISSING]) * count)


class Points(Sequence[Point]):
    """Points as columns: ten bytes a point in place of two hundred."""

    __slots__ = ("_steps", "_values")

    def __init__(self, steps: array[float] | None = None, values: Column | None = None) -> None:
        """Share columns of one length; none are given where points are to be added."""
        self._steps = array("d") if steps is None else steps
        self._values = Column() if values is None else values

    def add(self, step: float, value: float | str | None) -> None:
        """Append a point."""
        self._steps.append(step)
        self._values.append(value)

    def __len__(self) -> int:
        return len(self._steps)

    def _at(self, at: int) -> Point:
        return Point(self._steps[at], self._values.at(at))

    @overload
    def __getitem__(self, at: int) -> Point: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Point, ...]: ...
    def __getitem__(self, at: int | slice) -> Point | tuple[Point, ...]:
        if isinstance(at, slice):
            return tuple(self._at(one) for one in range(*at.indices(len(self))))
        return self._at(range(len(self))[at])

    def __iter__(self) -> Iterator[Point]:
        return map(self._at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
        """Return steps, numbers (NaN for what is none) and kinds, each of shape (n,)."""
        import numpy as np

        if not len(self):
            return np.zeros(0), np.zeros(0), np.zeros(0, np.uint8)
        numbers, kinds = self._values.numbers, self._values.kinds
        return np.frombuffer(self._steps), np.frombuffer(numbers), np.frombuffer(kinds, dtype=np.uint8)


@dataclass(frozen=True)
class Series:
    """One metric over a run, in the order in which it was logged."""

    metric: str
    points: Sequence[Point]

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
        points = self.points
        if not isinstance(points, Points):
            points = Points()
            for one in self.points:
                points.add(one.step, one.value)
        return points.arrays()

    @property
    def has_numbers(self) -> bool:
        """Whether some value is a number, NaN and infinities included."""
        return bool((self._arrays[2] == _NUMBER).any())

    @cached_property
    def logged(self) -> CleanSeries:
        """The numbers of each step, NaN and infinities too, in ascending order of steps; the last of each step."""
        steps, numbers, kinds = self._arrays
        return _last_of_each(steps[kinds == _NUMBER], numbers[kinds == _NUMBER])

    @cached_property
    def clean(self) -> CleanSeries:
        """What an analysis computes on."""
        import numpy as np

        steps, numbers, _ = self._arrays
        finite = np.abs(numbers) <= LARGEST  # false for NaN
        return _last_of_each(steps[finite], numbers[finite])

    @cached_property
    def defined(self) -> NDArray[np.bool_]:
        """Whether each step at which a number was logged has a finite one, in ascending order of steps."""
        import numpy as np

        steps, numbers, kinds = self._arrays
        is_number = kinds == _NUMBER
        steps, finite = steps[is_number], np.abs(numbers[is_number]) <= LARGEST
        if not len(steps):
            return np.zeros(0, dtype=np.bool_)
        order = np.argsort(steps, kind="stable")
        begins = np.flatnonzero(np.concatenate([[True], np.diff(steps[order]) != 0]))
        found: NDArray[np.bool_] = np.logical_or.reduceat(finite[order], begins)
        return found

    @cached_property
    def irregularities(self) -> tuple[Irregularity, ...]:
        """What is odd about the points, in the order in which it is met, and gaps last."""
        import numpy as np

        steps, numbers, kinds = self._arrays
        if not len(steps):
            return ()
        is_number = kinds == _NUMBER
        unique, first = np.unique(steps, return_index=True)
        again = np.ones(len(steps), dtype=np.bool_)
        again[first] = False
        latest = np.concatenate([[-np.inf], np.maximum.accumulate(steps)[:-1]])
        odd: dict[IrregularityKind, NDArray[np.bool_]] = {
            "missing": kinds == _MISSING,
            "not_a_number": kinds == _TEXT,
            "nan": is_number & np.isnan(numbers),
            "infinite": is_number & (np.abs(numbers) > LARGEST),
            # An epoch is logged with each row of a step, of training and of evaluation, and so may be a rate.
            "repeated_step": again & (role_of_column(self.metric) not in ("counter", "schedule")),
            "unordered_step": ~again & (steps < latest),
        }
        places = {kind: np.flatnonzero(mask) for kind, mask in odd.items()}
        met = sorted((kind for kind, at in places.items() if len(at)), key=lambda kind: int(places[kind][0]))
        found = [Irregularity(self.metric, kind, len(places[kind]), float(steps[places[kind]].min())) for kind in met]
        return (*found, *_gaps(self.metric, unique))


def _last_of_each(steps: NDArray[np.float64], values: NDArray[np.float64]) -> CleanSeries:
    """Return values in ascending order of their steps; of a step that comes twice, the last."""
    import numpy as np

    if len(steps) and not (np.diff(steps) > 0).all():
        order = np.argsort(steps, kind="stable")
        steps, values = steps[order], values[order]
        last = np.concatenate([np.diff(steps) != 0, [True]])
        steps, values = steps[last], values[last]
    return CleanSeries(steps, values)


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
    def last_step(self) -> float | None:
        """The last step that has a finite number of any metric; None where none has."""
        return max((float(one.clean.steps[-1]) for one in self.series.values() if len(one.clean)), default=None)

    @property
    def n_steps(self) -> int:
        """Steps of the metric that was logged at most of them; one that comes twice is one."""
        return max((len(one.defined) for one in self.series.values()), default=0)

    @property
    def irregularities(self) -> tuple[Irregularity, ...]:
        """Of all series, those of the system included."""
        every = (*self.series.values(), *self.system.values())
        return tuple(odd for series in every for odd in series.irregularities)


def series_of(rows: Iterable[tuple[float, Mapping[str, Any]]]) -> dict[str, Series]:
    """Return metric → series of rows (step, {metric: value}), metrics in alphabetical order.

    A metric that a row does not name has no point there; one that it names without a value (None, empty text) has a
    point whose value is None.
    """
    return series_of_points((metric, step, value) for step, values in rows for metric, value in values.items())


def series_of_points(points: Iterable[tuple[str, float, Any]]) -> dict[str, Series]:
    """Return metric → series of single points (metric, step, value), as `series_of` does; none is held as an object."""
    found: dict[str, Points] = {}
    for metric, step, value in points:
        column = found.get(metric)
        if column is None:
            column = found[metric] = Points()
        column.add(float(step), _value(value))
    return {metric: Series(metric, found[metric]) for metric in sorted(found)}


_OVERFLOWS = 1 << 1023


def _value(value: Any) -> float | str | None:
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):  # a flag is text, as it is in a table
        return float(value) if abs(value) < _OVERFLOWS else math.inf if value > 0 else -math.inf
    text = str(value).strip()
    if not text:
        return None
    try:
        return text if "_" in text else float(text)  # Python reads 52497_00001, which is a name
    except ValueError:
        return text


def _gaps(metric: str, steps: NDArray[np.float64]) -> list[Irregularity]:
    """Return the gaps of a series whose steps mostly have one distance; one that is logged irregularly has none."""
    import numpy as np

    distances = np.diff(steps)
    if len(distances) < 3:
        return []
    values, first, counts = np.unique(distances, return_index=True, return_counts=True)
    at = min(range(len(values)), key=lambda one: (-counts[one], first[one])) if len(values) < 1000 else counts.argmax()
    usual = float(values[at])
    if counts[at] < 0.8 * len(distances):
        return []
    wide = np.flatnonzero(distances > 1.5 * usual)
    missing = int((np.rint(distances[wide] / usual) - 1).sum())
    return [Irregularity(metric, "gap", missing, float(steps[wide[0]]))] if len(wide) else []
