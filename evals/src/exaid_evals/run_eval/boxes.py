"""Images with boxes, as COCO's files have them: annotations, and what a detector has found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.errors import DataError
from exaid_evals.files import lies_in
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.images import open_image, read_json
from exaid_evals.run_eval.spec import DataConfig, TaskSpec


class CocoImages(Dataset[dict[str, Any]]):
    """Items `{"id", "image" [3, H, W] in 0 … 1, "target"}` of annotated images; the id is the path within the folder.

    A target has `image_id`, `boxes` [M, 4] as x1, y1, x2, y2, `labels` [M], the categories' numbers, `iscrowd`, `area`.
    """

    def __init__(self, folder: Path, images: Mapping[int, str], boxes: Mapping[int, list[Any]], *, read: bool) -> None:
        self._folder, self._images, self._boxes, self._read = folder, list(images.items()), boxes, read

    def __len__(self) -> int:
        return len(self._images)

    @property
    def numbers(self) -> list[int]:
        """The images' numbers."""
        return [number for number, _ in self._images]

    def __getitem__(self, index: int) -> dict[str, Any]:
        number, name = self._images[index]
        rows = torch.tensor(self._boxes.get(number, []), dtype=torch.float64).reshape(-1, 7)
        target = {
            "image_id": torch.tensor(number),
            "boxes": torch.cat([rows[:, :2], rows[:, :2] + rows[:, 2:4]], dim=1),
            "labels": rows[:, 4].long(),
            "iscrowd": rows[:, 5].long(),
            "area": rows[:, 6],
        }
        image = torch.zeros(3, 1, 1)
        if self._read:
            pixels = np.asarray(open_image(self._folder / name), dtype=np.float32) / 255
            image = torch.from_numpy(pixels).permute(2, 0, 1)
        return {"id": name, "image": image, "target": target}

    def shown(self, name: str) -> Any:
        """Return the image of an id; None where it is not here, as detections in a file do not need it."""
        return open_image(self._folder / name) if self._read or _lies_in(self._folder, name) else None

    @staticmethod
    def collate(items: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
        """Return a batch: images are of different sizes, and are kept apart."""
        return {name: [item[name] for item in items] for name in items[0]}


def is_coco(labels: Path | None) -> bool:
    """Tell whether a file of labels has the form of COCO's annotations of boxes."""
    if labels is None or labels.suffix.lower() != ".json":
        return False
    found = read_json(labels)
    return isinstance(found, dict) and isinstance(found.get("annotations"), list)


def _lies_in(folder: Path, name: str) -> bool:
    """Tell whether a name of others is that of a file within the folder."""
    try:
        return lies_in(folder / name, folder) and (folder / name).is_file()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def detection_task(data: DataConfig, split: str, *, read: bool, adapter: str) -> Task:
    """Return the task of a folder of images with boxes, as COCO's annotations have them.

    Args:
        data: folder and file of annotations.
        split: that they make up.
        read: whether the images are read; not needed for detections that lie in a file.
        adapter: how the model is called, by name.

    Raises:
        DataError: an entry is damaged, or names an image or category that is not there.
    """
    if data.labels is None:
        raise AssertionError("a task of boxes has a file of labels")
    content = read_json(data.labels)
    try:
        images = {int(one["id"]): str(one["file_name"]) for one in content["images"]}
        categories = {int(one["id"]): str(one["name"]) for one in content["categories"]}
        boxes: dict[int, list[Any]] = {}
        for one in content["annotations"]:
            x, y, width, height = map(float, one["bbox"])
            images[int(one["image_id"])], categories[int(one["category_id"])]
            row = [x, y, width, height, int(one["category_id"]), int(one.get("iscrowd", 0))]
            boxes.setdefault(int(one["image_id"]), []).append([*row, float(one.get("area", width * height))])
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"is no file of COCO's annotations ({type(error).__name__}: {error})",
            where=str(data.labels),
            remedy="give images (id, file_name), categories (id, name) and annotations (image_id, category_id, bbox)",
        ) from error
    folder = data.folder.resolve()
    for name in images.values() if read else ():
        if not _lies_in(folder, name):
            raise DataError(
                f"{name} is no file in {data.folder}",
                where=str(data.labels),
                remedy="name the images' folder with --data",
            )
    if not images:
        raise DataError("names no image", where=str(data.labels), remedy="annotate some")
    return Task(
        name=folder.name,
        spec=TaskSpec(
            modality="vision",
            task_type="object_detection",
            input_schema={"input_key": "image"},
            output_schema={"categories": categories},
            name=folder.name,
        ),
        splits={split: CocoImages(data.folder, images, boxes, read=read)},
        data_sha256=sha256_structure(content),
        adapter=adapter,
        primary_metric="map",
        lower_is_better=False,
        eval_defaults={"batch_size": 4, "split": split},
    )


class Recorded(nn.Module):
    """Detections that lie in a file, in COCO's form of results: image_id, category_id, bbox [x, y, w, h], score."""

    def __init__(self, path: Path, known: Iterable[int]) -> None:
        """Read them.

        Args:
            path: of the file.
            known: numbers of the images that are annotated.

        Raises:
            DataError: the file holds something else, or detections in other images.
        """
        super().__init__()
        content = read_json(path)
        try:
            rows = []
            for one in content:
                x, y, width, height = map(float, one["bbox"])
                rows.append([int(one["image_id"]), x, y, width, height, int(one["category_id"]), float(one["score"])])
            values = torch.tensor(rows, dtype=torch.float64).reshape(-1, 7)
        except (ArithmeticError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(
                f"holds no detections ({type(error).__name__}: {error})",
                where=str(path),
                remedy="give each image_id, category_id, bbox [x, y, width, height] and score",
            ) from error
        strange = values[~torch.isin(values[:, 0].long(), torch.tensor(list(known), dtype=torch.long))]
        if len(strange):
            numbers = sorted({int(one) for one in strange[:, 0]})
            raise DataError(
                f"{len(strange)} of {len(values)} detections are in {len(numbers)} images that are not annotated, such "
                f"as image_id {', '.join(map(str, numbers[:3]))}",
                where=str(path),
                remedy="take detections and annotations of one set, or leave these out",
            )
        self.register_buffer("rows", values)

    def forward(self, images: Sequence[int]) -> list[dict[str, Tensor]]:
        """Return what was found in images, by their numbers."""
        found = []
        for number in images:
            rows = self.rows[self.rows[:, 0] == number]
            boxes = torch.cat([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], dim=1)
            found.append({"boxes": boxes, "labels": rows[:, 5].long(), "scores": rows[:, 6]})
        return found
