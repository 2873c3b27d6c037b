"""Further things that a checkpoint holds: a schedule, a gradient scaler, generators of random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from exaid_evals.errors import ConfigError

_ACCESS = (
    ("get_rng_state_all", "set_rng_state_all"),  # torch.cuda
    ("get_rng_state", "set_rng_state"),  # torch.random
    ("get_state", "set_state"),  # torch.Generator, numpy.random and its RandomState
    ("getstate", "setstate"),  # random and its Random
)
"""How generators give their state and take it, the first that a thing has."""


@runtime_checkable
class HasState(Protocol):
    """A PyTorch module or optimiser, or anything else of this form."""

    def state_dict(self) -> Any:
        """Return the state: nested mappings of arrays and numbers."""

    def load_state_dict(self, state_dict: Any) -> Any:
        """Take the state."""


class Generator:
    """A generator of random numbers, or a module that has a global one, as a thing with a state."""

    def __init__(self, get: Any, put: Any) -> None:
        self._get, self._put = get, put

    def state_dict(self) -> dict[str, Any]:
        """Return where it is in its sequence."""
        return {"state": self._get()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._put(state["state"])


def part_of(value: Any, name: str) -> HasState:
    """Return a thing with a state as it is, and a generator of random numbers as one.

    Known are those of `random`, NumPy and PyTorch, and the modules `random`, `numpy.random`, `torch.random` and
    `torch.cuda` for their global ones.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(value, HasState):
        return value
    bits = getattr(value, "bit_generator", None)
    if bits is not None and hasattr(bits, "state"):  # numpy.random.Generator
        return Generator(lambda: bits.state, lambda state: setattr(bits, "state", state))
    for get, put in _ACCESS:
        if callable(getattr(value, get, None)) and callable(getattr(value, put, None)):
            return Generator(getattr(value, get), getattr(value, put))
    remedy = "give an object with state_dict() and load_state_dict(), or a generator of random numbers"
    raise ConfigError(
        f"a {type(value).__name__} has no state that can be kept", where=f"parts[{name!r}]", remedy=remedy
    )


def kind_of(value: Any) -> str | None:
    """Return the name of a thing's class: the state of one class is none of another, though it may be loaded."""
    return type(value).__name__ if value is not None else None
