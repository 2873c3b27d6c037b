"""Metrics of object detection, as pycocotools computes them: average precision and recall over IoU from .5 to .95."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from exaid_evals.config.plugins import optional
from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import Step
from exaid_evals.run_eval.counting import Counting, Metrics
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec

Floats = NDArray[np.float64]
REFINES = frozenset({"vision"})
TASK_TYPES = frozenset({"detection", "image_detection", "object_detection"})
MATCHED = 0.5
"""IoU from which on a row of the predictions says that a box was found."""
_NAMES = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large")
_RECALLS = ("mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large")


class DetectionMetrics(Counting):
    """Boxes of a set of images. Outputs and labels are a mapping for each image.

    Outputs have `boxes` [K, 4] in pixels as x1, y1, x2, y2, `scores` [K] and `labels` [K], as torchvision's detectors
    give them; labels have `boxes` [M, 4] and `labels` [M], and perhaps `iscrowd` [M] and `area` [M]. A class's average
    precision is over the images in order, the surest boxes first; means are over classes that occur (T.-Y. Lin and
    others, *Microsoft COCO: Common Objects in Context*, 2014). A detector that is evaluated has no loss.
    """

    NAMES: ClassVar[Sequence[str]] = (*_NAMES, *_RECALLS)

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        _pycocotools()
        super().__init__(task_spec, config)

    def check(self, logits: Any, labels: Any, where: str) -> None:
        """Check the outputs and labels of a batch."""
        for what, images, names in (("outputs", logits, ("scores", "labels")), ("labels", labels, ("labels",))):
            if not isinstance(images, list | tuple) or not all(isinstance(one, Mapping) for one in images):
                raise DataError(
                    f"{what} are not a list with a mapping for each image",
                    where=where,
                    remedy=f"give each image boxes and {' and '.join(names)}",
                )
            for at, image in enumerate(images):
                _check_boxes(image, names, f"{where}, {what} of image {at + 1}")
        if len(logits) != len(labels):
            raise DataError(
                f"{len(logits)} outputs for {len(labels)} images", where=where, remedy="give each image one"
            )

    def update(self, step: Step) -> None:
        """Count a batch: each box is a row, with its image's number first."""
        self.arrays["n_examples"] += step.n
        self.keep(step)
        truth, found = [np.zeros((0, 8))], [np.zeros((0, 7))]
        for number, outputs, labels in zip(step.numbers.tolist(), step.logits, step.labels, strict=True):
            boxes = _xywh(labels)
            further = [_array(labels["labels"]), _array(labels.get("iscrowd", np.zeros(len(boxes))))]
            area = _array(labels["area"]) if "area" in labels else boxes[:, 2] * boxes[:, 3]
            truth.append(_rows(number, boxes, *further, area))
            found.append(_rows(number, _xywh(outputs), _array(outputs["labels"]), _array(outputs["scores"])))
        self.kept.setdefault("truth", []).append(np.concatenate(truth))
        self.kept.setdefault("found", []).append(np.concatenate(found))
        self.__dict__.pop("_computed", None)

    def default(self) -> Sequence[str]:
        """Return the usual ones."""
        return (*_NAMES, *_RECALLS[:3])

    def available(self) -> Metrics:
        """Return the metrics; NaN where no box is of that kind."""
        values = self._computed[0]
        return {name: _constant(float(values[at])) for at, name in enumerate((*_NAMES, *_RECALLS))}

    @cached_property
    def _computed(self) -> tuple[Floats, dict[int, tuple[float, float, int]]]:
        """Return the twelve numbers of COCO, and by class average precision, that at IoU .5, and how many boxes."""
        coco, evaluation = _pycocotools()
        truth, found = (_sorted(np.concatenate(self.kept[name])) for name in ("truth", "found"))
        classes = sorted({int(one) for one in (*truth[:, 5], *found[:, 5])})
        images = [{"id": int(one)} for one in np.sort(np.concatenate(self.kept["number"]))]
        with contextlib.redirect_stdout(io.StringIO()):
            sides = []
            for rows, of_truth in ((truth, True), (found, False)):
                side = coco()
                annotations = [_annotation(row, at + 1, of_truth=of_truth) for at, row in enumerate(rows.tolist())]
                side.dataset = {
                    "images": images,
                    "annotations": annotations,
                    "categories": [{"id": one} for one in classes],
                }
                side.createIndex()
                sides.append(side)
            done = evaluation(*sides, "bbox")
            done.evaluate()
            done.accumulate()
            done.summarize()
        values = np.where(np.asarray(done.stats) < 0, np.nan, done.stats)
        precision = done.eval["precision"][:, :, :, 0, -1]  # of IoU, recall and class; boxes of all sizes
        by_class = {}
        for at, one in enumerate(classes):
            if n := int((truth[:, 5] == one).sum()):
                of = precision[:, :, at]
                by_class[one] = (_mean(of), _mean(of[:1]), n)
        return values, by_class

    def _names(self) -> Callable[[int], str]:
        named = self.spec.output_schema.get("categories")
        if isinstance(named, Mapping):
            return lambda one: str(named.get(one, one))
        listed = self.spec.output_schema.get("class_names") or []
        return lambda one: str(listed[one]) if 0 <= one < len(listed) else str(one)

    def further(self) -> dict[str, Any]:
        """Return average precision by class."""
        name = self._names()
        rows = self._computed[1].items()
        return {"per_class": {name(one): {"map": m, "map_50": m50, "n_boxes": n} for one, (m, m50, n) in rows}}

    def details(self) -> dict[str, Any]:
        """Return the counts."""
        boxes = {f"n_{what}_boxes": sum(map(len, self.kept[name])) for what, name in _KEPT}
        return {**super().details(), **boxes}

    def columns(self) -> Sequence[str]:
        """Return the header: a row per box, true or predicted."""
        return ["id", "box", "label", "score", "x1", "y1", "x2", "y2", "matched"]

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per box; matched are a predicted box and the true one of its class that it overlaps by half.

        Each is matched once, the surest first, as COCO matches them at IoU .5.
        """
        name = self._names()
        for one, outputs, labels in zip(step.ids, step.logits, step.labels, strict=True):
            order = np.argsort(-_array(outputs["scores"]), kind="stable")
            predicted, true = _array(outputs["boxes"]).reshape(-1, 4)[order], _array(labels["boxes"]).reshape(-1, 4)
            guesses, classes = _array(outputs["labels"])[order].astype(int), _array(labels["labels"]).astype(int)
            scores = _array(outputs["scores"])[order]
            overlap = np.where(guesses[:, None] == classes, _iou(predicted, true), 0.0)
            hit, taken = _matched(overlap)
            for box, label, score, matched in zip(predicted, guesses, scores, hit, strict=True):
                yield [one, "predicted", name(label), f"{score:.6f}", *_shown(box), str(int(matched))]
            for box, label, matched in zip(true, classes, taken, strict=True):
                yield [one, "true", name(label), "", *_shown(box), str(int(matched))]


_KEPT = (("true", "truth"), ("predicted", "found"))


def _pycocotools() -> tuple[Any, Any]:
    coco, evaluation = (
        optional(f"pycocotools.{one}", "pycocotools", "detection", "pycocotools") for one in ("coco", "cocoeval")
    )
    return coco.COCO, evaluation.COCOeval


def _check_boxes(image: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    if missing := [name for name in ("boxes", *names) if not isinstance(image.get(name), Tensor)]:
        raise DataError(
            f"holds no tensor of {' and '.join(missing)}", where=where, remedy="give tensors (torch.as_tensor)"
        )
    boxes = image["boxes"]
    if boxes.numel() and (boxes.dim() != 2 or boxes.shape[1] != 4):
        raise DataError(
            f"boxes have the shape {tuple(boxes.shape)}, not (K, 4)", where=where, remedy="give x1 y1 x2 y2"
        )
    n = len(boxes) if boxes.numel() else 0
    for name in (*names, *(one for one in ("iscrowd", "area") if one in image)):
        if image[name].numel() != n:
            raise DataError(f"{n} boxes and {image[name].numel()} {name}", where=where, remedy="give each box one")
        if not bool(image[name].isfinite().all()):
            raise DataError(f"{name} are NaN or infinite", where=where, remedy="look at weights and annotations")
    if n and not bool(boxes.isfinite().all() & (boxes[:, 2:] >= boxes[:, :2]).all()):
        raise DataError("a box ends before it begins, or is not a number", where=where, remedy="give x1 y1 x2 y2")


def _array(values: Any) -> Floats:
    held = values.detach().cpu().double().numpy() if isinstance(values, Tensor) else values
    return np.asarray(held, dtype=np.float64).reshape(-1, *np.shape(held)[1:])


def _xywh(image: Mapping[str, Any]) -> Floats:
    boxes = _array(image["boxes"]).reshape(-1, 4)
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def _rows(number: int, boxes: Floats, *columns: Floats) -> Floats:
    return np.column_stack([np.full(len(boxes), float(number)), boxes, *(one.reshape(-1) for one in columns)])


def _sorted(rows: Floats) -> Floats:
    """Return rows by their image's number, those of one image in the order in which they came."""
    return rows[np.argsort(rows[:, 0], kind="stable")]


def _annotation(row: list[float], number: int, *, of_truth: bool) -> dict[str, Any]:
    image, x, y, width, height, category, *last = row
    held = {"iscrowd": int(last[0]), "area": last[1]} if of_truth else {"score": last[0], "area": width * height}
    place = {"id": number, "image_id": int(image), "category_id": int(category), "bbox": [x, y, width, height]}
    return {"iscrowd": 0, **place, **held}


def _mean(precision: Floats) -> float:
    counted = precision[precision > -1]
    return float(counted.mean()) if counted.size else float("nan")


def _constant(value: float) -> Callable[[], float]:
    return lambda: value


def _iou(one: Floats, other: Floats) -> Floats:
    """Return the intersection over union of boxes (K, 4) and (M, 4), shape (K, M)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    return np.asarray(common / np.maximum(areas[0][:, None] + areas[1] - common, 1e-12))


def _matched(overlap: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows, in their order, and which columns are matched."""
    hit, taken = (np.zeros(n, dtype=bool) for n in overlap.shape)
    for row in range(len(overlap)):
        free = np.where(taken, -1.0, overlap[row])
        if free.size and free.max() >= MATCHED:
            hit[row] = taken[int(free.argmax())] = True
    return hit, taken


def _shown(box: Floats) -> list[str]:
    return [f"{value:.2f}" for value in box]


build = DetectionMetrics
