"""Where and how a model runs while it is evaluated, and that it is left as it came."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import nn

from exaid_evals.errors import ConfigError
from exaid_evals.run_eval.spec import MixedPrecision

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
    """Return what to give in place of something that is no module."""
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
