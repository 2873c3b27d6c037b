"""What is in a batch, wherever its maker has put it, and what comes out of a loader."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from exaid_evals.errors import DataError, ExaidError
from exaid_evals.run_eval.spec import TaskSpec

_INPUT_KEYS = ("pixel_values", "image", "images", "input_ids", "inputs", "input", "x")
_LABEL_KEYS = ("labels", "label", "targets", "target", "y")
_ID_KEYS = ("id", "ids")


def inputs_of(batch: Any, task_spec: TaskSpec) -> Tensor:
    """Return the inputs: of a mapping under `input_schema.input_key` or a usual name, of a pair the first.

    Raises:
        DataError: there are none.
    """
    return _found(batch, task_spec.input_schema.get("input_key"), _INPUT_KEYS, 0, "inputs")


def labels_of(batch: Any, task_spec: TaskSpec) -> Tensor:
    """Return the labels: of a mapping under `output_schema.label_key` or a usual name, of a pair the second.

    Raises:
        DataError: there are none.
    """
    return _found(batch, task_spec.output_schema.get("label_key"), _LABEL_KEYS, 1, "labels")


def _found(batch: Any, declared: str | None, usual: tuple[str, ...], position: int, what: str) -> Tensor:
    value = None
    if isinstance(batch, Mapping):
        names = (declared,) if declared else usual
        value = next((batch[name] for name in names if name in batch), None)
        holds = f"the keys {', '.join(map(str, batch))}"
    elif isinstance(batch, list | tuple) and len(batch) > position:
        value, holds = batch[position], f"{len(batch)} parts"
    else:
        holds = type(batch).__name__
    if not isinstance(value, Tensor):
        other = "" if value is None else f"; its {what} are a {type(value).__name__}"
        raise DataError(
            f"the batch holds no tensor of {what} (it has {holds}{other})",
            remedy=f"make batches (inputs, labels), or mappings, of tensors (torch.as_tensor makes them of lists and "
            f"arrays), and name the key in the task spec: {what[:-1]}_key",
        )
    return value


def logits_of(outputs: Any) -> Tensor:
    """Return the logits of a model's outputs, whatever library made it; those of half precision in single precision.

    A tensor is taken as it is; else `.logits` (transformers, torchvision's Inception and GoogLeNet), the entry
    `logits` or `out` of a mapping, or the first of a tuple that is not a single number.

    Raises:
        DataError: there are none.
    """
    found = outputs
    if not isinstance(found, Tensor):
        if getattr(outputs, "logits", None) is not None:
            found = outputs.logits
        elif isinstance(outputs, Mapping):
            found = outputs.get("logits", outputs.get("out"))
        elif isinstance(outputs, list | tuple) and outputs:
            # Before the logits there may be a loss, which has no dimension.
            found = next((one for one in outputs if isinstance(one, Tensor) and one.dim()), outputs[0])
    if not isinstance(found, Tensor):
        of_array = " (torch.from_numpy makes one of an array)" if type(found).__module__ == "numpy" else ""
        keys = f" with {', '.join(map(str, outputs))}" if isinstance(outputs, Mapping) else ""
        raise DataError(
            f"the adapter's outputs hold no logits ({type(outputs).__name__}{keys})",
            remedy=f"return a tensor from forward{of_array}, or give the adapter `logits(outputs)`",
        )
    return _single(found)


def are_probabilities(logits: Any, labels: Any) -> bool:
    """Return whether scores of classes are probabilities already: none is negative, and each example's add up to 1."""
    if not (isinstance(logits, Tensor) and isinstance(labels, Tensor)) or labels.is_floating_point():
        return False
    if logits.dim() not in (2, 3) or labels.dim() != logits.dim() - 1:
        return False
    return logits.shape[-1] > 1 and bool((logits >= 0).all() & ((logits.sum(dim=-1) - 1).abs() < 1e-3).all())


def _single(tensor: Tensor) -> Tensor:
    tensor = tensor.to_dense() if tensor.layout is not torch.strided else tensor
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def in_full(outputs: Any) -> Any:
    """Return a model's outputs with what is of half precision in single precision, so that a loss is computed in full.

    Looked at are a tensor, the entries of a mapping or tuple, and `.logits`; the outputs keep their type.
    """
    if isinstance(outputs, Tensor):
        return _single(outputs)
    if isinstance(outputs, Mapping):
        changed = {key: _single(one) for key, one in outputs.items() if isinstance(one, Tensor)}
        if all(outputs[key] is one for key, one in changed.items()):
            return outputs
        full = copy.copy(outputs)
        for key, one in changed.items():
            full[key] = one  # type: ignore[index]
        return full
    if isinstance(outputs, list | tuple):
        parts = [_single(one) if isinstance(one, Tensor) else one for one in outputs]
        return type(outputs)(*parts) if hasattr(outputs, "_fields") else type(outputs)(parts)
    logits = getattr(outputs, "logits", None)
    if isinstance(logits, Tensor) and logits.dtype in (torch.float16, torch.bfloat16):
        if dataclasses.is_dataclass(outputs) and not isinstance(outputs, type):
            return dataclasses.replace(outputs, logits=logits.float())
        outputs = copy.copy(outputs)
        outputs.logits = logits.float()
    return outputs


def as_weights(batch: Any, model: nn.Module) -> Any:
    """Return a batch with its floating-point tensors in the type of the model's weights; None where all have it.

    A model whose weights have several types says itself what it takes.
    """
    types = {one.dtype for one in model.parameters() if one.is_floating_point()}
    given: set[torch.dtype] = set()
    mapped(batch, lambda tensor: given.add(tensor.dtype) if tensor.is_floating_point() else None)
    if len(types) != 1 or given <= types:
        return None
    (dtype,) = types
    return mapped(batch, lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)


def mapped(batch: Any, change: Any) -> Any:
    """Return a batch with every tensor changed, and all else as it is."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, Mapping):
        return {key: mapped(value, change) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(mapped(value, change) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(mapped(value, change) for value in batch)
    return batch


def to_device(batch: Any, device: torch.device) -> Any:
    """Return a batch with its tensors on a device."""
    return mapped(batch, lambda tensor: tensor.to(device))


def size_of(batch: Any) -> int | None:
    """Return the number of a batch's examples, the one length of all its tensors; None where they differ."""
    sizes: set[int] = set()
    mapped(batch, lambda tensor: sizes.add(len(tensor)) if tensor.dim() else None)
    return sizes.pop() if len(sizes) == 1 else None


def rows_of(batch: Any, size: int, rows: Sequence[int]) -> Any:
    """Return some of a batch's examples: of its tensors, and of lists that have one entry for each."""
    if isinstance(batch, Tensor):
        if not batch.dim() or len(batch) != size:
            return batch
        if isinstance(rows, range):
            return batch[rows.start : rows.stop]
        return batch[torch.as_tensor(rows, dtype=torch.long, device=batch.device)]
    if isinstance(batch, Mapping):
        return {key: rows_of(value, size, rows) for key, value in batch.items()}
    if isinstance(batch, list) and len(batch) == size and not any(isinstance(one, Tensor) for one in batch):
        return [batch[row] for row in rows]
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(rows_of(value, size, rows) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(rows_of(value, size, rows) for value in batch)
    return batch


def dropped(loader: Any, max_batches: int | None) -> int:
    """Return how many examples a loader leaves out, since they fill no batch."""
    if max_batches is not None or not getattr(loader, "drop_last", False):
        return 0
    sampler, size = getattr(loader, "sampler", None), getattr(loader, "batch_size", None)
    with contextlib.suppress(TypeError):  # of an unknown length
        return len(sampler) % size if size else 0  # type: ignore[arg-type]
    return 0


class Limited:
    """A loader up to a number of batches; what it raises says after how many."""

    def __init__(self, loader: Iterable[Any], max_batches: int | None) -> None:
        self._loader = loader
        self._max = max_batches

    def __len__(self) -> int:
        length = len(self._loader)  # type: ignore[arg-type]
        return length if self._max is None else min(length, self._max)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            iterator = iter(self._loader)
            while self._max is None or given < self._max:
                batch = next(iterator, _END)
                if batch is _END:
                    return
                given += 1
                yield batch
        except ExaidError:
            raise
        except Exception as error:
            raise DataError(
                f"the loader failed after {given} batches ({type(error).__name__}: {error})",
                remedy="nothing was written; mend what it reads, or set max_batches below",
            ) from error


_END = object()


def required_labels(adapter: Any, spec: TaskSpec, batch: Any) -> Any:
    """Return the labels of a batch, by the adapter where it says them.

    Raises:
        DataError: they are neither a tensor of a batch nor a list of what images hold.
    """
    labels = getattr(adapter, "labels", labels_of)(batch, spec)
    of_images = isinstance(labels, list) and all(isinstance(one, Mapping) for one in labels)
    if not isinstance(labels, Tensor) and not of_images:
        raise DataError(
            f"the adapter's labels are a {type(labels).__name__}", remedy="return a tensor (torch.as_tensor)"
        )
    if isinstance(labels, Tensor) and not labels.dim():
        raise DataError(
            "the labels are a single number: the loader gives examples, and no batches of them",
            remedy="wrap the data set: torch.utils.data.DataLoader(dataset, batch_size=32)",
        )
    return labels


def required_ids(adapter: Any, batch: Any, numbers: Sequence[int]) -> list[str]:
    """Return the ids of a batch's examples: as the adapter says, else its `id` entries, else their numbers.

    Raises:
        DataError: they are not as many as the examples.
    """
    own = getattr(adapter, "ids", None)
    named = own(batch) if own else None
    if named is None and isinstance(batch, Mapping):
        named = next((batch[name] for name in _ID_KEYS if name in batch), None)
        named = named.tolist() if isinstance(named, Tensor) else named
    # The numbers are Python's: NumPy's take thrice as long.
    ids = [str(one) for one in (numbers if named is None else named)]
    if len(ids) != len(numbers):
        raise DataError(f"{len(ids)} ids for {len(numbers)} examples", remedy="give each example one")
    return ids
