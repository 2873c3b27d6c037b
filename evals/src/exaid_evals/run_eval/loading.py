"""Models that others have made: of timm, torchvision and transformers, ONNX, exported programs; and their weights.

Nothing is fetched from a hub, and weights are never unpickled: PyTorch's files are read as weights only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from exaid_evals.config.plugins import build_part, optional
from exaid_evals.errors import ConfigError, DataError, MissingDependencyError
from exaid_evals.files import open_regular
from exaid_evals.run_eval.boxes import found_boxes
from exaid_evals.run_eval.images import Preprocessing, Transform

_NESTED = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "net", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")


@dataclass(frozen=True, slots=True)
class Found:
    """A model, and what goes with it.

    Attributes:
        model: with random weights where its library has made it, until a checkpoint is loaded.
        adapter: how it is called, by name.
        transform: what makes its inputs of an image; None where nobody says.
    """

    model: nn.Module
    adapter: str
    transform: Transform | None


def is_of_a_library(name: str) -> bool:
    """Return whether a name is a model of a library or a file, and none of this package's or one's own."""
    return name.partition(":")[0] in _LIBRARIES or Path(name).suffix in _FILES


def transformers_of_texts(name: str, kind: str, settings: Mapping[str, Any]) -> nn.Module:
    """Return the model `transformers:FOLDER` for texts.

    Args:
        name: as in a configuration.
        kind: `CausalLM` or `SequenceClassification`.
        settings: for `from_pretrained`.

    Raises:
        ConfigError: there is none, or it is of another kind.
        MissingDependencyError: transformers is not installed.
    """
    of: nn.Module = build_part("model", name, lambda: _pretrained(name.partition(":")[2], kind, dict(settings)))
    return of


def tokenizer_of(folder: str) -> Any:
    """Return the tokenizer of transformers in a folder.

    Raises:
        ConfigError: there is none.
        MissingDependencyError: transformers is not installed.
    """
    transformers = _imported("transformers")
    return build_part("tokenizer", folder, lambda: transformers.AutoTokenizer.from_pretrained(folder, **_LOCAL))


def find_model(name: str, n_outputs: int | None, settings: Mapping[str, Any]) -> Found:
    """Return a model: `timm:NAME`, `torchvision:NAME`, `transformers:FOLDER`, or a file `.onnx`, `.pt2`.

    Raises:
        ConfigError: there is none, or it does not take the settings.
        MissingDependencyError: its library is not installed.
    """
    library, _, rest = name.partition(":")
    if library in _LIBRARIES:
        return build_part("model", name, lambda: _LIBRARIES[library](rest, n_outputs, dict(settings)))
    load = _FILES.get(Path(name).suffix)
    if load is None or not Path(name).is_file():
        raise ConfigError(
            "is not a file" if load else "is not a kind of file that holds a model",
            where=name,
            remedy="name an .onnx or .pt2 file, or LIBRARY:NAME",
        )
    return build_part("model", name, lambda: load(Path(name)))


def _imported(module: str) -> Any:
    library = module.partition(".")[0]
    return optional(module, library, "this model", library)


def _of_timm(name: str, n_outputs: int | None, settings: dict[str, Any]) -> Found:
    timm = _imported("timm")
    width = {} if n_outputs is None else {"num_classes": n_outputs}
    model = timm.create_model(name, pretrained=False, **width, **settings)
    config = timm.data.resolve_model_data_config(model)
    return Found(model, "timm", timm.data.create_transform(**config, is_training=False))


def _of_torchvision(name: str, n_outputs: int | None, settings: dict[str, Any]) -> Found:
    models = _imported("torchvision").models
    width = {} if n_outputs is None else {"num_classes": n_outputs}
    takes = inspect.signature(models.get_model_builder(name)).parameters
    backbone = {"weights_backbone": None} if "weights_backbone" in takes else {}  # its default would be fetched
    model = models.get_model(name, weights=None, **backbone, **width, **settings)
    if ".detection." in type(model).__module__:
        return Found(model, "detection", None)
    weights = next(iter(models.get_model_weights(name)), None)
    return Found(model, "torchvision", weights.transforms() if weights is not None else None)


def _of_transformers(folder: str, _n_outputs: int | None, settings: dict[str, Any]) -> Found:
    model = _pretrained(folder, "ImageClassification", settings)
    processor = _imported("transformers").AutoImageProcessor.from_pretrained(folder, **_LOCAL)
    return Found(model, "transformers_vision", lambda image: processor(image, return_tensors="pt")["pixel_values"][0])


_LOCAL = {"local_files_only": True, "trust_remote_code": False}


def _pretrained(folder: str, kind: str, settings: dict[str, Any]) -> nn.Module:
    auto = getattr(_imported("transformers"), f"AutoModelFor{kind}")
    model: nn.Module = auto.from_pretrained(folder, use_safetensors=True, **_LOCAL, **settings)
    return model


def transformers_detector(name: str, categories: Mapping[int, str], settings: Mapping[str, Any]) -> nn.Module:
    """Return the detector `transformers:FOLDER`, which takes images as torchvision's detectors do.

    Args:
        name: as in a configuration.
        categories: number → name of the annotations' categories. A model that knows all of these names answers in these
            numbers; another in its own.
        settings: for `from_pretrained`.

    Raises:
        ConfigError: there is none.
        MissingDependencyError: transformers is not installed.
    """
    return build_part("model", name, lambda: _Detector(name.partition(":")[2], categories, dict(settings)))


class _Detector(nn.Module):
    def __init__(self, folder: str, categories: Mapping[int, str], settings: dict[str, Any]) -> None:
        super().__init__()
        self.model = _pretrained(folder, "ObjectDetection", settings)
        self._processor = _imported("transformers").AutoImageProcessor.from_pretrained(folder, **_LOCAL)
        labels: Any = self.model.config
        number_of = {name: number for number, name in categories.items()}
        known = set(number_of) <= set(labels.id2label.values())
        # What the annotations do not know has no number there, and counts as found in vain.
        own = [number_of.get(labels.id2label[at], -1 - at) if known else at for at in range(labels.num_labels)]
        self.register_buffer("numbers", torch.tensor(own), persistent=False)

    def forward(self, images: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """Return boxes, scores and labels of each image of values in 0 … 1, one at a time, so that none is padded."""
        found = []
        for image in images:
            given = self._processor(image.cpu(), return_tensors="pt", do_rescale=False).to(image.device)
            (one,) = found_boxes(self.model, self.model(**given), [image.shape[-2:]], self._processor)
            found.append(one | {"labels": self.numbers[one["labels"]]})
        return found


class OnnxModel(nn.Module):
    """A model of ONNX Runtime, on the CPU: its first input takes the images, and its first output is the logits."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        runtime = _imported("onnxruntime")
        self._session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        given = self._session.get_inputs()[0]
        self._name, self._batch = given.name, given.shape[0] if given.shape else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits; a model that was exported for another number of examples gets as many at a time."""
        size = self._batch if isinstance(self._batch, int) else len(inputs)
        parts = []
        for start in range(0, len(inputs), size):
            part = inputs[start : start + size].cpu()
            n = len(part)
            if n < size:
                part = torch.cat([part, part[-1:].expand(size - n, *part.shape[1:])])
            parts.append(torch.from_numpy(self._session.run(None, {self._name: part.numpy()})[0][:n]))
        return torch.cat(parts).to(inputs.device)


_LIBRARIES: Mapping[str, Callable[[str, int | None, dict[str, Any]], Found]] = {
    "timm": _of_timm,
    "torchvision": _of_torchvision,
    "transformers": _of_transformers,
}
_FILES: Mapping[str, Callable[[Path], Found]] = {
    ".onnx": lambda path: Found(OnnxModel(path), "vision_classification", None),
    ".pt2": lambda path: Found(torch.export.load(str(path)).module(), "vision_classification", None),
}


class Subset(nn.Module):
    """A model of which some outputs alone compete, as for sets that have a part of ImageNet's classes."""

    def __init__(self, model: nn.Module, outputs: Sequence[int], logits_of: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.model = model
        self._logits_of = logits_of
        self.register_buffer("outputs", torch.tensor(list(outputs)), persistent=False)

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        """Return the logits of those outputs.

        Raises:
            DataError: the model has fewer.
        """
        logits = self._logits_of(self.model(*inputs, **named))
        if logits.shape[1] <= int(self.outputs.max()):
            raise DataError(
                f"the model has {logits.shape[1]} outputs, and a class has the number {int(self.outputs.max())}",
                remedy="name the classes that its outputs stand for with --classes",
            )
        return logits[:, self.outputs]


def preprocessing(settings: Mapping[str, Any]) -> Transform:
    """Return a transform of `resize`, `crop`, `mean` and `std`; what is not given is as usual for ImageNet.

    Raises:
        ConfigError: another setting, or a value that cannot be.
    """
    return build_part("transform", "data.transform", lambda: Preprocessing(**settings))


def load_checkpoint(model: nn.Module, path: Path, *, remedy: str = "name a checkpoint of this model") -> None:
    """Load weights into a model: safetensors, NumPy's .npz, or a file of PyTorch, of which weights alone are read.

    A dictionary of weights may stand under a usual name in one of more (`state_dict`, `model`, …), and under the
    prefixes that wrappers leave (`module.`).

    Raises:
        DataError: it is missing, damaged, holds more than weights, or is of another model.
    """
    state = _without_prefix(_read(path, remedy), model)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"belongs to another model ({reason})", where=str(path), remedy=remedy) from None


def _read(path: Path, remedy: str) -> dict[str, Tensor]:
    if path.exists():
        open_regular(path, remedy=remedy).close()  # what reads it would wait for a pipe
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}
        if path.suffix == ".safetensors":
            state: dict[str, Tensor] = _imported("safetensors.torch").load_file(str(path))
            return state
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError("no weights lie here", where=str(path), remedy=remedy) from None
    except MissingDependencyError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"cannot be read as weights alone ({reason})", where=str(path), remedy=remedy) from None
    for name in _NESTED:
        inner = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(inner, Mapping) and any(isinstance(one, Tensor) for one in inner.values()):
            found = inner
            break
    if not isinstance(found, Mapping) or not any(isinstance(one, Tensor) for one in found.values()):
        raise DataError("holds no dictionary of weights", where=str(path), remedy="save model.state_dict()")
    return {str(name): one for name, one in found.items() if isinstance(one, Tensor)}


def _without_prefix(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Return weights under the model's names, where all that keeps them apart is what a wrapper has put before."""
    wanted = set(model.state_dict())
    for prefix in _PREFIXES:
        if not wanted.intersection(state) and state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): one for name, one in state.items()}
    return state
