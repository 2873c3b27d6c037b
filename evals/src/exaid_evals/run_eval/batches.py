"""What is in a batch, wherever its maker has put it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from exaid_evals.errors import DataError
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
        raise DataError(
            f"the batch holds no tensor of {what} (it has {holds})",
            remedy=f"make batches (inputs, labels), or mappings, and name the key in the task spec: {what[:-1]}_key",
        )
    return value


def logits_of(outputs: Any) -> Tensor:
    """Return the logits of a model's outputs, whatever library made it.

    A tensor is taken as it is; else `.logits` (transformers, torchvision's Inception and GoogLeNet), the entry
    `logits` or `out` of a mapping, or the first of a tuple.

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
            found = outputs[0]
    if not isinstance(found, Tensor):
        raise DataError(
            f"the adapter's outputs hold no logits ({type(outputs).__name__})",
            remedy="return a tensor from forward, or give the adapter `logits(outputs)`",
        )
    return found


def ids_of(batch: Any, first: int, n: int) -> list[str]:
    """Return the names of a batch's examples: its `id` entries, else running numbers.

    Args:
        batch: the batch.
        first: the number of its first example.
        n: how many examples it has.
    """
    if isinstance(batch, Mapping):
        ids = next((batch[name] for name in _ID_KEYS if name in batch), None)
        if ids is not None:
            return [str(one) for one in (ids.tolist() if isinstance(ids, Tensor) else ids)]
    return [str(index) for index in range(first, first + n)]


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


def halves(batch: Any) -> list[Any] | None:
    """Split a batch in two along its first axis; None where it has fewer than two examples, or their number is unclear.

    Lists of the length of the batch (ids) are split with the tensors.
    """
    sizes: set[int] = set()
    mapped(batch, lambda tensor: sizes.add(len(tensor)) if tensor.dim() else None)
    if len(sizes) != 1 or min(sizes) < 2:
        return None
    size = sizes.pop()
    middle = (size + 1) // 2
    return [_part(batch, size, slice(0, middle)), _part(batch, size, slice(middle, size))]


def _part(batch: Any, size: int, part: slice) -> Any:
    if isinstance(batch, Tensor):
        return batch[part] if batch.dim() else batch
    if isinstance(batch, Mapping):
        return {key: _part(value, size, part) for key, value in batch.items()}
    if isinstance(batch, list) and len(batch) == size and not any(isinstance(one, Tensor) for one in batch):
        return batch[part]
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_part(value, size, part) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(_part(value, size, part) for value in batch)
    return batch
