"""Runs that share all settings but their seed are one configuration: what hyper-parameters do is told once by each.

Five seeds of one learning rate are not five independent learning rates: counted as such, they let any parameter stand
out that happens to go with what makes configurations differ. All tests and models count configurations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from exaid_evals.analysis.compare.configuration import making, setting_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
