"""The hyper-parameters that vary, and the configurations that runs are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exaid_evals.analysis.compare.configuration import ABSENT, making, setting_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Parameter:
    """A hyper-parameter over runs.

    Attributes:
        name: its dotted key.
        numeric: whether every value is a number; truth values are categories, and so is a mixture.
        values: of each run, in their order: a number, or text of a category; None where the run lacks it.
    """

    name: str
    numeric: bool
    values: tuple[float | str | None, ...]

    @property
    def n_missing(self) -> int:
        """Runs that lack it."""
        return sum(value is None for value in self.values)

    def of(self, at: Sequence[int]) -> Parameter:
        """Return the parameter over some of the runs."""
        return Parameter(self.name, self.numeric, tuple(self.values[index] for index in at))


@dataclass(frozen=True, slots=True)
class Parameters:
    """Those that vary, and the names of those that are left out.

    Attributes:
        varying: in alphabetical order.
        constant: with one value in all runs. One that some runs lack is a category of two, `absent` and its value.
        unique: categories of which each run has its own (hashes, tags): they can be held against nothing.
    """

    varying: tuple[Parameter, ...]
    constant: tuple[str, ...]
    unique: tuple[str, ...]


def parameters_of(settings: Sequence[Mapping[str, Any]]) -> Parameters:
    """Return the hyper-parameters of runs; what seeds, names, places or times a run is none.

    Args:
        settings: of each run, flat, as `flat_settings` returns them.
    """
    made = [making(one) for one in settings]
    names = sorted({key for one in made for key in one})
    varying: list[Parameter] = []
    constant: list[str] = []
    unique: list[str] = []
    for name in names:
        found = _parameter(name, made)
        present = [value for value in found.values if value is not None]
        if len(set(present)) < 2 and found.n_missing and present:
            varying.append(Parameter(name, False, tuple(setting_text(one, name) for one in made)))
        elif len(set(present)) < 2:
            constant.append(name)
        elif not found.numeric and len(set(present)) == len(present):
            unique.append(name)
        else:
            varying.append(found)
    return Parameters(tuple(varying), tuple(constant), tuple(unique))


def _parameter(name: str, settings: Sequence[Mapping[str, Any]]) -> Parameter:
    held = [one.get(name) for one in settings]
    numeric = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in held)
    if numeric:
        return Parameter(name, True, tuple(None if value is None else float(value) for value in held))
    texts = (setting_text(one, name) if one.get(name) is not None else ABSENT for one in settings)
    return Parameter(name, False, tuple(None if text == ABSENT else text for text in texts))


def configurations_of(settings: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the number of each run's configuration, from 0 in the order of the runs.

    A run without a single setting is one of its own: nothing says what it shares.

    Args:
        settings: of each run, flat.
    """
    numbers: dict[str, int] = {}
    found = []
    for index, one in enumerate(settings):
        made = making(one)
        text = "\0".join(f"{key}={setting_text(made, key)}" for key in made) if made else f"\0{index}"
        found.append(numbers.setdefault(text, len(numbers)))
    return found


def first_runs(configurations: Sequence[int]) -> list[int]:
    """Return the index of the first run of each configuration."""
    first: dict[int, int] = {}
    for index, number in enumerate(configurations):
        first.setdefault(number, index)
    return [first[number] for number in sorted(first)]


def means(values: Sequence[float | None], configurations: Sequence[int]) -> list[float | None]:
    """Return the mean over the runs of each configuration that have a value; None where none has."""
    from exaid_evals.analysis.compare.final_means import mean_of

    held = _held(values, configurations)
    return [mean_of(each) if len(each) else None for each in held]


def _held(values: Sequence[float | None], configurations: Sequence[int]) -> list[NDArray[np.float64]]:
    import numpy as np

    held: list[list[float]] = [[] for _ in range(max(configurations, default=-1) + 1)]
    for value, number in zip(values, configurations, strict=True):
        if value is not None:
            held[number].append(value)
    return [np.array(each, dtype=np.float64) for each in held]
