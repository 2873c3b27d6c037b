"""Readers of models, weights, labels and predictions, where PyTorch is installed; with files that they read rightly."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from exaid_evals.run_eval.against import compare, read_predictions
from exaid_evals.run_eval.boxes import Recorded, detection_task, is_coco
from exaid_evals.run_eval.images import Preprocessing, image_task, read_labels
from exaid_evals.run_eval.loading import find_model, load_checkpoint
from exaid_evals.run_eval.page import write_page
from exaid_evals.run_eval.spec import DataConfig
from exaid_evals.run_eval.texts import holds_texts, read_texts, text_task
from exaid_evals.run_eval.training import load_weights, model_of_run
from torture.readers import Reader, _of_file


def _saved(save: Callable[[Any], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def _image(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), np.uint8)
    return _saved(lambda out: Image.fromarray(pixels).save(out, "PNG"))


def _model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 3))


def _weights(path: Path) -> None:
    load_checkpoint(_model(), path)


def _program(path: Path) -> None:
    found = find_model(str(path), 3, {})
    with torch.no_grad():
        found.model(torch.zeros(2, 3, 8, 8))


def _onnx() -> bytes:
    from onnx import TensorProto, helper

    node = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    w = helper.make_tensor("w", TensorProto.FLOAT, [192, 3], np.zeros(576, np.float32))
    graph = helper.make_graph(
        node, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])], [w],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def _exported() -> bytes:
    n = torch.export.Dim("n", min=1, max=64)
    program = torch.export.export(_model().eval(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes={"input": {0: n}})
    return _saved(lambda out: torch.export.save(program, out))


def _images(folder: Path, _file: Path) -> None:
    labels = next((one for one in sorted(folder.iterdir()) if one.name.startswith("labels")), None)
    classes = folder / "classes.txt"
    data = DataConfig(folder=folder, labels=labels, classes=classes if classes.exists() else None)
    if is_coco(data.labels):
        task = detection_task(data, "val", read=True, adapter="detection")
    else:
        labelled = read_labels(data, "val")
        task = image_task(data, labelled, Preprocessing(resize=8, crop=8), "vision_classification")
    items: Any = task.splits["val"]
    for at in range(len(items)):
        items[at]


def _texts(path: Path) -> None:
    if not holds_texts(path):
        return  # it is taken for images
    rows = read_texts(path, "val")
    task = text_task(rows, lambda text: list(text.encode()), length=16, split="val", name="x")
    items: Any = task.splits["val"]
    for at in range(min(len(items), 20)):
        items[at]


def _predictions(folder: Path, _file: Path) -> None:
    one = read_predictions(folder, "val")
    compare(one, one, resamples=100, seed=1)


def _page(folder: Path, _file: Path) -> None:
    write_page(folder, "val")


def _recorded(folder: Path, _file: Path) -> None:
    Recorded(folder / "found.json", [1])


def _trained(folder: Path, _file: Path) -> None:
    model_of_run(folder)
    load_weights(folder, _model())


COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 12, "height": 12}],
    "categories": [{"id": 3, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}],
}


def model_readers() -> dict[str, Reader]:
    """Return name → reader."""
    state = _model().state_dict()
    arrays = {name: one.numpy() for name, one in state.items()}
    pictures = {"cat/a.png": _image(1), "dog/b.png": _image(2)}
    flat = {"a.png": _image(1), "b.png": _image(2)}
    lines = b'{"text": "A boy with fever.", "id": "x"}\n{"text": "Measles are likely."}\n'
    table = b"id,true_label,predicted_label,score_cat,score_dog\na,cat,cat,0.7,0.3\nb,dog,cat,0.6,0.4\n"
    metrics = {"accuracy": 0.5, "loss": 0.7, "ece": 0.1, "per_class": [{"class": "cat", "f1": 0.5}]}
    evaluation = {
        "task": "t", "signature": "s", "n_items": 2, "class_names": ["cat", "dog"],
        "confusion_matrix": [[1, 0], [1, 0]], "warnings": ["w"],
        "intervals": {"accuracy": {"ci95_low": 0.1, "ci95_high": 0.9}},
        "best_thresholds": {"f1": {"threshold": 0.5, "f1": 1.0, "precision": 1.0, "recall": 1.0}, "youden": None},
    }  # fmt: skip
    page = {
        "metrics/val_metrics.json": json.dumps(metrics).encode(),
        "metrics/evaluation.json": json.dumps(evaluation).encode(),
        "val_predictions.csv": table,
    }
    found = [{"image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5], "score": 0.5}]
    trained = {
        "summary.json": json.dumps(
            {"task": "vision_tiny", "model": {"name": "small_cnn", "settings": {"width": 4}}}
        ).encode(),
        "weights.npz": _saved(lambda out: np.savez(out, **arrays)),
    }
    from safetensors.torch import save

    return {
        "weights: PyTorch": _of_file(
            _weights,
            "x.pt",
            [
                _saved(lambda out: torch.save(state, out)),
                _saved(lambda out: torch.save({"state_dict": state}, out)),
                _saved(lambda out: torch.save(state, out, _use_new_zipfile_serialization=False)),
            ],
        ),
        "weights: NumPy": _of_file(_weights, "x.npz", [_saved(lambda out: np.savez(out, **arrays))]),
        "weights: safetensors": _of_file(_weights, "x.safetensors", [save(state)]),
        "model: ONNX": _of_file(_program, "x.onnx", [_onnx()]),
        "model: exported": _of_file(_program, "x.pt2", [_exported()]),
        "images: folders": Reader(_images, [pictures, {**pictures, "classes.txt": b"cat\ndog\n"}]),
        "images: labels": Reader(
            _images,
            [
                {**flat, "labels.csv": b"file,label\na.png,cat\nb.png,dog\n"},
                {**flat, "labels.json": b'{"a.png": "cat", "b.png": ["dog", "cat"]}'},
            ],
        ),
        "images: COCO": Reader(_images, [{**flat, "labels.json": json.dumps(COCO).encode()}]),
        "boxes that were found": Reader(_recorded, [{"found.json": json.dumps(found).encode()}]),
        "texts: plain": _of_file(_texts, "x.txt", [b"A boy with fever.\n\nMeasles.\n"]),
        "texts: JSON Lines": _of_file(_texts, "x.jsonl", [lines]),
        "texts: CSV": _of_file(_texts, "x.csv", [b"id,text\n1,A boy\n2,fever\n"]),
        "texts: Parquet": _of_file(_texts, "x.parquet", [_parquet()]),
        "predictions": Reader(_predictions, [{"val_predictions.csv": table}]),
        "page of an evaluation": Reader(_page, [page]),
        "run of a training": Reader(_trained, [trained]),
    }


def _parquet() -> bytes:
    import pandas as pd

    return _saved(lambda out: pd.DataFrame({"id": ["1", "2"], "text": ["A boy", "fever"]}).to_parquet(out))
