"""Where a model runs while it is evaluated: device, precision, random state, and several processes that share a set.

Processes are those of `torch.distributed`, as `torchrun`, Accelerate or the caller has set it up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler, IterableDataset, SequentialSampler

from exaid_evals.errors import ConfigError, DataError, ExaidError
from exaid_evals.run_eval.spec import EvalConfig, MixedPrecision

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def chosen_device(name: str | None) -> torch.device:
    """Return the device of a name; `auto` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        ConfigError: there is no such device here.
    """
    if name in (None, "auto"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(str(name))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0][:120]
        raise ConfigError(
            f"the device {name!r} cannot be used ({reason})", where="device", remedy="take cpu or auto"
        ) from None
    return device


@contextlib.contextmanager
def evaluating(model: nn.Module, device_name: str | None) -> Iterator[torch.device]:
    """Put a model into evaluation mode on a device, and afterwards back as it was, module by module.

    Yields:
        The device for the inputs. A model that lies on several stays there, and takes inputs on its first.

    Raises:
        ConfigError: the device cannot be used, or the model is no `torch.nn.Module`.
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"the model is a {type(model).__name__}", where="model", remedy=_remedy(model))
    modes = {module: module.training for module in model.modules()}
    devices = list(dict.fromkeys(tensor.device for tensor in (*model.parameters(), *model.buffers())))
    held = [device for device in devices if device.type != "meta"]
    # Accelerate fetches weights by hooks, when they are needed.
    if held != devices and not any(hasattr(module, "_hf_hook") for module in modes):
        raise ConfigError(
            "the model, or a part of it, lies on the meta device, and has no weights",
            where="model",
            remedy="load its weights: model.to_empty(device='cpu'), then load_state_dict",
        )
    here = held[0] if held else torch.device("cpu")
    device = here if device_name is None else chosen_device(device_name)
    moved = device_name is not None and len(devices) == 1 and devices[0] != device
    try:
        if moved:
            model.to(device)
        with contextlib.suppress(NotImplementedError):  # an exported model has the mode in which it was exported
            model.eval()
        yield device
    finally:
        _restore(modes)
        if moved:
            model.to(devices[0])


def _restore(modes: Mapping[nn.Module, bool]) -> None:
    """Put modules back into their modes, by `train`, which may do more, as in LoRA's, which merge weights."""
    for module, training in modes.items():  # parents before their children
        if module.training != training:
            with contextlib.suppress(NotImplementedError):
                module.train(training)
    for module, training in modes.items():
        module.training = training


def _remedy(model: object) -> str:
    """Return what to give in place of something that is not a module."""
    if hasattr(model, "graph_module") and callable(getattr(model, "module", None)):
        return "give what its `module()` returns: an exported program is not called itself"
    if isinstance(model, type):
        return f"give an instance: {model.__name__}(…)"
    return "give a torch.nn.Module; the `forward` of a small one calls your function"


def autocast(device: torch.device, mixed_precision: MixedPrecision) -> contextlib.AbstractContextManager[object]:
    """Return the context in which the forward pass runs."""
    if mixed_precision == "no":
        return contextlib.nullcontext()
    context: contextlib.AbstractContextManager[object] = torch.autocast(device.type, dtype=_DTYPES[mixed_precision])
    return context


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch within the block, and give the caller's random state back after it."""
    before = random_state()
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        torch.manual_seed(seed)
    else:  # which takes a tenth of a millisecond to leave word for devices that are not there
        torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        set_random_state(before)


def random_state() -> torch.Tensor:
    """Return PyTorch's random state, of the CPU and behind it of CUDA's devices."""
    return torch.cat([torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])])


def set_random_state(state: torch.Tensor) -> None:
    """Set what `random_state` has returned."""
    size = len(torch.get_rng_state())
    torch.set_rng_state(state[:size])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(list(state[size:].chunk(torch.cuda.device_count())))


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Let PyTorch compute with so many threads within the block; None changes nothing.

    Sums are added in another order by another number of threads, so weights repeat only with the same one.
    """
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def of_types(error: RuntimeError) -> bool:
    """Return whether a model has refused its inputs for their type; PyTorch has no exception of its own for that."""
    said = str(error).lower()
    return "dtype" in said or "scalar type" in said or ("type" in said and "should be the same" in said)


def out_of_memory(error: Exception) -> bool:
    """Return whether memory was short; the CPU's allocator has no exception of its own."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


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
        failures = self.gathered(None if error is None else f"{type(error).__name__}: {error}")
        if error is not None:
            raise error
        for number, one in enumerate(failures):
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
            "the loader shuffles, so that it is unknown which examples each process holds",
            where="EvalConfig.loader",
            remedy="make it with shuffle=False, or with DistributedSampler(dataset, shuffle=False); the order changes "
            "no metric",
        )
    return asked[0]
