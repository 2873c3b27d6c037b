"""What is being trained, seen from outside: a state that can be taken and put back, and learning rates."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.monitor.recovery.parts import HasState, kind_of, part_of
from exaid_evals.monitor.recovery.schedules import base_rates, set_base_rates
from exaid_evals.monitor.recovery.soundness import Soundness
from exaid_evals.monitor.recovery.state_file import check_state

_RATE_NAMES = ("learning_rate", "lr", "learning_rate_init")


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


class TrainingState:
    """A model, and what belongs to its training as far as it is given: optimiser, scheduler, further parts.

    Attributes:
        scheduler: as it was given.
        unkept: why the scheduler's own state is not part of the state; None where it is.
    """

    def __init__(
        self, model: Any, optimizer: Any = None, scheduler: Any = None, parts: Mapping[str, Any] | None = None
    ) -> None:
        """Look at the parts.

        Args:
            model: has state_dict() and load_state_dict().
            optimizer: has them too, or at least a learning rate (`param_groups`, `learning_rate`, `lr`).
            scheduler: one of PyTorch's; its base rates follow a lowered learning rate, which it would undo else.
            parts: name → what else has a state, see `part_of`.

        Raises:
            ConfigError: something has no state that could be taken, or one that cannot be kept.
        """
        if not isinstance(model, HasState):
            remedy = "give an object with state_dict() and load_state_dict()"
            raise ConfigError(f"a {type(model).__name__} has no state that can be kept", where="model", remedy=remedy)
        self._model, self._optimizer, self.scheduler = model, optimizer, scheduler
        self._parts = {name: part_of(value, name) for name, value in (parts or {}).items()}
        self._kinds = {
            "optimizer": kind_of(optimizer), "scheduler": kind_of(scheduler),
            **{f"parts.{name}": kind_of(value) for name, value in (parts or {}).items()},
        }  # fmt: skip
        self.unkept: str | None = None
        if isinstance(scheduler, HasState):
            try:
                check_state(scheduler.state_dict())
            except ConfigError as error:  # a schedule may be a function of the user's
                self.unkept = str(error)
        self._keeps_schedule = isinstance(scheduler, HasState) and self.unkept is None
        check_state(self.state())
        self._soundness = Soundness(self._trained())

    def state(self) -> dict[str, Any]:
        """Return the state of all parts that have one, and the learning rates with their bases."""
        found = self._trained()
        if self._keeps_schedule:
            found["scheduler"] = self.scheduler.state_dict()
        found["parts"] = {name: part.state_dict() for name, part in self._parts.items()}
        found["kinds"] = self._kinds
        found["rates"] = [rate.get() for rate in self.rates()]
        found["base_rates"] = base_rates(self.scheduler)
        return found

    def _trained(self) -> dict[str, Any]:
        found: dict[str, Any] = {"model": self._model.state_dict()}
        if isinstance(self._optimizer, HasState):
            found["optimizer"] = self._optimizer.state_dict()
        return found

    def load(self, state: dict[str, Any]) -> None:
        """Put a state back; a part that it does not have is left as it is.

        Raises:
            DataError: it is of another optimiser, scheduler or part; nothing was changed then.
            Exception: whatever the model raises where the state does not fit it.
        """
        self._check_kinds(state.get("kinds") or {})
        self._model.load_state_dict(state["model"])
        if isinstance(self._optimizer, HasState) and "optimizer" in state:
            self._optimizer.load_state_dict(state["optimizer"])
        if self._keeps_schedule and "scheduler" in state:
            self.scheduler.load_state_dict(state["scheduler"])
        for name, part in self._parts.items():
            if name in (state.get("parts") or {}):
                part.load_state_dict(state["parts"][name])
        # An optimiser's own state need not hold its rate.
        rates, values = self.rates(), state.get("rates") or []
        if len(rates) == len(values):
            for rate, value in zip(rates, values, strict=True):
                if rate.get() != value:
                    rate.set(value)
        if state.get("base_rates"):
            set_base_rates(self.scheduler, state["base_rates"])

    def _check_kinds(self, kinds: Mapping[str, str | None]) -> None:
        """Refuse what PyTorch would take: an optimiser with another one's state fails in the training's next step."""
        for name, kind in kinds.items():
            mine = self._kinds.get(name)
            if kind is not None and mine is not None and kind != mine:
                remedy = "attach what the checkpoint was made with, or name another folder"
                raise DataError(f"is of {kind}, and here is {mine}", where=f"checkpoint: {name}", remedy=remedy)

    def finite(self) -> bool:
        """Tell whether the model's state holds no NaN, and no infinity that it did not begin with."""
        return self._soundness.holds({"model": self._model.state_dict()})

    def sound(self) -> bool:
        """Tell the same of model and optimiser."""
        return self._soundness.holds(self._trained())

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
