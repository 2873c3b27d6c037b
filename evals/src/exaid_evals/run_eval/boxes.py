"""Images with boxes: COCO's files of annotations and of what a detector has found, and how detectors are called."""

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
from exaid_evals.run_eval.adapters import takes_of, unwrapped
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.batches import in_full, inputs_of, logits_of
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
    """Return whether a file of labels has the form of COCO's annotations of boxes."""
    if labels is None or labels.suffix.lower() != ".json":
        return False
    found = read_json(labels)
    return isinstance(found, dict) and isinstance(found.get("annotations"), list)


_ANNOTATIONS = "give images (id, file_name), categories (id, name) and annotations (image_id, category_id, bbox)"


def _lies_in(folder: Path, name: str) -> bool:
    """Return whether a name of others is that of a file within the folder."""
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
        images, categories, boxes = _annotations(content)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"is not a file of COCO's annotations ({type(error).__name__}: {error})",
            where=str(data.labels),
            remedy=_ANNOTATIONS,
        ) from error
    folder = data.folder.resolve()
    for name in images.values() if read else ():
        if not _lies_in(folder, name):
            raise DataError(
                f"{name} is not a file in {data.folder}",
                where=str(data.labels),
                remedy="name the images' folder with --data",
            )
    if not images:
        raise DataError("names no image", where=str(data.labels), remedy=_ANNOTATIONS)
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


def _annotations(content: Any) -> tuple[dict[int, str], dict[int, str], dict[int, list[Any]]]:
    """Return the files of images and the names of categories by id, and the boxes of each image."""
    images = {int(one["id"]): str(one["file_name"]) for one in content["images"]}
    categories = {int(one["id"]): str(one["name"]) for one in content["categories"]}
    boxes: dict[int, list[Any]] = {}
    for one in content["annotations"]:
        x, y, width, height = map(float, one["bbox"])
        images[int(one["image_id"])], categories[int(one["category_id"])]
        row = [x, y, width, height, int(one["category_id"]), int(one.get("iscrowd", 0))]
        boxes.setdefault(int(one["image_id"]), []).append([*row, float(one.get("area", width * height))])
    return images, categories, boxes


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


_PROCESSED = "make batches with the image processor: processor(images, annotations=…)"
_TARGET_KEYS = ("targets", "target", "labels", "annotations")


class DetectionAdapter:
    """For detectors as torchvision's: `model(images)` of a list of images → a mapping for each, with boxes and scores.

    A batch is a pair (images, targets), or a mapping with `image` and `target` or their plurals: a list of each.
    A detector that is evaluated gives no loss, which is NaN then and left out of the metrics.
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on the list of the batch's images."""
        return model(list(self._part(batch, 0, ("images", "image", "pixel_values", "inputs"))))

    def labels(self, batch: Any, task_spec: TaskSpec) -> Any:
        """Return the targets, a mapping for each image."""
        return list(self._part(batch, 1, _TARGET_KEYS))

    def logits(self, outputs: Any) -> Any:
        """Return the outputs, a mapping for each image."""
        return outputs

    def ids(self, batch: Any) -> list[Any] | None:
        """Return the images' names: the batch's ids, else the targets'; None where there are neither."""
        if isinstance(batch, Mapping) and "id" in batch:
            return list(batch["id"])
        targets = self.labels(batch, TaskSpec())
        return [int(one["image_id"]) for one in targets] if all("image_id" in one for one in targets) else None

    def rows(self, batch: Any, _size: int, rows: Sequence[int]) -> Any:
        """Return some of a batch's images, with all that belongs to them."""
        if isinstance(batch, Mapping):
            return {name: [of[row] for row in rows] for name, of in batch.items()}
        return tuple([of[row] for row in rows] for of in batch)

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return NaN."""
        return torch.tensor(float("nan"))

    def _part(self, batch: Any, position: int, names: Sequence[str]) -> Any:
        if isinstance(batch, Mapping):
            found = next((batch[name] for name in names if name in batch), None)
        else:
            found = batch[position] if isinstance(batch, list | tuple) and len(batch) > position else None
        if found is None:
            raise DataError(
                f"the batch holds no {names[0]}", remedy="make batches (images, targets), a list of each, or mappings"
            )
        return found


class TransformersDetectionAdapter(DetectionAdapter):
    """For detectors of transformers, as DETR: `model(pixel_values=…, pixel_mask=…)` → `logits`, `pred_boxes`.

    A batch is what the image processors make: `labels`, a mapping for each image with `class_labels`, `boxes` (centre
    and size, as shares of the image) and `orig_size`. Boxes are those of the processor's
    `post_process_object_detection`, where one is given, else of `found_boxes`. What a processor has padded it tells as
    shares of the padded image, and so, for models that were trained on them, are predictions; batches of one image are
    not padded.
    """

    def __init__(self, processor: Any = None) -> None:
        self._processor = processor

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model, and return the boxes of each image, in pixels."""
        images = inputs_of(batch, task_spec)
        mask = (
            {"pixel_mask": batch["pixel_mask"]} if "pixel_mask" in batch and "pixel_mask" in takes_of(model)[0] else {}
        )
        sizes = [_sizes(one, at, batch)[0] for at, one in enumerate(self._part(batch, 1, _TARGET_KEYS))]
        return found_boxes(model, model(pixel_values=images, **mask), sizes, self._processor)

    def labels(self, batch: Any, task_spec: TaskSpec) -> Any:
        """Return the targets, their boxes in pixels of the images as they were before the processor."""
        found = []
        for at, target in enumerate(super().labels(batch, task_spec)):
            if "class_labels" not in target:
                raise DataError("a target has no class_labels", remedy=_PROCESSED)
            size, scale = _sizes(target, at, batch)
            further = {name: target[name] for name in ("iscrowd", "image_id") if name in target}
            further |= {"area": target["area"] * scale} if "area" in target else {}
            found.append({"boxes": _corners(target["boxes"], *size), "labels": target["class_labels"], **further})
        return found


def _sizes(target: Mapping[str, Any], at: int, batch: Any) -> tuple[tuple[float, float], float]:
    """Return what a target's shares are of, and how many pixels of the image as it was one of the model's stands for.

    The first is height and width, in pixels of the image as it was, with what the processor has padded.

    Raises:
        DataError: the target does not say how large its image was.
    """
    if "orig_size" not in target:
        raise DataError("a target has no orig_size", remedy=_PROCESSED)
    height, width = map(float, target["orig_size"])
    shown = [float(one) for one in target.get("size", target["orig_size"])]
    mask = batch["pixel_mask"][at] if isinstance(batch, Mapping) and "pixel_mask" in batch else None
    resized = shown if mask is None else [float(mask.any(dim=1).sum()), float(mask.any(dim=0).sum())]
    rows, columns = height / resized[0], width / resized[1]
    return (shown[0] * rows, shown[1] * columns), rows * columns


def _corners(boxes: Tensor, height: float, width: float) -> Tensor:
    """Return boxes of centre and size, as shares of an image, as x1, y1, x2, y2 in pixels."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    scale = torch.tensor([width, height, width, height], dtype=boxes.dtype, device=boxes.device)
    return torch.cat([centre - half, centre + half], dim=-1) * scale


def found_boxes(
    model: nn.Module, outputs: Any, sizes: Sequence[tuple[float, float]], processor: Any = None
) -> list[dict[str, Tensor]]:
    """Return what a detector of transformers has found in each image: boxes in pixels, scores, labels.

    Args:
        model: whose `config.num_labels` says which kind it is: one with an output more, for nothing, answers each of
            its queries by its likeliest label (DETR, YOLOS); another rates each pair of query and label by itself, of
            which as many as there are queries count (Deformable DETR, RT-DETR).
        outputs: with `logits` (N, Q, C) and `pred_boxes` (N, Q, 4).
        sizes: height and width of the images.
        processor: whose own `post_process_object_detection` is taken.

    Raises:
        DataError: the outputs hold no boxes.
    """
    outputs = in_full(outputs)
    logits, boxes = logits_of(outputs), getattr(outputs, "pred_boxes", None)
    if boxes is None:
        raise DataError("the outputs hold no pred_boxes", remedy="take a detector of transformers, such as DETR")
    if processor is not None:
        found: list[dict[str, Tensor]] = processor.post_process_object_detection(
            outputs, threshold=0.0, target_sizes=torch.tensor(sizes)
        )
        return found
    if logits.shape[-1] == unwrapped(model).config.num_labels + 1:  # type: ignore[union-attr]
        scores, labels = logits.softmax(-1)[..., :-1].max(-1)
    else:
        scores, pairs = logits.sigmoid().flatten(1).topk(logits.shape[1], dim=1)
        labels = pairs % logits.shape[-1]
        boxes = boxes.gather(1, (pairs // logits.shape[-1])[..., None].expand(-1, -1, 4))
    return [
        {"boxes": _corners(of, *size), "scores": score, "labels": label}
        for of, size, score, label in zip(boxes, sizes, scores, labels, strict=True)
    ]


class RecordedAdapter(DetectionAdapter):
    """For detections that lie in a file: the model is asked for images by their numbers."""

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Ask for what was found in the batch's images."""
        return model([int(one["image_id"]) for one in self.labels(batch, task_spec)])
