"""Evaluation by several processes: which examples each of them counts, and how their counts become one.

The engine is `torch.distributed`, as `torchrun`, Accelerate or the caller has set it up.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import torch.distributed as dist
from numpy.typing import NDArray
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler, IterableDataset, SequentialSampler

from exaid_evals.errors import ConfigError, DataError, ExaidError
from exaid_evals.run_eval.spec import EvalConfig

_APART = 1 << 40
"""Between the numbers of processes whose loaders do not tell which examples they hold."""


class Processes:
    """Those that evaluate together; alone where there is one."""

    def __init__(self, *, together: bool) -> None:
        self.size = dist.get_world_size() if together else 1
        self.rank = dist.get_rank() if together else 0

    @classmethod
    def of(cls, config: EvalConfig) -> Processes:
        """Return the processes that the configuration means.

        A process that evaluates alone, as the first of a training often does, must not wait for the others. So they are
        together where the loader's sampler divides the set among them, or `distributed` says so.

        Raises:
            ConfigError: `distributed` is true, and there is no process group.
        """
        here = dist.is_available() and dist.is_initialized()
        if config.distributed and not here:
            raise ConfigError(
                "there is no process group",
                where="EvalConfig.distributed",
                remedy="start with torchrun and call torch.distributed.init_process_group, or leave it out",
            )
        wanted = config.distributed if config.distributed is not None else _divides(config.loader)
        return cls(together=bool(here and wanted and dist.get_world_size() > 1))

    def gathered(self, value: Any) -> list[Any]:
        """Return the value of each process, in all of them."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def agree(self, error: Exception | None) -> None:
        """Raise in all processes what has gone wrong in one, lest the others wait for it forever.

        Raises:
            DataError: another process failed; says which, and why.
            Exception: this one's own error.
        """
        told = self.gathered(None if error is None else f"{type(error).__name__}: {error}")
        if error is not None:
            raise error
        for number, one in enumerate(told):
            if one is not None:
                raise DataError(
                    f"failed ({one})", where=f"process {number}", remedy="look at what that process has printed"
                )

    def model(self, model: Any) -> Any:
        """Return the model within `DistributedDataParallel`.

        Its weights are the same in all processes, and its forward pass would wait for those that have no batch left.
        """
        return model.module if isinstance(model, DistributedDataParallel) else model


class Share:
    """Which examples of the set a process's loader holds, and which of them it counts.

    Samplers give an example to two processes where the set cannot be divided evenly; it is counted once, by the first.
    """

    def __init__(self, loader: Any, processes: Processes) -> None:
        self.warnings: list[str] = []
        self._first = 0
        self._numbers: NDArray[np.int64] | None = None
        self._counted: NDArray[np.bool_] | None = None
        if processes.size == 1:
            return
        own, failed = None, None
        try:
            own = _indices(loader)
        except ExaidError as error:
            failed = error
        processes.agree(failed)
        every = processes.gathered(own)
        if own is None or any(one is None for one in every):
            self._first = processes.rank * _APART
            self.warnings.append(
                f"the loaders of {processes.size} processes do not tell which examples they hold, and are taken to "
                "hold different ones"
            )
            return
        before = np.concatenate([np.zeros(0, dtype=np.int64), *every[: processes.rank]])
        self._numbers = own
        _, places = np.unique(own, return_index=True)
        self._counted = np.zeros(len(own), dtype=bool)
        self._counted[places] = True
        self._counted &= ~np.isin(own, before)

    def take(self, position: int, n: int) -> tuple[NDArray[np.int64], list[int] | None]:
        """Return the numbers of the next examples, and which of them are counted: None where all are.

        Args:
            position: how many examples the loader has given before.
            n: how many there are now.

        Raises:
            DataError: the loader gives more than its sampler said.
        """
        if self._numbers is None or self._counted is None:
            return np.arange(position, position + n, dtype=np.int64) + self._first, None
        if position + n > len(self._numbers):
            raise DataError(
                f"the loader gives more examples than the {len(self._numbers)} that its sampler has",
                remedy="have each batch hold one example for each index",
            )
        part = slice(position, position + n)
        counted = self._counted[part]
        return self._numbers[part], None if counted.all() else np.flatnonzero(counted).tolist()


def _samplers(loader: Any) -> list[Any]:
    """Return a loader's samplers from the outside in: Accelerate puts one of its own around the loader's."""
    found: list[Any] = []
    sampler = getattr(loader, "batch_sampler", None)
    while sampler is not None and len(found) < 8:
        found.append(sampler)
        sampler = getattr(sampler, "batch_sampler", None) or getattr(sampler, "sampler", None)
    return found


def _divides(loader: Any) -> bool:
    """Return whether a loader's sampler, or its stream of examples, is divided among processes."""
    holders = [*_samplers(loader), getattr(loader, "dataset", None)]
    counts = [getattr(one, name, 1) for one in holders for name in ("num_replicas", "num_processes")]
    return any(isinstance(count, int) and count > 1 for count in counts)


def _indices(loader: Any) -> NDArray[np.int64] | None:
    """Return the indices of a loader's examples in order; None where it has no sampler to ask.

    Raises:
        ConfigError: it shuffles, so that asking it twice gives two answers.
    """
    samplers = _samplers(loader)
    if not samplers or isinstance(getattr(loader, "dataset", None), IterableDataset):
        return None
    # One that draws would go on where asking it has left it.
    asked: list[NDArray[np.int64]] = []
    if isinstance(samplers[-1], SequentialSampler | DistributedSampler) or not getattr(samplers[-1], "generator", None):
        asked = [np.fromiter(chain.from_iterable(samplers[0]), dtype=np.int64) for _ in range(2)]
    if not asked or not np.array_equal(asked[0], asked[1]):
        raise ConfigError(
            "the loader shuffles, so that it cannot be told which examples each process holds",
            where="EvalConfig.loader",
            remedy="make it with shuffle=False, or with DistributedSampler(dataset, shuffle=False); the order changes "
            "no metric",
        )
    return asked[0]
