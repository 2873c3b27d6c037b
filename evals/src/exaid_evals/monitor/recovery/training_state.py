"""What is being trained, seen from outside: a state to take and put back, learning rates, schedules, parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol, runtime_checkable

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.monitor.recovery.state_file import Soundness, check_state
from exaid_evals.monitor.settings import AutoRecoveryConfig

RECOMPUTING = frozenset({"OneCycleLR", "CyclicLR", "SequentialLR", "ChainedScheduler"})
"""They compute each rate anew from limits, or from schedules of their own, which are not in `base_lrs`: a lowered rate
lasts until their next step. Measured with PyTorch, see test_torch.py; the others keep the factor."""


def recomputes(scheduler: Any) -> bool:
    """Return whether a scheduler's next step undoes a learning rate that was lowered."""
    return any(kind.__name__ in RECOMPUTING for kind in type(scheduler).__mro__)


def base_rates(scheduler: Any) -> list[float] | None:
    """Return a copy of the rates from which a schedule begins; None where it has none of that form."""
    base = getattr(scheduler, "base_lrs", None)
    return [float(value) for value in base] if isinstance(base, list) else None


def set_base_rates(scheduler: Any, values: list[float]) -> None:
    """Change them, as far as there are as many."""
    base = getattr(scheduler, "base_lrs", None)
    if isinstance(base, list) and len(base) == len(values):
        base[:] = values


def has_schedule(optimizer: Any) -> bool:
    """Return whether a scheduler was made for an optimiser: it notes the rate with which it began in each group."""
    groups = getattr(optimizer, "param_groups", None)
    return isinstance(groups, list) and any("initial_lr" in group for group in groups)


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
        """Return whether the model's state holds no NaN, and no infinity that it did not begin with."""
        return self._soundness.holds({"model": self._model.state_dict()})

    def sound(self) -> bool:
        """Return the same of model and optimiser together."""
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
    """Return whether an attribute is a number, or an array or tensor that holds one and may be written to."""
    if isinstance(value, Real):
        return not isinstance(value, bool)
    return getattr(value, "ndim", None) == 0 and (hasattr(value, "fill_") or hasattr(value, "fill"))


def attached(
    config: AutoRecoveryConfig,
    on_problem: Callable[[str], None],
    model: Any,
    optimizer: Any,
    scheduler: Any,
    parts: Mapping[str, Any] | None,
) -> TrainingState:
    """Return what is trained, if the configured strategies can work with it.

    Raises:
        ConfigError: something has no state that could be taken, or one that cannot be kept; no learning rate is found
            that could be lowered, or the scheduler would undo that.
    """
    training_state = TrainingState(model, optimizer, scheduler, parts)
    lowers = "reduce_learning_rate" in config.strategies
    leave_out = "leave reduce_learning_rate out of strategies"
    if lowers and not training_state.rates():
        remedy = f"attach the optimiser, or {leave_out}"
        raise ConfigError("no learning rate is found that could be lowered", where="strategies", remedy=remedy)
    if recomputes(scheduler):
        what = f"a {type(scheduler).__name__} computes the learning rate anew at each step, whatever it was lowered to"
        if lowers:
            raise ConfigError(what, where="strategies", remedy=leave_out)
        on_problem(f"{what}: a repeated rollback lowers it for one step only")
    if training_state.unkept is not None:
        on_problem(f"a rollback leaves the scheduler's counter where it is: {training_state.unkept}")
    if scheduler is None and has_schedule(optimizer):
        on_problem("the optimiser has a scheduler that is not attached: neither a rollback nor a lower rate reaches it")
    return training_state
