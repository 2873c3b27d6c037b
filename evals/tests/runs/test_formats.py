"""Every format of a training tool, by small runs that are written as the tool writes them, or that it wrote itself."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.errors import DataError
from exaid_evals.export.stage import consolidate
from exaid_evals.runs.base import Format, Run, Settings
from exaid_evals.runs.files.document import read_yaml
from exaid_evals.runs.history import History
from exaid_evals.runs.registry import find_run, follower, format_of, formats
from exaid_evals.runs.run_names import run_names

GOLD = Path(__file__).parents[1] / "gold" / "export"


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def read(place: Path, **settings: Any) -> tuple[Format, dict[str, Run]]:
    """Read every run of a place by the format that claims it."""
    form = format_of(place, formats(Settings(**settings)))
    sources = form.sources(place)
    return form, {name: form.read(source, name) for name, source in zip(run_names(sources), sources, strict=True)}


def lines(*rows: dict[str, Any]) -> str:
    """Return JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


YOLO = """                  epoch,         train/box_loss,       metrics/mAP50-95(B),           val/box_loss,     lr/pg0
                      1,                 1.9000,                  0.30000,                 1.5,  0.01
                      2,                 1.8000,                  0.40000,                 1.6,  0.02
                      3,                 1.7000,                  0.35000,                 1.7,  0.03
"""
LIGHTNING = "epoch,step,train_loss,val_acc\n0,0,1.0,\n0,9,,0.5\n1,10,0.5,\n1,19,,0.6\n"
HF = {
    "best_metric": 0.4,
    "best_model_checkpoint": "out/checkpoint-20",
    "global_step": 20,
    "log_history": [
        {"epoch": 0.5, "learning_rate": 1e-05, "loss": 0.9, "step": 10},
        {"epoch": 1.0, "eval_loss": 0.4, "eval_accuracy": 0.8, "eval_runtime": 3.0, "step": 20},
        {"epoch": 1.0, "train_loss": 0.7, "train_runtime": 9.0, "step": 20},
    ],
}
RAY = lines(
    *(
        {
            "training_iteration": at,
            "mean_accuracy": 0.5 + at / 10,
            "trial_id": "abc_00001",
            "pid": 1,
            "time_total_s": 1.0,
            "config": {"lr": 0.01, "seed": 4},
            "done": at == 2,
        }
        for at in range(3)
    )
)
MMENGINE = lines(
    {"lr": 0.001, "loss": 1.2, "epoch": 1, "iter": 50, "step": 50},
    {"coco/bbox_mAP": 0.31, "step": 1},
    {"lr": 0.001, "loss": 0.8, "epoch": 2, "iter": 100, "step": 100},
    {"coco/bbox_mAP": 0.37, "step": 2},
)

CASES: dict[str, tuple[str, dict[str, str], dict[str, float], dict[str, Any], int | None]] = {
    "ultralytics": (
        "ultralytics",
        {"results.csv": YOLO, "args.yaml": "model: yolov8n.pt\nseed: 3\nlr0: 0.01\n"},
        {"metrics/mAP50-95(B)": 0.35, "train/box_loss": 1.7, "val/box_loss": 1.7},
        {"model": "yolov8n.pt", "lr0": 0.01},
        3,
    ),
    "lightning": (
        "lightning",
        {"metrics.csv": LIGHTNING, "hparams.yaml": "lr: 0.001\nseed: 5\nbatch: !!python/tuple\n- 1\n- 2\n"},
        {"train_loss": 0.5, "val_acc": 0.6},
        {"lr": 0.001, "batch": [1, 2]},
        5,
    ),
    "keras": (
        "keras",
        {"training.log": "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.0,0.55,0.9\n1,0.7,0.6,0.72,0.7\n"},
        {"accuracy": 0.7, "loss": 0.6, "val_accuracy": 0.72, "val_loss": 0.7},
        {},
        None,
    ),
    "timm": (
        "timm",
        {"summary.csv": "epoch,train_loss,eval_loss,eval_top1\n0,3.1,2.9,40.1\n1,2.2,2.1,55.3\n"}
        | {"args.yaml": "seed: 42\n"},
        {"train_loss": 2.2, "eval_loss": 2.1, "eval_top1": 55.3},
        {},
        42,
    ),
    "fastai": (
        "fastai",
        {"history.csv": "epoch,train_loss,valid_loss,accuracy,time\n0,0.7,0.5,0.81,00:10\n1,0.4,0.3,0.90,00:11\n"},
        {"train_loss": 0.4, "valid_loss": 0.3, "accuracy": 0.9},
        {},
        None,
    ),
    "mmengine": (
        "mmengine",
        {"20240101_000000/vis_data/scalars.json": MMENGINE},
        {"loss": 0.8, "coco/bbox_mAP": 0.37},
        {},
        None,
    ),
    "ray_tune": (
        "ray_tune",
        {"result.json": RAY, "params.json": '{"lr": 0.01, "seed": 4}', "progress.csv": "training_iteration\n0\n"},
        {"mean_accuracy": 0.7},
        {"lr": 0.01},
        4,
    ),
    "hf_trainer": (
        "hf_trainer",
        {
            "trainer_state.json": json.dumps(HF),
            "all_results.json": '{"epoch": 1.0, "eval_accuracy": 0.81, "eval_samples": 9, "test_f1": 0.5}',
        },
        {"eval_accuracy": 0.81, "eval_loss": 0.4, "loss": 0.9, "test_f1": 0.5, "train_loss": 0.7},
        {},
        None,
    ),
    "nanogpt": (
        "nanogpt",
        {
            "train.log": "number of parameters: 10M\nstep 0: train loss 4.1, val loss 4.2\niter 0: loss 4.2, time 9ms\n"
            "step 250: train loss 2.1, val loss 2.3\niter 250: loss 2.2, time 9ms\n"
        },
        {"train/loss": 2.2, "train/loss_estimate": 2.1, "val/loss": 2.3},
        {},
        None,
    ),
    "llm.c": (
        "nanogpt",
        {"main.log": "s:0 tel:11.0\ns:0 trl:11.1 lr:0.0001 norm:15.3\ns:1 trl:10.9 lr:0.0002 norm:14.0\ns:2 tel:9.5\n"},
        {"train/loss": 10.9, "val/loss": 9.5},
        {},
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_run_of_a_tool_is_read(tmp_path: Path, case: str) -> None:
    """Its last values, its settings without the seed, and the seed; counters, times and rates are not metrics."""
    format_name, files, metrics, config, seed = CASES[case]
    form, runs = read(write(tmp_path / "run", files))
    [run] = runs.values()
    assert form.name == run.format == format_name
    assert {name: value for name, value in run.metrics.items() if name != "grad_norm"} == pytest.approx(metrics)
    assert dict(run.config) == config
    assert run.seed == seed


@pytest.mark.parametrize("case", [case for case in CASES if case != "mmengine"])
def test_folders_of_runs_hold_each_run_once(tmp_path: Path, case: str) -> None:
    """A folder that holds three runs of a tool is three runs, in the order of their numbers."""
    for number in (1, 2, 10):
        write(tmp_path / f"run{number}", CASES[case][1])
    _, runs = read(tmp_path)
    assert list(runs) == ["run1", "run2", "run10"]


@pytest.mark.parametrize("case", CASES)
def test_a_history_is_read_alike_for_an_analysis(tmp_path: Path, case: str) -> None:
    """What an export takes the last value of, an analysis has whole, under the same format."""
    format_name, files, metrics, _, _ = CASES[case]
    history = find_run(str(write(tmp_path / "run", files)), [])
    assert history.source == format_name
    logged = {name: series.points[-1].value for name, series in history.series.items()}
    final = {name: value for name, value in logged.items() if name in metrics}
    changed = {"eval_accuracy"} if case == "hf_trainer" else set()  # its results file says another
    assert {name: value for name, value in final.items() if name not in changed} == pytest.approx(
        {name: value for name, value in metrics.items() if name in final and name not in changed}
    )


@pytest.mark.parametrize(("which", "value"), [("last", 0.35), ("best", 0.4), ("min", 0.3), ("max", 0.4)])
def test_which_value_of_a_metric_counts(tmp_path: Path, which: str, value: float) -> None:
    """The last, unless a user says another; the best by the metric's direction."""
    _, runs = read(write(tmp_path / "train", CASES["ultralytics"][1]), metric_value=which)
    [run] = runs.values()
    assert run.metrics["metrics/mAP50-95(B)"] == value
    assert run.default_primary == "metrics/mAP50-95(B)"


def test_a_file_is_named_as_well_as_its_folder(tmp_path: Path) -> None:
    """`--run results.csv` and `--run train` are one run."""
    folder = write(tmp_path / "train", CASES["ultralytics"][1])
    _, by_file = read(folder / "results.csv")
    _, by_folder = read(folder)
    assert [run.metrics for run in by_file.values()] == [run.metrics for run in by_folder.values()]
    assert [run.seed for run in by_file.values()] == [3]


def test_checkpoints_stand_for_a_state_that_was_not_written(tmp_path: Path) -> None:
    """The last checkpoint's, by its number and not by its name."""
    early = {**HF, "log_history": HF["log_history"][:1]}
    files = {"checkpoint-9/trainer_state.json": json.dumps(early), "checkpoint-20/trainer_state.json": json.dumps(HF)}
    _, runs = read(write(tmp_path / "out", files))
    assert [run.metrics["eval_loss"] for run in runs.values()] == [0.4]


def test_what_an_evaluation_adds_to_a_step_repeats_no_step(tmp_path: Path) -> None:
    """The Trainer logs loss, evaluation and summary of a step apart; a step that a restart does again counts twice."""
    rows: list[dict[str, float]] = [
        {"loss": 0.9, "epoch": 1.0, "step": 10},
        {"eval_loss": 0.8, "epoch": 1.0, "step": 10},
        {"loss": 0.7, "epoch": 2.0, "step": 20},
        {"train_loss": 0.8, "epoch": 2.0, "step": 20},
    ]

    def read_again(*more: dict[str, float]) -> History:
        log = json.dumps({**HF, "log_history": [*rows, *more]})
        return find_run(str(write(tmp_path / str(len(more)), {"trainer_state.json": log})), [])

    assert (read_again().irregularities, read_again().n_steps) == ((), 2)
    again = read_again({"loss": 0.6, "epoch": 2.0, "step": 20})
    assert [(one.metric, one.kind, one.count) for one in again.irregularities] == [("loss", "repeated_step", 1)]


def test_rows_of_validation_belong_to_the_iteration_before_them(tmp_path: Path) -> None:
    """MMEngine writes an epoch where training writes an iteration; the scores do not stand at steps 1 and 2."""
    history = find_run(str(write(tmp_path / "work", CASES["mmengine"][1])), [])
    assert [point.step for point in history.series["coco/bbox_mAP"].points] == [50.0, 100.0]


@pytest.mark.parametrize("name", ["journal.log", "study.db"])
def test_a_study_of_optuna(tmp_path: Path, name: str) -> None:
    """What Optuna itself wrote, as journal and as database: parameters as the program saw them, the pruned one told."""
    content = GOLD / "optuna" / name
    data = content.read_bytes() if content.exists() else gzip.decompress(content.with_name(f"{name}.gz").read_bytes())
    (tmp_path / name).write_bytes(data)
    _, runs = read(tmp_path)
    assert [run.trial for run in runs.values()] == ["0", "1", "3"]
    first = next(iter(runs.values()))
    assert dict(first.config) == {"aug": False, "layers": 3, "lr": pytest.approx(0.00178265)}
    assert dict(first.metrics) == pytest.approx({"kappa": 0.6, "macro_f1": 0.43})
    assert first.higher_is_better == {"kappa"}
    assert any("2 (PRUNED)" in warning for warning in first.warnings)
    history = find_run("0", [tmp_path], "optuna")
    assert [point.value for point in history.series["kappa"].points] == pytest.approx([0.3, 0.4, 0.5])


def test_a_table_of_trials(tmp_path: Path) -> None:
    """`trials_dataframe().to_csv()`."""
    text = "number,value,params_lr,params_aug,user_attrs_f1,state\n0,0.5,0.01,True,0.4,COMPLETE\n1,,0.1,False,,FAIL\n"
    _, runs = read(write(tmp_path, {"trials.csv": text}))
    [run] = runs.values()
    assert (run.trial, dict(run.metrics), run.config["lr"]) == ("0", {"value": 0.5, "f1": 0.4}, 0.01)
    assert any("1 (FAIL)" in warning for warning in run.warnings)


def test_a_run_of_sacred() -> None:
    """What Sacred itself wrote: logged scalars, the configuration, the seed."""
    _, runs = read(GOLD / "sacred" / "1")
    [run] = runs.values()
    assert dict(run.metrics) == pytest.approx({"loss": 0.8, "val.acc": 0.7})
    assert (dict(run.config), run.seed, run.attributes["sacred_status"]) == ({"lr": 0.1}, 7, "COMPLETED")


def test_a_folder_of_dvclive() -> None:
    """What DVCLive itself wrote: nested metrics, parameters, every step."""
    _, runs = read(GOLD / "dvclive")
    [run] = runs.values()
    assert dict(run.metrics) == pytest.approx({"acc": 0.7, "train/loss": 0.8})
    assert dict(run.config) == {"lr": 0.1}


SEARCH = {
    "mean_fit_time": [0.1, 0.2], "params": [{"C": 1}, {"C": 10}], "param_C": [1, 10],
    "split0_test_score": [0.8, 0.9], "mean_test_score": [0.75, 0.85], "std_test_score": [0.05, 0.05],
}  # fmt: skip


def test_a_search_of_scikit_learn(tmp_path: Path) -> None:
    """A run a candidate, with the mean over its folds; the folds' own scores are not metrics of it."""
    _, runs = read(write(tmp_path, {"cv_results.json": json.dumps(SEARCH)}))
    assert [(run.trial, dict(run.metrics), dict(run.config)) for run in runs.values()] == [
        ("0", {"mean_test_score": 0.75}, {"C": 1}),
        ("1", {"mean_test_score": 0.85}, {"C": 10}),
    ]


def test_a_cross_validation_of_scikit_learn(tmp_path: Path) -> None:
    """A run a fold; times are not metrics."""
    table = ",fit_time,score_time,test_accuracy\n0,2.7,0.03,0.96\n1,1.3,0.1,1.0\n"
    _, runs = read(write(tmp_path, {"cv_results.csv": table}))
    assert [(run.fold, dict(run.metrics)) for run in runs.values()] == [
        (0, {"test_accuracy": 0.96}),
        (1, {"test_accuracy": 1.0}),
    ]


def test_one_long_table_of_several_runs(tmp_path: Path) -> None:
    """A column names the run of each row; what is constant in a run and no metric is its setting."""
    rows = [f"run_{run},{run},{step},{0.5 + run / 10 + step / 100}" for run in (1, 2) for step in range(3)]
    path = write(tmp_path, {"all.csv": "run,seed,step,val_acc\n" + "\n".join(rows) + "\n"}) / "all.csv"
    _, runs = read(path)
    assert [(run.seed, dict(run.metrics)) for run in runs.values()] == [
        (1, {"val_acc": pytest.approx(0.62)}),
        (2, {"val_acc": pytest.approx(0.72)}),
    ]
    long = "run_id,metric,value\na,accuracy,0.5\na,loss,1.0\nb,accuracy,0.6\nb,loss,0.9\n"
    _, runs = read(write(tmp_path, {"long.csv": long}) / "long.csv")
    assert [dict(run.metrics) for run in runs.values()] == [
        {"accuracy": 0.5, "loss": 1.0},
        {"accuracy": 0.6, "loss": 0.9},
    ]


def test_what_run_eval_wrote(tmp_path: Path) -> None:
    """An evaluation without a training; a language model leads with its perplexity."""
    files = {
        "metrics/val_metrics.json": '{"perplexity": 12.5, "accuracy": 0.4, "kappa": 0.1}',
        "metrics/evaluation.json": '{"task": "text", "n_items": 9, "signature": "s"}',
        "val_predictions.csv": "y_true,y_pred\n",
    }
    form, runs = read(write(tmp_path, files))
    [run] = runs.values()
    assert (form.name, run.default_primary, run.metrics["perplexity"]) == ("run_eval", "perplexity", 12.5)


@pytest.mark.parametrize(
    ("said", "leads", "down"),
    [
        ('"primary_metric": "mae", "lower_is_better": true', "mae", True),
        ('"primary_metric": "auroc", "lower_is_better": false', "auc_ovr", False),
        ('"primary_metric": "gone"', "accuracy", False),
        ('"primary_metric": ["mae"], "lower_is_better": "x"', "accuracy", False),
    ],
)
def test_what_leads_is_what_the_task_says(tmp_path: Path, said: str, leads: str, down: bool) -> None:
    """Of an evaluation its task's metric ranks it, and balanced accuracy, which it computes beside, does not."""
    files = {
        "metrics/val_metrics.json": '{"accuracy": 0.4, "auc_ovr": 0.7, "mae": 2.0, "balanced_accuracy_adjusted": 0.1}',
        "metrics/evaluation.json": f'{{"task": "t", "n_items": 9, {said}}}',
        "val_predictions.csv": "y_true,y_pred\n",
    }
    _, runs = read(write(tmp_path, files))
    [run] = runs.values()
    export = consolidate([run, replace(run, name="other", metrics=dict.fromkeys(run.metrics, 0.3))])
    assert (export.primary_metric, export.lower) == (leads, down)


def test_the_golden_evaluation_of_run_eval() -> None:
    """What `run-eval` wrote of a text is read with its intervals."""
    form, runs = read(Path(__file__).parents[1] / "gold" / "export" / "run_eval" / "text")
    [run] = runs.values()
    assert (form.name, run.metrics) == ("run_eval", {"loss": 2.600647, "perplexity": 13.472457})
    assert run.attributes["intervals"]["loss"] == {"ci95_low": 2.478342, "ci95_high": 2.705853}


def test_yaml_of_others_makes_nothing(tmp_path: Path) -> None:
    """Python's tags become the data that they stand for; a small file that would fill the memory is refused."""
    path = tmp_path / "hparams.yaml"
    path.write_text("a: !!python/object:os.system {b: 1}\nc: !!python/name:os.system ''\nd: 2024-01-01\n")
    assert read_yaml(path) == {"a": {"b": 1}, "c": "os.system", "d": "2024-01-01"}
    levels = ["a: &a0 [1,1,1,1,1,1,1,1,1]"] + [f"k{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    path.write_text("\n".join(levels))
    with pytest.raises(DataError, match="too many values"):
        read_yaml(path)
    path.write_text("a: [1\n")
    with pytest.raises(DataError, match="YAML"):
        read_yaml(path)


def test_a_growing_history_of_a_tool_is_followed(tmp_path: Path) -> None:
    """By the tool's format, from the rows that were there on."""
    folder = write(tmp_path / "train", CASES["ultralytics"][1])
    one = follower(folder)
    assert [row.step for row in one.poll()] == [1, 2, 3]
    with (folder / "results.csv").open("a") as stream:
        stream.write("4, 1.6, 0.5, 1.8, 0.04\n")
    assert [(row.step, row.metrics["metrics/mAP50-95(B)"]) for row in one.poll()] == [(4, 0.5)]
