"""What a training loop says of its batches: `log_batch_metrics` for each, or a loader that profiles them."""

from __future__ import annotations

import importlib
import logging
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.images.measure import measure_image, pillow
from exaid_evals.artifacts.atomic import append_whole
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import append_descriptor
from exaid_evals.runs.history_files import BATCHES

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


FOLDER_VARIABLE = "EXAID_BATCH_LOG_DIR"
_USUAL = "runs/run"
_log = logging.getLogger("exaid_evals.analysis")
Phase = Literal["train", "eval"]


class BatchLog:
    """Appends batches to `batch_metrics.jsonl`, a line each, whole lines only.

    Where a run of W&B is active in this process, the metrics go there too, as `batch/<phase>/<metric>`, without
    committing a step of their own.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / BATCHES
        self._stream: IO[bytes] | None = None

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._path

    def __enter__(self) -> Self:
        """Return the log; the file is opened with the first batch."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def log_batch_metrics(
        self,
        batch_idx: int,
        step: float,
        metrics: Mapping[str, float | None],
        items: Sequence[str | os.PathLike[str]] = (),
        *,
        profile: Mapping[str, float | None] | None = None,
        phase: Phase = "train",
    ) -> None:
        """Write one batch.

        Args:
            batch_idx: within its epoch or evaluation.
            step: of the training.
            metrics: of this batch alone; a number that is not finite is written as null.
            items: identifiers of what the batch holds, in order; paths below the image folder for images.
            profile: further numbers: `brightness`, `target_length`, `confidence`.
            phase: `train`, or `eval` for a batch of a validation or test set.

        Raises:
            OSError: the file cannot be written.
        """
        row: dict[str, Any] = {
            "batch_idx": int(batch_idx),
            "step": _plain(step),
            "metrics": {name: _plain(value) for name, value in metrics.items()},
            "items": [str(item) for item in items],
            "phase": phase,
        }
        if profile:
            row["profile"] = {name: _plain(value) for name, value in profile.items()}
        if self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = os.fdopen(append_descriptor(self._path), "ab", buffering=0)
        # One write of one line: processes that share the file do not mix their lines.
        append_whole(self._stream, canonical_bytes(row) + b"\n")
        _to_wandb(row)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


_logs: dict[Path, BatchLog] = {}


def log_batch_metrics(
    batch_idx: int,
    step: float,
    metrics: Mapping[str, float | None],
    items: Sequence[str | os.PathLike[str]] = (),
    *,
    images_paths: Iterable[str | os.PathLike[str]] | None = None,
    profile: Mapping[str, float | None] | None = None,
    phase: Phase = "train",
    folder: Path | None = None,
) -> None:
    """Write one batch into the folder that is given, or that EXAID_BATCH_LOG_DIR names; see `BatchLog`.

    Args:
        batch_idx: as in `BatchLog`.
        step: the same.
        metrics: the same.
        items: the same.
        profile: the same.
        phase: the same.
        images_paths: the items, where they are images.
        folder: of the run's history; None takes the variable's, and without one `runs/run`, where a monitor writes.

    Raises:
        ConfigError: both items and images_paths are given.
        OSError: the file cannot be written.
    """
    if images_paths is not None:
        if len(items):
            raise ConfigError("items and images_paths are two names of one thing", remedy="give one of them")
        items = [os.fspath(path) for path in images_paths]
    named = folder or Path(os.environ.get(FOLDER_VARIABLE) or _USUAL)
    log = _logs.get(named.resolve())
    if log is None:
        log = _logs[named.resolve()] = BatchLog(named)
        if folder is None and not os.environ.get(FOLDER_VARIABLE):
            _log.warning("batches are written to %s; %s names another folder", log.path, FOLDER_VARIABLE)
    log.log_batch_metrics(batch_idx, step, metrics, items, profile=profile, phase=phase)


def _plain(value: float | None) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _to_wandb(row: Mapping[str, Any]) -> None:
    # Only where the training itself has imported wandb: a batch log must not be what loads it.
    if "wandb" not in sys.modules:
        return
    run = importlib.import_module("wandb").run
    if run is not None:
        values = {f"batch/{row['phase']}/{name}": value for name, value in row["metrics"].items() if value is not None}
        run.log({**values, f"batch/{row['phase']}/index": row["batch_idx"]}, commit=False)
