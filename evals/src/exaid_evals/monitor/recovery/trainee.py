"""What is being trained, seen from outside: a state that can be taken and put back, and learning rates."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from exaid_evals.errors import ConfigError
from exaid_evals.monitor.recovery.state_file import all_finite

_RATE_NAMES = ("learning_rate", "lr", "learning_rate_init")


@runtime_checkable
class HasState(Protocol):
    """A PyTorch module or optimiser, or anything else of this form."""

    def state_dict(self) -> Any:
        """Return the state: nested mappings of arrays and numbers."""

    def load_state_dict(self, state_dict: Any) -> Any:
        """Take the state."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One place where a learning rate stands: an item of a mapping, or an attribute."""

    holder: Any = field(repr=False)
    name: str

    def get(self) -> float:
        """Return the learning rate."""
        value = self.holder[self.name] if isinstance(self.holder, MutableMapping) else getattr(self.holder, self.name)
        return float(value)

    def set(self, value: float) -> None:
        """Change the learning rate; a tensor that holds it stays the same tensor."""
        if not isinstance(self.holder, MutableMapping):
            setattr(self.holder, self.name, value)
        elif hasattr(self.holder[self.name], "fill_"):
            self.holder[self.name].fill_(value)
        else:
            self.holder[self.name] = value


class Trainee:
    """A model, and its optimiser and scheduler where they are given."""

    def __init__(self, model: Any, optimizer: Any = None, scheduler: Any = None) -> None:
        """Look at the parts.

        Args:
            model: has state_dict() and load_state_dict().
            optimizer: has them too, or at least a learning rate (`param_groups`, `learning_rate`, `lr`).
            scheduler: one of PyTorch's; its base rates follow a lowered learning rate, which it would undo else.

        Raises:
            ConfigError: the model has no state that could be taken.
        """
        if not isinstance(model, HasState):
            remedy = "give an object with state_dict() and load_state_dict()"
            raise ConfigError(f"a {type(model).__name__} has no state that can be kept", where="model", remedy=remedy)
        self._model, self._optimizer, self._scheduler = model, optimizer, scheduler

    def state(self) -> dict[str, Any]:
        """Return the state of the model, and of the optimiser if it has one."""
        found = {"model": self._model.state_dict()}
        if isinstance(self._optimizer, HasState):
            found["optimizer"] = self._optimizer.state_dict()
        return found

    def load(self, state: dict[str, Any]) -> None:
        """Put a state back.

        Raises:
            Exception: whatever the model raises where the state does not fit it.
        """
        self._model.load_state_dict(state["model"])
        if isinstance(self._optimizer, HasState) and "optimizer" in state:
            self._optimizer.load_state_dict(state["optimizer"])

    def finite(self) -> bool:
        """Tell whether the model's state holds neither NaN nor infinity."""
        return all_finite(self._model.state_dict())

    def rates(self) -> list[Rate]:
        """Return the places of the learning rate: of each group of parameters, else the first attribute of the name."""
        groups = getattr(self._optimizer, "param_groups", None)
        if isinstance(groups, list):
            return [Rate(group, "lr") for group in groups if "lr" in group]
        for holder in (self._optimizer, self._model):
            for name in _RATE_NAMES:
                if isinstance(getattr(holder, name, None), float):
                    return [Rate(holder, name)]
        return []

    def scale_rates(self, factors: list[float]) -> None:
        """Multiply each learning rate, and the scheduler's base of it, by its factor."""
        for rate, factor in zip(self.rates(), factors, strict=True):
            rate.set(rate.get() * factor)
        self.scale_schedule(factors)

    def scale_schedule(self, factors: list[float]) -> None:
        """Multiply the scheduler's base rates alone."""
        base = getattr(self._scheduler, "base_lrs", None)
        if isinstance(base, list) and len(base) == len(factors):
            base[:] = [value * factor for value, factor in zip(base, factors, strict=True)]
