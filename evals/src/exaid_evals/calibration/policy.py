"""A policy: one setting of the token gate's four limits, and the grid of them."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass
from itertools import product

from exaid_evals.config.calibration import GridConfig

GATE_KIND = "token_gate"


@dataclass(frozen=True, slots=True, order=True)
class Policy:
    """Settings of `TokenGate`, by its names and in their order."""

    min_words: int
    max_words: int
    silence_ms: int
    max_wait_ms: int

    @property
    def settings(self) -> dict[str, int]:
        """Return the gate's settings."""
        return asdict(self)

    @property
    def label(self) -> str:
        """Return the settings in one word, for tables and messages."""
        return "/".join(str(value) for value in astuple(self))


def policies(grid: GridConfig) -> tuple[tuple[Policy, ...], int]:
    """Return every policy of a grid in ascending order, and how many combinations are none.

    A combination whose min_words exceeds its max_words is not a policy: the gate refuses it.

    >>> found, left_out = policies(GridConfig(min_words=(1, 3), max_words=(2,), silence_ms=(9,), max_wait_ms=(9,)))
    >>> [policy.label for policy in found], left_out
    (['1/2/9/9'], 1)
    """
    combinations = list(product(grid.min_words, grid.max_words, grid.silence_ms, grid.max_wait_ms))
    found = tuple(Policy(*values) for values in combinations if values[0] <= values[1])
    return found, len(combinations) - len(found)
