"""What run_eval says of files: images, texts, boxes, weights, predictions and runs; needs PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import TensorDataset

from exaid_evals.run_eval.against import Predictions, compare, read_predictions
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.boxes import Recorded, detection_task
from exaid_evals.run_eval.images import read_labels
from exaid_evals.run_eval.loading import find_model, load_checkpoint
from exaid_evals.run_eval.spec import DataConfig, ModelConfig, RunEvalConfig, TaskSpec, TrainingConfig
from exaid_evals.run_eval.stage import _model_of, _parts, evaluate_file
from exaid_evals.run_eval.texts import read_texts, text_classification_task, text_task, windows
from exaid_evals.run_eval.training import load_weights, model_of_run, train
from remedies.of_artifacts import PNG
from remedies.rows import Content, Row, file


def bytes_of(text: str) -> list[int]:
    """Return a text's bytes as tokens."""
    return list(text.encode())


class Beginning:
    """A tokenizer that puts a token before each text."""

    bos_token_id = 1

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        """Return the text's bytes."""
        return bytes_of(text)


def texts(*rows: Any, tokenizer: Any = bytes_of, **how: Any) -> Callable[[], object]:
    """Return the making of a task of texts."""
    return lambda: text_task(rows, tokenizer, length=8, **how)


def classified(*rows: Any) -> Callable[[], object]:
    """Return the making of a task of texts of two classes."""
    return lambda: text_classification_task(rows, None, label="of", classes=("no", "yes"), length=8)


TEXTS = [
    *(
        Row("give longer texts, or another tokenizer", texts("a"), right)
        for right in (texts("ab"), texts("a", tokenizer=Beginning()))
    ),
    Row("name the column of the texts; there are {}", texts({"body": "ab"}), texts({"body": "ab"}, column="body")),
    Row(
        "give each row an id of its own, or none any",
        texts({"id": 1, "text": "ab"}, {"id": 1, "text": "cd"}),
        texts({"text": "ab"}, {"text": "cd"}),
    ),
    Row("label it, or leave it out", classified({"text": "ab"}), classified({"text": "ab", "of": "yes"})),
    Row("its classes are {}", classified({"text": "ab", "of": "maybe"}), classified({"text": "ab", "of": "yes"})),
    Row("check the data set's split", texts(), texts("ab")),
    Row("take 1 … length", lambda: list(windows(9, 4, 5)), lambda: list(windows(9, 4, 4))),
    file(
        "quote texts, and double quotes inside them",
        lambda: read_texts(Path("t.csv"), "val"),
        "t.csv",
        'text\n"he said "no" twice"\n',
        'text\n"he said ""no"" twice"\n',
    ),
    file("correct the line", lambda: read_texts(Path("t.jsonl"), "val"), "t.jsonl", "{,}\n", '{"text": "ab"}\n'),
    file("name a text file in UTF-8", lambda: read_texts(Path("t.txt"), "val"), "t.txt", b"\xff\xfe", "ab"),
]


def parquet() -> None:
    """Write a table as Parquet."""
    import pyarrow
    from pyarrow.parquet import write_table

    write_table(pyarrow.table({"text": ["ab"]}), "t.parquet")


def pictures(**how: Any) -> Callable[[], object]:
    """Return the reading of labels of a folder."""
    return lambda: read_labels(
        DataConfig(folder=Path("pictures"), **{name: Path(one) for name, one in how.items()}), "val"
    )


def labelled(remedy: str, name: str, wrong: Content, right: Content, **how: str) -> Row:
    """Return the row of a file of labels of two images."""
    files = {"pictures/a.png": PNG, "pictures/b.png": PNG, name: wrong}
    return Row(remedy, pictures(labels=name, **how), files=files, then={name: right})


JSON = '{"a.png": 0, "b.png": 1}'
IMAGES = [
    Row(
        "name a folder of images with --data",
        pictures(),
        files={"pictures": "x"},
        then={"pictures": None},
        does=(lambda: Path("pictures/red").mkdir(parents=True), lambda: Path("pictures/red/a.png").write_bytes(PNG)),
    ),
    Row(
        "make a folder for each class, or name a file of labels with --labels",
        pictures(),
        files={"pictures/a.png": PNG},
        does=(lambda: Path("pictures/red").mkdir(), lambda: Path("pictures/a.png").rename("pictures/red/a.png")),
    ),
    Row(
        "make a folder for each class, or name a file of labels with --labels",
        pictures(),
        pictures(labels="l.json"),
        files={"pictures/a.png": PNG, "l.json": '{"a.png": 0}'},
    ),
    labelled("map paths to labels", "l.json", "5", JSON),
    labelled("name a JSON file", "l.json", "{", JSON),
    labelled("give each image one", "l.json", "[0]", "[0, 1]"),
    labelled("write a path and a label in each row", "l.csv", "a.png\n", "a.png,0\nb.png,1\n"),
    labelled("correct or remove the row", "l.csv", "a.png,0\nc.png,1\n", "a.png,0\nb.png,1\n"),
    labelled("number classes from 0", "l.json", '{"a.png": 999999999999}', JSON),
    Row(
        "name a file of all classes with --classes",
        pictures(labels="l.json"),
        pictures(labels="l.json", classes="c.txt"),
        files={"pictures/a.png": PNG, "l.json": '{"a.png": [0, 1]}', "c.txt": "0\n1\n"},
    ),
    Row(
        "name them in {}",
        pictures(labels="l.json", classes="c.txt"),
        files={"pictures/a.png": PNG, "l.json": '{"a.png": "red"}', "c.txt": "green\n"},
        then={"c.txt": "green\nred\n"},
    ),
]
COCO = {
    "images": [{"id": 1, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
}
FOUND = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}


def annotated(folder: str, read: bool = False) -> Callable[[], object]:
    """Return the reading of annotations."""
    data = DataConfig(folder=Path(folder), labels=Path("l.json"))
    return lambda: detection_task(data, "val", read=read, adapter="detection")


ANNOTATIONS = "give images (id, file_name), categories (id, name) and annotations (image_id, category_id, bbox)"
DETECTIONS = "give each image_id, category_id, bbox [x, y, width, height] and score"
BOXES = [
    *(
        file(ANNOTATIONS, annotated("pictures"), "l.json", json.dumps(COCO | wrong), json.dumps(COCO))
        for wrong in ({"categories": []}, {"images": [], "annotations": []})
    ),
    Row(
        "name the images' folder with --data",
        annotated("elsewhere", True),
        annotated("pictures", True),
        files={"l.json": json.dumps(COCO), "pictures/a.png": PNG},
    ),
    file(DETECTIONS, lambda: Recorded(Path("d.json"), [1]), "d.json", "[5]", json.dumps([FOUND])),
    file(
        "take detections and annotations of one set, or leave these out",
        lambda: Recorded(Path("d.json"), [1]),
        "d.json",
        json.dumps([FOUND, FOUND | {"image_id": 7}]),
        json.dumps([FOUND]),
    ),
]


def predicted(*ids: str, true: str = "cat") -> Predictions:
    """Return predictions of classes."""
    return Predictions(ids, [true] * len(ids), ["cat"] * len(ids), None, None)


def against(*one: str, other: Predictions) -> Callable[[], object]:
    """Return a comparison of two evaluations."""
    return lambda: compare(predicted(*one), other, resamples=100, seed=1)


def read() -> object:
    """Read what an evaluation has predicted."""
    return read_predictions(Path("out"), "val")


PREDICTIONS = "out/val_predictions.csv"
ROWS_OF_CLASSES = "id,true_label,predicted_label,score\na,cat,cat,0.5\n"
AGAINST = [
    Row("name the folder of an evaluation of {}", read, then={PREDICTIONS: ROWS_OF_CLASSES}),
    file("evaluate again", read, PREDICTIONS, b"id,true_label\n\xff", ROWS_OF_CLASSES),
    file("evaluate again", read, PREDICTIONS, ROWS_OF_CLASSES.replace("0.5", "half"), ROWS_OF_CLASSES),
    file("compare classifiers", read, PREDICTIONS, "id,true,predicted\na,1,2\n", ROWS_OF_CLASSES),
    Row(
        "evaluate both on one set",
        against("a", "b", other=predicted("a")),
        against("a", "b", other=predicted("a", "b")),
    ),
    Row(
        "evaluate both with one set of labels",
        against("a", other=predicted("a", true="dog")),
        against("a", other=predicted("a")),
    ),
    Row(
        "give each an id of its own",
        against("a", "a", other=predicted("a", "a")),
        against("a", "b", other=predicted("a", "b")),
    ),
]


class Items(TensorDataset):
    """Rows of two numbers and a class, as a task's items."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return an item."""
        inputs, label = super().__getitem__(index)
        return {"id": str(index), "image": inputs, "label": label}


def task_of(n_train: int) -> Task:
    """Return a task of two numbers and two classes."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(8, 2, generator=generator)
    labels = (inputs[:, 0] > 0).long()
    splits = {"train": Items(inputs[:n_train], labels[:n_train]), "val": Items(inputs, labels)}
    spec = TaskSpec("vision", "image_classification", {}, {"num_classes": 2}, "small")
    return Task("small", spec, splits, "sha256:0", "vision_classification", "accuracy", False)


small_task = partial(task_of, 8)
empty_task = partial(task_of, 0)


def linear(_task: Task, *, width: int = 2) -> nn.Module:
    """Return a model."""
    return nn.Linear(2, width)


def frozen(_task: Task) -> nn.Module:
    """Return a model without weights."""
    return nn.Identity()


HERE = "remedies.of_run_eval_files"


def trained(model: str = "linear", task: str = "small_task", **how: Any) -> Callable[[], object]:
    """Return a training."""
    config = {"task": f"{HERE}:{task}", "model": {"name": f"{HERE}:{model}"}, "epochs": 1, "num_threads": 1, **how}
    return lambda: train(TrainingConfig.model_validate(config), Path("run"))


def evaluated(**config: Any) -> Callable[[], object]:
    """Return an evaluation as a configuration says."""
    return lambda: evaluate_file(
        RunEvalConfig.model_validate(config), trained=None, out=Path("out"), root=Path(), page=False
    )


def torch_file(value: Any) -> Callable[[], None]:
    """Return the writing of a file of PyTorch."""
    return lambda: torch.save(value, "w.pt")


def exported() -> None:
    """Export a model."""
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),)), "m.pt2")


OWN_IMAGES = {"task": "own", "model": {"name": f"{HERE}:picture_model"}, "data": {"folder": "pictures"}}


def picture_model(_task: Task) -> nn.Module:
    """Return a model of images."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))


OF_TEXTS = DataConfig(folder=Path("t.jsonl"), label="of")
BIGRAM = {"name": "bigram", "settings": {}}
SUMMARY = json.dumps({"task": "small", "model": {"name": "linear", "settings": {}}})
TRAINED = [
    Row(
        "lower learning_rate; under fp16 take bf16, or no mixed precision",
        trained(learning_rate=1e20, epochs=9, batch_size=2),
        trained(),
    ),
    Row("check the data set's split", trained(task="empty_task"), trained()),
    Row(
        "evaluate it with run-eval",
        trained(model="frozen"),
        evaluated(task=f"{HERE}:small_task", model={"name": f"{HERE}:frozen"}),
    ),
    Row(
        "train the run again with run-training",
        lambda: load_weights(Path("run"), linear(small_task())),
        does=(trained(),),
    ),
    Row(
        "name a checkpoint of this model",
        lambda: load_checkpoint(linear(small_task()), Path("w.pt")),
        before=torch_file(nn.Linear(3, 3).state_dict()),
        does=(torch_file(nn.Linear(2, 2).state_dict()),),
    ),
    Row(
        "save model.state_dict()",
        lambda: load_checkpoint(linear(small_task()), Path("w.pt")),
        before=torch_file([1]),
        does=(torch_file(nn.Linear(2, 2).state_dict()),),
    ),
    file(
        "name a folder that run-training has written",
        lambda: model_of_run(Path("run")),
        "run/summary.json",
        "{}",
        SUMMARY,
    ),
    Row(
        "name a run and a file of one task",
        lambda: _model_of(Path("run"), "large"),
        lambda: _model_of(Path("run"), "small"),
        files={"run/summary.json": SUMMARY},
    ),
    Row("name an .onnx or .pt2 file, or LIBRARY:NAME", lambda: find_model("m.pt2", 2, {}), does=(exported,)),
    Row(
        'name a configuration with {"data": {"transform": {"resize": 256, "crop": 224}}}, and mean and std',
        evaluated(**OWN_IMAGES),
        evaluated(**OWN_IMAGES | {"data": {"folder": "pictures", "transform": {"resize": 8, "crop": 8}}}),
        files={"pictures/red/a.png": PNG},
    ),
    Row(
        "name transformers:FOLDER, or a task",
        lambda: _parts(RunEvalConfig(model=ModelConfig(name="bigram"), data=OF_TEXTS), None),
        lambda: _parts(RunEvalConfig(task=f"{HERE}:small_task", model=ModelConfig(name=f"{HERE}:linear")), None),
        files={"t.jsonl": '{"text": "ab", "of": "yes"}\n'},
    ),
    Row("name a Parquet file", lambda: read_texts(Path("t.parquet"), "val"), files={"t.parquet": "x"}, does=(parquet,)),
]
ROWS = [*TEXTS, *IMAGES, *BOXES, *AGAINST, *TRAINED]
