"""Layouts that tools had in other versions, and what restarts, editors and other systems do to their files."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path

import pytest

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Run
from exaid_evals.runs.registry import format_of
from exaid_evals.runs.run_names import run_names

YOLO5 = """               epoch,      train/box_loss, metrics/mAP_0.5,metrics/mAP_0.5:0.95,               x/lr0
                   0,                0.11,             0.3,                 0.1,                0.01
                   1,                0.09,             0.5,                 0.3,                0.01
"""
KERAS = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.0,0.55,0.9\n1,0.7,0.6,0.72,0.7\n"
LAST = {"accuracy": 0.7, "loss": 0.6, "val_accuracy": 0.72, "val_loss": 0.7}
MMCV = "\n".join(
    json.dumps(row)
    for row in (
        {"env_info": "sys.platform: linux", "config": "model = dict()", "seed": None},
        {"mode": "train", "epoch": 1, "iter": 50, "lr": 0.01, "memory": 1, "time": 0.1, "loss": 1.5},
        {"mode": "train", "epoch": 1, "iter": 100, "lr": 0.01, "memory": 1, "time": 0.1, "loss": 1.2},
        {"mode": "val", "epoch": 1, "iter": 30, "lr": 0.01, "bbox_mAP": 0.2},
        {"mode": "train", "epoch": 2, "iter": 50, "lr": 0.01, "memory": 1, "time": 0.1, "loss": 1.0},
        {"mode": "val", "epoch": 2, "iter": 30, "lr": 0.01, "bbox_mAP": 0.4},
    )
)
SPEEDRUN = (
    "import os\nimport sys\n"
    + "# what follows is the program itself\n" * 400
    + "step:0/1750 val_loss:10.82 train_time:0ms\n"
    "step:1/1750 train_loss:10.5 train_time:11ms step_avg:nanms\nstep:1750/1750 val_loss:3.27 train_time:9ms\n"
)
RAY = "training_iteration,mean_loss,config/lr,config/net/width,trial_id\n1,0.9,0.01,64,ab_0\n2,0.5,0.01,64,ab_0\n"

# format, file → content, metrics that must come out.
LAYOUTS: dict[str, tuple[str, dict[str, str | bytes], dict[str, float]]] = {
    "YOLOv5, padded": (
        "ultralytics",
        {"exp/results.csv": YOLO5},
        {"metrics/mAP_0.5:0.95": 0.3, "train/box_loss": 0.09},
    ),
    "YOLO without args, CRLF, BOM": (
        "ultralytics",
        {"results.csv": b"\xef\xbb\xbf" + YOLO5.replace("\n", "\r\n").encode()},
        {"metrics/mAP_0.5": 0.5},
    ),
    "header again after a restart": (
        "ultralytics",
        {"results.csv": YOLO5 + YOLO5},
        {"metrics/mAP_0.5": 0.5, "train/box_loss": 0.09},
    ),
    "trailing commas in rows": (
        "keras",
        {"training.log": KERAS.replace("0.9\n", "0.9,\n").replace("0.7\n", "0.7,\n")},
        LAST,
    ),
    "Keras, semicolons": ("keras", {"training.log": KERAS.replace(",", ";")}, LAST),
    "Keras, decimal commas": ("keras", {"log.csv": KERAS.replace(",", ";").replace(".", ",")}, LAST),
    "Keras under another name": ("keras", {"model_a_training.csv": KERAS}, LAST),
    "Keras, UTF-16": ("keras", {"training.log": KERAS.encode("utf-16")}, LAST),
    "Keras, packed": ("keras", {"training.log.gz": gzip.compress(KERAS.encode())}, LAST),
    "a CSV, packed": ("csv", {"metrics.csv.gz": gzip.compress(b"step,f1\n1,0.5\n2,0.6\n")}, {"f1": 0.6}),
    "Keras' history as JSON": (
        "json",
        {"history.json": json.dumps({"loss": [1.0, 0.5], "val_loss": [1.1, 0.6]})},
        {"loss": 0.5, "val_loss": 0.6},
    ),
    "rows as JSON": (
        "json",
        {"metrics.json": json.dumps([{"epoch": 1, "val": {"f1": 0.4}}, {"epoch": 2, "val": {"f1": 0.5}}])},
        {"val.f1": 0.5},
    ),
    "MMCV": ("mmengine", {"20210801_010101.log.json": MMCV}, {"loss": 1.0, "bbox_mAP": 0.4}),
    "speedrun": ("nanogpt", {"a-uuid.txt": SPEEDRUN}, {"val/loss": 3.27, "train/loss": 10.5}),
    "build-nanogpt": (
        "nanogpt",
        {"log.txt": "0 val 10.95\n0 hella 0.2463\n0 train 10.955\n250 val 5.9\n250 train 5.8\n"},
        {"val/loss": 5.9, "train/loss": 5.8, "hellaswag/accuracy": 0.2463},
    ),
    "llm.c on the screen": (
        "nanogpt",
        {"main.log": "step    1/74 | train loss 5.356 | norm 30.0 (+nanz)\nstep    2/74 | train loss 4.3 | norm 1.0\n"},
        {"train/loss": 4.3},
    ),
    "Ray Tune without results in JSON": ("ray_tune", {"result.json": "", "progress.csv": RAY}, {"mean_loss": 0.5}),
    "DVCLive 1": (
        "dvclive",
        {
            "dvclive/metrics.json": '{"acc": 0.9, "step": 1}',
            "dvclive/scalars/acc.tsv": "timestamp\tstep\tacc\n1\t0\t0.8\n2\t1\t0.9\n",
        },
        {"acc": 0.9},
    ),
    "DVCLive 0": (
        "dvclive",
        {"dvclive.json": '{"acc": 0.9, "step": 1}', "dvclive/acc.tsv": "timestamp\tstep\tacc\n1\t0\t0.8\n2\t1\t0.9\n"},
        {"acc": 0.9},
    ),
    "Hugging Face, several checkpoints": (
        "hf_trainer",
        {
            f"checkpoint-{at}/trainer_state.json": json.dumps(
                {"global_step": at, "log_history": [{"step": one, "eval_f1": one / 100} for one in range(9, at + 1, 9)]}
            )
            for at in (9, 18, 90)
        },
        {"eval_f1": 0.9},
    ),
    "Lightning, columns in another order": (
        "lightning",
        {"metrics.csv": "train_loss_step,lr-Adam,step,epoch,val_acc\n0.5,0.1,9,0,\n,,9,0,0.7\n"},
        {"train_loss_step": 0.5, "val_acc": 0.7},
    ),
    "timm, quoted header with a mark": (
        "timm",
        {"summary.csv": b'\xef\xbb\xbf"epoch","train_loss","eval_loss","eval_top1"\n0,3.1,2.9,40.1\n'},
        {"eval_top1": 40.1},
    ),
}


def make(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(place: Path) -> tuple[str, dict[str, Run]]:
    """Return the format's name, and the runs."""
    form = format_of(place)
    sources = form.sources(place)
    return form.name, {name: form.read(one, name) for name, one in zip(run_names(sources), sources, strict=True)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read(tmp_path: Path, layout: str) -> None:
    """One run with these metrics, by this format, and nothing told of diverging."""
    form, files, metrics = LAYOUTS[layout]
    found, runs = read(make(tmp_path / "place", files))
    [run] = runs.values()
    assert (found, {name: run.metrics.get(name) for name in metrics}) == (form, metrics)
    assert not [line for line in run.warnings if "diverged" in line or "no number" in line]


def test_settings_of_a_trial_stand_in_its_table(tmp_path: Path) -> None:
    """Ray's `config/…` columns are settings where no JSON has them."""
    _, runs = read(make(tmp_path / "t", {"progress.csv": RAY}))
    [run] = runs.values()
    assert (run.config, set(run.metrics)) == ({"lr": 0.01, "net/width": 64}, {"mean_loss"})


def test_several_logs_of_one_folder_are_a_run_each(tmp_path: Path) -> None:
    """Keras' log is called as its user likes: none is passed over."""
    place = make(tmp_path / "logs", {"a.csv": KERAS, "b.csv": KERAS.replace("0.72", "0.8")})
    form, runs = read(place)
    assert (form, {name: run.metrics["val_accuracy"] for name, run in runs.items()}) == (
        "keras",
        {"a.csv": 0.72, "b.csv": 0.8},
    )


def test_settings_lie_beside_in_yaml(tmp_path: Path) -> None:
    """Hydra and many scripts write settings as YAML."""
    place = make(
        tmp_path / "r", {"metrics.csv": "step,f1\n1,0.5\n", ".hydra/config.yaml": "lr: 0.1\nseed_everything: 3\n"}
    )
    [run] = read(place)[1].values()
    assert (run.config["lr"], run.seed) == (0.1, 3)


def test_a_study_of_an_old_optuna(tmp_path: Path) -> None:
    """Before 2.4 a study had one direction, a trial one value, and what came between stood under `trial_values`."""
    database = sqlite3.connect(tmp_path / "study.db")
    database.executescript(
        """
        CREATE TABLE studies (study_id INTEGER, study_name TEXT, direction TEXT);
        CREATE TABLE study_system_attributes (study_id INTEGER, key TEXT, value_json TEXT);
        CREATE TABLE trials (trial_id INTEGER, number INTEGER, study_id INTEGER, state TEXT, value FLOAT);
        CREATE TABLE trial_params (trial_id INTEGER, param_name TEXT, param_value FLOAT, distribution_json TEXT);
        CREATE TABLE trial_values (trial_id INTEGER, step INTEGER, value FLOAT);
        CREATE TABLE trial_user_attributes (trial_id INTEGER, key TEXT, value_json TEXT);
        INSERT INTO studies VALUES (1, 'old', 'MAXIMIZE');
        INSERT INTO trials VALUES (1, 0, 1, 'COMPLETE', 0.8), (2, 1, 1, 'PRUNED', NULL);
        INSERT INTO trial_params VALUES (1, 'lr', 0.01, '{"name": "UniformDistribution", "attributes": {}}');
        INSERT INTO trial_values VALUES (1, 0, 0.5), (1, 1, 0.8);
        """
    )
    database.close()
    form, runs = read(tmp_path)
    [run] = runs.values()
    assert (form, run.metrics, run.config, run.higher_is_better) == (
        "optuna",
        {"value": 0.8},
        {"lr": 0.01},
        frozenset({"value"}),
    )
    assert "1 trial beside it has no value" in run.warnings[0]


def test_a_store_of_aim_says_what_to_do(tmp_path: Path) -> None:
    """It cannot be read without Aim; the message says so, and how its runs become a table."""
    place = make(tmp_path / "project", {".aim/meta/index/x": "x"})
    for one in (place, place / ".aim"):
        with pytest.raises(DataError, match=r"store of Aim.*dataframe"):
            format_of(one)


def test_epochs_that_go_back_end_with_the_last_of_them(tmp_path: Path) -> None:
    """A log that was resumed from an earlier epoch has some twice: the last counts, and nothing diverged."""
    again = "1,0.6,0.8,0.62,0.8\n2,0.8,0.5,0.81,0.5\n"
    [run] = read(make(tmp_path / "r", {"training.log": KERAS + again}))[1].values()
    assert run.metrics == {"accuracy": 0.8, "loss": 0.5, "val_accuracy": 0.81, "val_loss": 0.5}
    assert run.training is not None
    assert run.training.divergence is None


def test_odd_cells_are_undefined_and_reported(tmp_path: Path) -> None:
    """An empty cell is missing, `inf` and `nan` are no numbers, and 1e300 is one."""
    text = "epoch,loss,f1,scale\n0,0.9,0.5,1e300\n1,inf,,1e300\n2,nan,0.6,1e300\n"
    [run] = read(make(tmp_path / "r", {"metrics.csv": text}))[1].values()
    assert (run.metrics["loss"], run.metrics["f1"], run.metrics["scale"]) == (None, 0.6, 1e300)
    assert any("loss" in line for line in run.warnings)


@pytest.mark.parametrize(
    ("columns", "form"), [("epoch,loss", "csv"), ("epoch,loss,val_loss", "csv"), ("epoch,accuracy,loss", "keras")]
)
def test_only_an_order_that_nobody_else_writes_is_kerass(tmp_path: Path, columns: str, form: str) -> None:
    """A table of an epoch and losses may be anybody's."""
    rows = "".join(f"{at},{','.join(['0.5'] * columns.count(','))}\n" for at in range(2))
    assert read(make(tmp_path / "r", {"history.csv": f"{columns}\n{rows}"}))[0] == form
