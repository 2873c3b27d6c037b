"""What is being trained, seen from outside: a state that can be taken and put back, and learning rates."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol, runtime_checkable

from exaid_evals.errors import ConfigError
from exaid_evals.monitor.recovery.schedules import base_rates, set_base_rates
from exaid_evals.monitor.recovery.soundness import Soundness

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

    def _value(self) -> Any:
        return self.holder[self.name] if isinstance(self.holder, MutableMapping) else getattr(self.holder, self.name)

    def get(self) -> float:
        """Return the learning rate."""
        return float(self._value())

    def set(self, value: float) -> None:
        """Change the learning rate; a tensor or an array that holds it stays the same object."""
        fill = getattr(self._value(), "fill_", None) or getattr(self._value(), "fill", None)
        if fill is not None and not isinstance(self._value(), Real):  # NumPy's scalars have a fill that does nothing
            fill(value)
        elif isinstance(self.holder, MutableMapping):
            self.holder[self.name] = value
        else:
            setattr(self.holder, self.name, value)


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
        self._model, self._optimizer, self.scheduler = model, optimizer, scheduler
        self._soundness = Soundness(self.state())

    def state(self) -> dict[str, Any]:
        """Return the state of the model, of the optimiser if it has one, and the learning rates with their bases."""
        found: dict[str, Any] = {"model": self._model.state_dict()}
        if isinstance(self._optimizer, HasState):
            found["optimizer"] = self._optimizer.state_dict()
        found["rates"] = [rate.get() for rate in self.rates()]
        found["base_rates"] = base_rates(self.scheduler)
        return found

    def load(self, state: dict[str, Any]) -> None:
        """Put a state back.

        Raises:
            Exception: whatever the model raises where the state does not fit it.
        """
        self._model.load_state_dict(state["model"])
        if isinstance(self._optimizer, HasState) and "optimizer" in state:
            self._optimizer.load_state_dict(state["optimizer"])
        # An optimiser's own state need not hold its rate.
        rates, values = self.rates(), state.get("rates") or []
        if len(rates) == len(values):
            for rate, value in zip(rates, values, strict=True):
                if rate.get() != value:
                    rate.set(value)
        if state.get("base_rates"):
            set_base_rates(self.scheduler, state["base_rates"])

    def finite(self) -> bool:
        """Tell whether the model's state holds no NaN, and no infinity that it did not begin with."""
        return self._soundness.holds({"model": self._model.state_dict()})

    def sound(self) -> bool:
        """Tell the same of model and optimiser."""
        return self._soundness.holds(self.state())

    def rates(self) -> list[Rate]:
        """Return the places of the learning rate: of each group of parameters, else the first attribute of the name."""
        groups = getattr(self._optimizer, "param_groups", None)
        if isinstance(groups, list):
            return [Rate(group, "lr") for group in groups if "lr" in group]
        for holder in (self._optimizer, self._model):
            for name in _RATE_NAMES:
                if _is_rate(getattr(holder, name, None)):
                    return [Rate(holder, name)]
        return []

    def scale_rates(self, factors: list[float]) -> None:
        """Multiply each learning rate, and the scheduler's base of it, by its factor.

        Raises:
            ValueError: there are not as many rates as factors; nothing was changed then.
        """
        rates = self.rates()
        if len(rates) != len(factors):
            raise ValueError(f"{len(rates)} learning rates, and {len(factors)} factors")
        for rate, factor in zip(rates, factors, strict=True):
            rate.set(rate.get() * factor)
        base = base_rates(self.scheduler)
        if base is not None and len(base) == len(factors):
            set_base_rates(self.scheduler, [value * factor for value, factor in zip(base, factors, strict=True)])


def _is_rate(value: Any) -> bool:
    """Tell whether an attribute is a number, or an array or tensor that holds one and may be written to."""
    if isinstance(value, Real):
        return not isinstance(value, bool)
    return getattr(value, "ndim", None) == 0 and (hasattr(value, "fill_") or hasattr(value, "fill"))
