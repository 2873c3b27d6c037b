"""The hyper-parameters of many runs: which are numbers, which are categories, which say nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exaid_evals.analysis.compare.configuration import ABSENT, making, setting_text


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
