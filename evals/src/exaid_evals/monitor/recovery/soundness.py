"""Whether a state is one that can be trained on: no NaN, and infinities only where they belong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from exaid_evals.monitor.recovery.state_file import is_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[Any]

Path = tuple[Any, ...]


class Soundness:
    """Knows which numbers of a state were infinite when the training began: a causal mask holds −inf by design."""

    def __init__(self, state: Any) -> None:
        self._infinite: dict[Path, Mask] = {}
        for path, leaf in _leaves(state, ()):
            infinite = _infinite(leaf)
            if infinite.any():
                self._infinite[path] = infinite

    def holds(self, state: Any) -> bool:
        """Tell whether a state holds no NaN, and no infinity where there was none."""
        return all(self._sound(path, leaf) for path, leaf in _leaves(state, ()))

    def _sound(self, path: Path, leaf: Any) -> bool:
        if is_tensor(leaf):
            if leaf.isfinite().all():
                return True
        elif _finite(leaf):
            return True
        known = self._infinite.get(path)
        if known is None or _is_nan(leaf):
            return False
        infinite = _infinite(leaf)
        # A mask that has grown with the length of its sequences holds as many infinities as it likes.
        return known.shape != infinite.shape or not bool((infinite & ~known).any())


def _leaves(state: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what holds floating-point numbers, with the way to it."""
    import numpy as np

    if isinstance(state, Mapping):
        for key, value in state.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(state, list | tuple):
        for at, value in enumerate(state):
            yield from _leaves(value, (*path, at))
    elif is_tensor(state):
        if state.is_floating_point() or state.is_complex():
            yield path, state
    elif isinstance(state, float) or (
        isinstance(state, np.ndarray | np.generic) and np.issubdtype(state.dtype, np.inexact)
    ):
        yield path, state


def _finite(leaf: Any) -> bool:
    import numpy as np

    return math.isfinite(leaf) if isinstance(leaf, float) else bool(np.isfinite(leaf).all())


def _is_nan(leaf: Any) -> bool:
    import numpy as np

    return bool(leaf.isnan().any()) if is_tensor(leaf) else bool(np.isnan(leaf).any())


def _infinite(leaf: Any) -> Mask:
    import numpy as np

    if is_tensor(leaf):
        found: Mask = leaf.detach().isinf().cpu().numpy()
        return found
    return np.asarray(np.isinf(leaf))
