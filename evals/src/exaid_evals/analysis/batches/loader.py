"""Profiles of the batches of a loader: what the images are like, how hard the targets are, how the model does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.images.measure import measure_image, pillow
from exaid_evals.errors import DataError

Array = NDArray[Any]

Numbers = dict[str, float | None]


def profile_validation_batches(val_loader: Iterable[Any], model: Any) -> list[dict[str, Any]]:
    """Profile each batch of a validation set.

    Args:
        val_loader: yields (images, targets). Images are an array or tensor of shape (n, height, width),
            (n, height, width, channels) or (n, channels, height, width), or n single ones, of Pillow too; floats
            outside 0 to 1 are taken by the batch's range. Targets are class numbers, other numbers, or a thing of any
            length each (boxes, a text).
        model: has predict_proba(images), or is called with images; gives scores, logits or probabilities of shape
            (n, classes), or a number each. A module of PyTorch is put into its evaluation mode meanwhile.

    Returns:
        For each batch `batch_idx`, `n`, `image_stats` (means over its images: brightness and contrast in greys of 0 to
        255, sharpness as the audit of images has it), `target_complexity`, `prediction_confidence` (mean and lowest
        probability of the predicted class), `performance` (accuracy and log loss of classes; mean absolute and squared
        error of other numbers). What a batch does not allow to tell is None.

    Raises:
        DataError: a batch is not a pair, or its images are not images.
        MissingDependencyError: the extra `analysis` is not installed.
    """
    with _evaluating(model):
        return [_profile(at, batch, _caller(model)) for at, batch in enumerate(val_loader)]


def _profile(at: int, batch: Any, call: Callable[[Any], Any]) -> dict[str, Any]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        remedy = "give a loader that yields (images, targets)"
        raise DataError(f"is a {type(batch).__name__} and not a pair", where=f"batch {at}", remedy=remedy)
    images, targets = batch
    outputs, wanted = _outputs(call(images)), _array(targets)
    probabilities = None if outputs is None else _probabilities(outputs)
    return {
        "batch_idx": at,
        "n": len(images),
        "image_stats": _image_stats(images),
        "target_complexity": _complexity(targets, wanted),
        "prediction_confidence": _confidence(probabilities),
        "performance": _performance(outputs, probabilities, wanted),
    }


def _image_stats(images: Any) -> Numbers:
    facts = [measure_image(image) for image in _pictures(images)]
    found: Numbers = {}
    for name in ("brightness", "contrast", "sharpness"):
        values = [value for one in facts if (value := one.measure(name)) is not None]
        found[name] = float(np.mean(values)) if values else None
    return found


def _pictures(images: Any) -> Iterator[Any]:
    """Yield images of Pillow.

    Raises:
        DataError: there is something else.
    """
    array = None if isinstance(images, list | tuple) else _array(images)
    every = images if array is None else array
    low, high = 0.0, 1.0
    if array is not None and array.dtype.kind == "f" and array.size:
        low, high = min(0.0, float(np.nanmin(array))), max(1.0, float(np.nanmax(array)))
    for one in every:
        if isinstance(one, pillow().Image):
            yield one
            continue
        pixels = _array(one)
        if pixels is None or pixels.ndim not in (2, 3) or 0 in pixels.shape or pixels.dtype.kind not in "fub":
            remedy = "give images of Pillow, or arrays of shape (height, width) with channels before or after"
            raise DataError(
                f"a {type(one).__name__} is not an image", where="profile_validation_batches", remedy=remedy
            )
        if pixels.dtype.kind == "f":
            pixels = np.round(np.nan_to_num((pixels - low) / (high - low)) * 255).clip(0, 255)
        pixels = pixels.astype(np.uint8)
        if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
            pixels = np.moveaxis(pixels, 0, 2)
        if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
            pixels = pixels[:, :, 0]
        yield pillow().fromarray(np.ascontiguousarray(pixels))


def _complexity(targets: Any, wanted: Array | None) -> Numbers:
    """Describe targets: how many classes, how evenly (entropy in bits), or how long each is."""
    if wanted is not None and wanted.ndim == 1 and wanted.dtype.kind in "iub":
        counts = np.array(list(Counter(wanted.tolist()).values()), dtype=np.float64)
        shares = counts / counts.sum()
        return {"n_classes": float(len(counts)), "entropy": max(0.0, float(-(shares * np.log2(shares)).sum()))}
    if wanted is not None and wanted.ndim == 1 and wanted.dtype.kind == "f":
        return {"mean": float(wanted.mean()), "sd": float(wanted.std())}
    lengths = [len(one) for one in targets if hasattr(one, "__len__")] if hasattr(targets, "__iter__") else []
    return {"mean_length": float(np.mean(lengths)) if lengths else None, "max_length": max(lengths, default=None)}


def _confidence(probabilities: Array | None) -> Numbers:
    if probabilities is None:
        return {"mean": None, "min": None}
    highest = probabilities.max(axis=1)
    return {"mean": float(highest.mean()), "min": float(highest.min())}


def _performance(outputs: Array | None, probabilities: Array | None, wanted: Array | None) -> Numbers:
    if outputs is None or wanted is None or len(outputs) != len(wanted):
        return {}
    if probabilities is not None and wanted.ndim == 1 and wanted.dtype.kind in "iub":
        classes = wanted.astype(np.int64)
        if classes.min() < 0 or classes.max() >= probabilities.shape[1]:
            raise DataError(
                f"classes {classes.min()} to {classes.max()}, and the model has {probabilities.shape[1]}",
                where="profile_validation_batches", remedy="number the classes from 0",
            )  # fmt: skip
        own = np.clip(probabilities[np.arange(len(classes)), classes], 1e-12, 1.0)
        right = probabilities.argmax(axis=1) == classes
        return {"accuracy": float(right.mean()), "loss": float(-np.log(own).mean())}
    if outputs.shape == wanted.shape and wanted.dtype.kind in "fiu":
        gap = outputs - wanted
        return {"mae": float(np.abs(gap).mean()), "mse": float((gap**2).mean())}
    return {}


def _probabilities(outputs: Array) -> Array | None:
    """Return shape (n, classes) as probabilities: as they are where rows sum to 1, else their softmax."""
    if outputs.ndim != 2 or outputs.shape[1] < 2 or not np.isfinite(outputs).all():
        return None
    values = outputs.astype(np.float64)
    if values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=1e-3):
        return values
    shifted = np.exp(values - values.max(axis=1, keepdims=True))
    found: Array = shifted / shifted.sum(axis=1, keepdims=True)
    return found


def _outputs(given: Any) -> Array | None:
    """Return what a model gave as an array; of a mapping or an object, its `logits`."""
    if isinstance(given, Mapping):
        given = given.get("logits")
    given = getattr(given, "logits", given)
    if isinstance(given, tuple) and given:
        given = given[0]
    found = _array(given)
    if found is not None and found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    return found


def _array(value: Any) -> Array | None:
    """Return numbers as an array; None for what is none, or has rows of different lengths."""
    if value is None:
        return None
    if hasattr(value, "detach"):  # a tensor, perhaps with a gradient, perhaps on another device
        value = value.detach().cpu().numpy()
    try:
        found = np.asarray(value)
    except ValueError:
        return None
    return found if found.dtype.kind in "fiub" else None


def _caller(model: Any) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = getattr(model, "predict_proba", model)
    return found


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Put a module of PyTorch into its evaluation mode without gradients, and back."""
    import sys

    torch = sys.modules.get("torch")
    was_training = bool(getattr(model, "training", False)) and callable(getattr(model, "eval", None))
    if was_training:
        model.eval()
    try:
        with torch.no_grad() if torch is not None else nullcontext():
            yield
    finally:
        if was_training:
            model.train()
