"""Models of a few numbers, with the methods that a recovery needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Model:
    """One array."""

    def __init__(self, *values: float) -> None:
        self.weights: NDArray[np.float64] = np.array(values or (1.0, 2.0))

    def state_dict(self) -> dict[str, Any]:
        """Return it."""
        return {"weights": self.weights, "version": 3}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take one of the same shape."""
        n = min(len(self.weights), len(state["weights"]))
        self.weights[:n] = state["weights"][:n]  # in place and by half before it raises, as PyTorch's do
        if state["weights"].shape != self.weights.shape:
            raise ValueError("another shape")


class Optimizer:
    """Groups with a learning rate, as PyTorch's optimisers have."""

    def __init__(self, *rates: float) -> None:
        self.param_groups = [{"lr": rate} for rate in rates or (0.1,)]

    def state_dict(self) -> dict[str, Any]:
        """Return the groups, and something with a number as its key."""
        return {"param_groups": [dict(group) for group in self.param_groups], "state": {0: {"step": 1.0}}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the groups."""
        self.param_groups = [dict(group) for group in state["param_groups"]]

    @property
    def rates(self) -> list[float]:
        """The learning rates."""
        return [group["lr"] for group in self.param_groups]


class Scheduler:
    """Knows from which rates a schedule begins."""

    def __init__(self, *rates: float) -> None:
        self.base_lrs = list(rates)
