"""A folder of images as a task: a folder within it for each class, or a file that says what is in each image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.config.plugins import optional
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import lies_in, open_regular
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.spec import DataConfig, TaskSpec
from exaid_evals.runs.files.document import parsed

Transform = Callable[[Any], Tensor]
_MOST_DIGITS = 6
"""Of a class's number: a longer one numbers something else, and so many classes would fill the memory."""
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What makes a tensor of an image: the shorter side to a length, the middle cut out, values scaled.

    Attributes:
        resize: pixels of the shorter side.
        crop: pixels of the square in the middle.
        mean, std: of each channel, of values from 0 to 1.
    """

    resize: int = 256
    crop: int = 224
    mean: Sequence[float] = (0.485, 0.456, 0.406)
    std: Sequence[float] = (0.229, 0.224, 0.225)

    def __call__(self, image: Any) -> Tensor:
        """Return an image of PIL as a tensor, shape (3, crop, crop)."""
        from PIL import Image

        scale = self.resize / min(image.size)
        width, height = (max(self.crop, round(side * scale)) for side in image.size)
        left, top = (width - self.crop) // 2, (height - self.crop) // 2
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        image = image.crop((left, top, left + self.crop, top + self.crop))
        values = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)
        mean, std = (torch.tensor(one)[:, None, None] for one in (self.mean, self.std))
        return (values - mean) / std


class ImageFiles(Dataset[dict[str, Any]]):
    """Items `{"id", "image", "label"}`; the id is the path within the folder."""

    def __init__(self, folder: Path, labels: Mapping[str, Any], transform: Transform) -> None:
        self._folder, self._names, self._transform = folder, list(labels), transform
        self._labels = list(labels.values())

    def __len__(self) -> int:
        return len(self._names)

    def shown(self, name: str) -> Any:
        """Return the image of an id."""
        return open_image(self._folder / name)

    def __getitem__(self, index: int) -> dict[str, Any]:
        name = self._names[index]
        return {"id": name, "image": self._transform(open_image(self._folder / name)), "label": self._labels[index]}


def open_image(path: Path) -> Any:
    """Return an image in RGB, turned as its camera was held.

    Raises:
        DataError: it cannot be read.
        MissingDependencyError: Pillow is not installed.
    """
    optional("PIL", "Pillow", "reading images")
    from PIL import Image, ImageOps

    try:
        with open_regular(path) as stream, Image.open(stream) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"cannot be read as an image ({type(error).__name__}: {error})", where=str(path), remedy="remove it"
        ) from error


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a folder holds, before any image is read.

    Attributes:
        classes: names of the classes, in order; None where labels are numbers, and the model says
            how many there are.
        outputs: number of each class among the model's outputs, where the model has others too.
        n_outputs: how many outputs the model must have, as far as that is known.
        splits: split → image's path within the folder → its class, or its labels as zeros and ones.
        several: whether an image may have several labels, or none.
    """

    classes: tuple[str, ...] | None
    outputs: tuple[int, ...] | None
    n_outputs: int | None
    splits: Mapping[str, Mapping[str, Any]]
    several: bool


def read_labels(data: DataConfig, split: str) -> Labelled:
    """Read which images there are, and their classes.

    Raises:
        ConfigError: the folder is none, or it is not said how many classes there are.
        DataError: there is no image, or a label that is not a class.
    """
    if not data.folder.is_dir():
        raise ConfigError("is not a folder", where=str(data.folder), remedy="name a folder of images with --data")
    found = _from_folders(data.folder, split) if data.labels is None else {split: _from_file(data.labels, data.folder)}
    if not any(found.values()):
        raise DataError(
            "holds no labelled image",
            where=str(data.folder),
            remedy="make a folder for each class, or name a file of labels with --labels",
        )
    every = [names for images in found.values() for names in images.values()]
    several = any(len(names) != 1 for names in every)
    occurring = sorted({name for names in every for name in names}, key=_natural)
    known, n_outputs = _known(data, occurring)
    if unknown := [name for name in occurring if name not in known]:
        raise DataError(
            f"{len(unknown)} labels are not a class, such as {unknown[0]!r}",
            where=str(data.labels or data.folder),
            remedy=f"name them in {data.classes}" if data.classes else "number classes from 0",
        )
    if n_outputs is None and several:
        raise ConfigError(
            "images have several labels, and it is not known how many classes there are",
            where=str(data.labels),
            remedy="name a file of all classes with --classes",
        )
    shown = {number: name for name, number in reversed(known.items())} | {known[name]: name for name in occurring}
    numbers = sorted({known[name] for name in occurring} if data.subset else shown)
    place = {number: at for at, number in enumerate(numbers)}
    splits = {
        one: {
            path: _target([place[known[name]] for name in names], len(numbers), several) for path, names in of.items()
        }
        for one, of in found.items()
    }
    classes = tuple(shown[number] for number in numbers) if data.subset or n_outputs is not None else None
    return Labelled(classes, tuple(numbers) if data.subset else None, n_outputs, splits, several)


def _known(data: DataConfig, occurring: Sequence[str]) -> tuple[dict[str, int], int | None]:
    """Return name → number of the classes, and how many the model must have; None where it has more than are seen."""
    if data.classes is not None:
        known = _class_names(data.classes)
        return known, len(set(known.values()))
    if data.labels is not None and all(name.isdecimal() for name in occurring):
        named = {name: int(name) for name in occurring if len(name) <= _MOST_DIGITS}
        return {str(number): number for number in range(max(named.values(), default=0) + 1)} | named, None
    return {name: at for at, name in enumerate(occurring)}, None if data.subset else len(occurring)


def image_task(data: DataConfig, labelled: Labelled, transform: Transform, adapter: str) -> Task:
    """Return the task of a folder."""
    name = data.folder.resolve().name
    output: dict[str, Any] = {"label_key": "label"}
    if labelled.classes is not None:
        output |= {"num_classes": len(labelled.classes), "class_names": list(labelled.classes)}
    labels = {
        split: {path: np.asarray(one).tolist() for path, one in images.items()}
        for split, images in labelled.splits.items()
    }
    return Task(
        name=name,
        spec=TaskSpec(
            modality="vision",
            task_type="multi_label_classification" if labelled.several else "image_classification",
            input_schema={"input_key": "image"},
            output_schema=output,
            name=name,
        ),
        splits={split: ImageFiles(data.folder, images, transform) for split, images in labelled.splits.items()},
        data_sha256=sha256_structure(labels),
        adapter="logistic" if labelled.several else adapter,
        primary_metric="real_accuracy" if labelled.several else "accuracy",
        lower_is_better=False,
    )


def _target(places: list[int], n: int, several: bool) -> Any:
    if not several:
        return places[0]
    labels = np.zeros(n, dtype=np.int64)
    labels[places] = 1
    return labels


def _from_folders(folder: Path, split: str) -> dict[str, dict[str, list[str]]]:
    """Return the images by class of `folder/CLASS/…`, or of `folder/SPLIT/CLASS/…`."""
    splits = [one for one in ("train", "val", "validation", "test") if (folder / one).is_dir()]
    places = {one: folder / one for one in splits} or {split: folder}
    found: dict[str, dict[str, list[str]]] = {}
    for name, place in places.items():
        classes = sorted(one for one in place.iterdir() if one.is_dir())
        found[name] = {
            path.relative_to(folder).as_posix(): [one.name]
            for one in classes
            for path in sorted(one.rglob("*"))
            if path.suffix.lower() in SUFFIXES and path.is_file()
        }
    return found


def _from_file(path: Path, folder: Path) -> dict[str, list[str]]:
    """Return image → labels of a CSV file with a path and a label a row, or of a JSON file.

    In CSV, labels of one image are joined by `|`, or stand in several rows. In JSON they are a mapping from path to
    label or list of labels, or a list with an entry for each image by sorted path (as the reassessed labels of ImageNet
    are published).
    """
    if path.suffix.lower() == ".json":
        content = read_json(path)
        if isinstance(content, list):
            images = sorted(
                one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.suffix.lower() in SUFFIXES
            )
            if len(images) != len(content):
                raise DataError(
                    f"has {len(content)} entries for {len(images)} images",
                    where=str(path),
                    remedy="give each image one",
                )
            content = dict(zip(images, content, strict=True))
        if not isinstance(content, dict):
            raise DataError("is neither a mapping nor a list", where=str(path), remedy="map paths to labels")
        return {name: [str(one) for one in (of if isinstance(of, list) else [of])] for name, of in content.items()}
    return _from_csv(path, folder)


def _from_csv(path: Path, folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, row in _numbered_rows(path):
        if len(row) < 2:
            raise DataError("has no label", where=f"{path}:{number}", remedy="write a path and a label in each row")
        name, labels = row[0].strip(), [one.strip() for one in row[1].split("|") if one.strip()]
        place = folder / name
        if not lies_in(place, folder) or not place.is_file():
            if number == 1 and Path(name).suffix.lower() not in SUFFIXES:
                continue  # the header
            raise DataError(
                f"{name} is not a file in {folder}", where=f"{path}:{number}", remedy="correct or remove the row"
            )
        found.setdefault(name, []).extend(labels)
    return found


def _numbered_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row of a CSV table that has any, after the number of its last line."""
    import csv

    rows = csv.reader(read_text(path).split("\n"))
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except csv.Error as error:
        where = f"{path}:{rows.line_num}"
        raise DataError(f"not a CSV table ({error})", where=where, remedy="correct the line") from None


def _class_names(path: Path) -> dict[str, int]:
    """Return name → number of a file with a class a line, in the order of the model's outputs.

    A line `n01440764 tench, Tinca tinca` is known by its first word, and by all of it.
    """
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    first = [line.split()[0].rstrip(",") for line in lines]
    names = {line: at for at, line in enumerate(lines)}
    if len(set(first)) == len(lines):
        names = {word: at for at, word in enumerate(first)} | names
    return names


def read_text(path: Path) -> str:
    """Return what a text file holds, without the mark of its encoding that Windows puts first.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with TextIOWrapper(open_regular(path), encoding="utf-8-sig") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path), remedy="name a text file in UTF-8") from error


def _natural(name: str) -> tuple[int, str]:
    """Order numbers by size, and names as text."""
    return (int(name), name) if name.isdecimal() and len(name) < 10 else (-1, name)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return parsed(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON ({error})", where=str(path), remedy="name a JSON file") from error
