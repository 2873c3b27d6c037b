"""Schedulers of PyTorch, and what becomes of a learning rate that is changed under them."""

from __future__ import annotations

from typing import Any

RECOMPUTING = frozenset({"OneCycleLR", "CyclicLR", "SequentialLR", "ChainedScheduler"})
"""They compute each rate anew from limits, or from schedules of their own, which are not in `base_lrs`: a lowered rate
lasts until their next step. Measured with PyTorch, see test_torch.py; the others keep the factor."""


def recomputes(scheduler: Any) -> bool:
    """Tell whether a scheduler's next step undoes a learning rate that was lowered."""
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
    """Tell whether a scheduler was made for an optimiser: it notes the rate with which it began in each group."""
    groups = getattr(optimizer, "param_groups", None)
    return isinstance(groups, list) and any("initial_lr" in group for group in groups)
