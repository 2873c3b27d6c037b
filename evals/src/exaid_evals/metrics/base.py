"""What a measure is: a name, a unit, a direction, and a function of one observation whose docstring defines it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from exaid_evals.metrics.observation import Observation

Better = Literal["higher", "lower", "neither"]
Compute = Callable[[Observation], float | None]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number per case and variant.

    Attributes:
        name: as in records and tables; parameters are part of it (`coverage_at_500`).
        unit: `share`, `CTU`, `ms` or `count`.
        better: the direction in which a middleware improves; `neither` for what describes.
        compute: returns the number, or None where it is undefined for this observation.
        version: of the definition: 1 more each time that what the name stands for changes. Records carry it.
    """

    name: str
    unit: str
    better: Better
    compute: Compute
    version: int = 1

    @property
    def definition(self) -> str:
        """Return the docstring of the function that computes: formula, example, edge cases."""
        function = self.compute
        while isinstance(function, partial):
            function = function.func
        return function.__doc__ or ""
