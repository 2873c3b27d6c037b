"""Shapes of files that people have of these tools, beside those that the tools write first of all."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.errors import DataError
from exaid_evals.export.reading import read_runs
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.delimited import open_delimited
from exaid_evals.runs.registry import find_run, format_of
from exaid_evals.runs.rows import step_column

GRID: list[dict[str, Any]] = [
    {"mean_fit_time": 0.1, "param_C": c, "params": {"C": c}, "mean_test_score": score, "rank_test_score": 1}
    for c, score in ((0.1, 0.8), (1.0, 0.9))
]
COLUMNS = {name: [row[name] for row in GRID] for name in GRID[0]}
BY_ROW = {name: {str(at): one for at, one in enumerate(values)} for name, values in COLUMNS.items()}
YOLO_TEXT = "".join(
    f"   {epoch}/2     10.1G   0.07  0.02   0.01  0.1   61   640   0.1  0.2   0.{epoch}5   0.{epoch}1  0.06 0.02 0.01\n"
    for epoch in range(3)
)
CHART = (
    '"Step","sun-1 - val/loss","sun-1 - val/loss__MIN","sun-1 - val/loss__MAX","sea-2 - val/loss"\n'
    '"0","1.5","1.5","1.5","1.4"\n"10","1.2","1.2","1.2",""\n'
)
LIGHTEVAL = {
    "config_general": {"model_name": "org/small", "model_sha": "x"},
    "results": {"arc:challenge|25": {"acc": 0.5, "acc_stderr": 0.01}},
    "versions": {"arc:challenge|25": 0},
}
LLM_C = (
    "step    1/9 | loss 11.00 (+nanz)| norm 10.0 (+nanz)| lr 8.57e-07 | 100.0 ms\nval loss 10.9\n"
    "step    2/9 | loss 10.90 (+nanz)| norm 9.0 (+nanz)| lr 1.70e-06 | 100.0 ms\nval loss 10.5\n"
)

# format, file → content, run → metrics that must come out.
SHAPES: dict[str, tuple[str, dict[str, str], dict[str, dict[str, float]]]] = {
    "pandas' numbers of rows": ("csv", {"history.csv": ",loss,acc\n0,1.2,0.5\n1,0.9,0.7\n"}, {"": {"loss": 0.9}}),
    "blanks between columns": (
        "csv",
        {"log.csv": "epoch  loss   acc\n1  1.2 0.5\n2   0.9   0.7\n"},
        {"": {"acc": 0.7}},
    ),
    "a header behind a hash": ("csv", {"log.csv": "# epoch,loss\n1,1.2\n2,0.9\n"}, {"": {"loss": 0.9}}),
    "a note with a comma above the header": (
        "csv",
        {"log.csv": "# trained on MIMIC, seed 42\nepoch,loss\n1,1.2\n2,0.9\n"},
        {"": {"loss": 0.9}},
    ),
    "empty lines above the header": ("csv", {"log.csv": "\n# note\n\nepoch,loss\n1,1.2\n2,0.9\n"}, {"": {"loss": 0.9}}),
    "a note above the header": (
        "csv",
        {"monitor.csv": '#{"t_start": 1.5, "env_id": "Cart"}\nepoch,reward\n1,20\n2,25\n'},
        {"": {"reward": 25.0}},
    ),
    "capitals, semicolons and decimal commas": (
        "csv",
        {"log.csv": "Epoch;Train Loss;Val Acc\n1;1,25;0,51\n2;1,05;0,61\n"},
        {"": {"Train Loss": 1.05, "Val Acc": 0.61}},
    ),
    "an epoch and a loss, of nobody's tool": (
        "csv",
        {"log.csv": "epoch,train_loss,loss,val_loss\n0,1,1,2\n1,1,0.9,1\n"},
        {"": {"loss": 0.9}},
    ),
    "the only table of a folder": (
        "csv",
        {"summary.csv": "epoch,train_loss\n0,6.9\n1,6.1\n"},
        {"": {"train_loss": 6.1}},
    ),
    "Keras' NA where nothing was measured": (
        "keras",
        {"log.csv": "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.2,0.6,1.1\n1,0.7,0.9,NA,NA\n"},
        {"": {"val_loss": 1.1, "loss": 0.9}},
    ),
    "Keras with semicolons": (
        "keras",
        {"training.log": "epoch;accuracy;loss\n0;0.5;1.2\n1;0.7;0.9\n"},
        {"": {"loss": 0.9}},
    ),
    "a history of names within names": (
        "json",
        {"history.json": json.dumps({"train": {"loss": [1, 0.9]}, "val": {"acc": [0.5, 0.6]}})},
        {"": {"train.loss": 0.9, "val.acc": 0.6}},
    ),
    "a history by epoch": (
        "json",
        {"log.json": json.dumps({"1": {"loss": 1.0}, "2": {"loss": 0.9}})},
        {"": {"loss": 0.9}},
    ),
    "a data frame as JSON": (
        "json",
        {"history.json": json.dumps({"loss": {"0": 1.2, "1": 0.9}})},
        {"": {"loss": 0.9}},
    ),
    "objects a line in a text": (
        "json_log",
        {"log.txt": '{"train_loss": 10.0, "epoch": 0, "n_parameters": 4}\n{"train_loss": 9.0, "epoch": 1}\n'},
        {"": {"train_loss": 9.0}},
    ),
    "YOLO before it had headers": (
        "ultralytics",
        {"exp/results.txt": YOLO_TEXT},
        {"": {"metrics/mAP_0.5:0.95": 0.21, "val/cls_loss": 0.01}},
    ),
    "llm.c on the screen": ("nanogpt", {"log.txt": LLM_C}, {"": {"val/loss": 10.5, "grad_norm": 9.0}}),
    "a loss over an epoch": (
        "lightning",
        {"train/runs/x/csv/version_0/metrics.csv": "epoch,step,train_loss_step,train_loss_epoch\n0,9,2.1,\n0,9,,2.0\n"},
        {"": {"train_loss_epoch": 2.0, "train_loss_step": 2.1}},
    ),
    "launches of one work folder": (
        "mmengine",
        {
            f"exp/2024010{day}_000000/vis_data/scalars.json": f'{{"loss": {day}.5, "iter": 1, "step": 1}}\n'
            for day in (1, 2)
        },
        {"20240101_000000": {"loss": 1.5}, "20240102_000000": {"loss": 2.5}},
    ),
    "candidates as columns": ("sklearn", {"cv.json": json.dumps(COLUMNS)}, {"0": {"mean_test_score": 0.8}, "1": {}}),
    "candidates as rows": ("sklearn", {"cv.json": json.dumps(GRID)}, {"0": {"mean_test_score": 0.8}, "1": {}}),
    "candidates as a data frame": (
        "sklearn",
        {"cv.json": json.dumps(BY_ROW)},
        {"1": {"mean_test_score": 0.9}, "0": {}},
    ),
    "a row a model": (
        "long_csv",
        {"results.csv": "model,accuracy,param_count\nresnet50,80.1,25\nvit,84.5,86\n"},
        {"resnet50": {"accuracy": 80.1}, "vit": {"accuracy": 84.5}},
    ),
    "MLflow's search_runs": (
        "long_csv",
        {"runs.csv": "run_id,experiment_id,status,metrics.acc,params.lr\na1,1,FINISHED,0.3,0.1\n"},
        {"a1": {"acc": 0.3}},
    ),
    "W&B's table of runs": (
        "long_csv",
        {"runs.csv": "Name,State,Created,lr,val/acc\nsun,finished,2024,0.1,0.9\nsea,crashed,2024,0.1,0.8\n"},
        {"sun": {"val/acc": 0.9}, "sea": {"val/acc": 0.8}},
    ),
    "W&B's chart": ("long_csv", {"runs.csv": CHART}, {"sun-1": {"val/loss": 1.2}, "sea-2": {"val/loss": 1.4}}),
    "lighteval": ("lm_eval", {"out/m/results_x.json": json.dumps(LIGHTEVAL)}, {"": {"arc:challenge|25.acc": 0.5}}),
}


def make(place: Path, files: dict[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return place


def read(place: Path) -> dict[str, Run]:
    """Read a folder as an export does, the runs by what tells them apart."""
    return {
        run.name.removeprefix(f"{place.name}/").rpartition(".csv/")[2].rpartition(".json/")[2]: run
        for run in read_runs([place]).runs
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_read(tmp_path: Path, shape: str) -> None:
    """These runs with these metrics, by this format, and no divergence where there is none."""
    form, files, expected = SHAPES[shape]
    runs = read(make(tmp_path / "place", files))
    assert {run.format for run in runs.values()} == {form}
    if "" in expected:
        [run] = runs.values()
        runs = {"": run}
    assert {
        name: {metric: runs[name].metrics[metric] for metric in values} for name, values in expected.items()
    } == expected
    assert set(runs) == set(expected)
    for run in runs.values():
        assert not [line for line in run.warnings if "diverged" in line or (run.training and run.training.divergence)]
        assert "" not in run.metrics


def test_a_table_of_runs_is_no_history(tmp_path: Path) -> None:
    """Candidates of a search are no steps of one training: an analysis says so, and does not find that it diverged."""
    place = make(tmp_path, {"cv.json": json.dumps(GRID)}) / "cv.json"
    with pytest.raises(DataError, match=r"holds runs \(sklearn\) that logged no steps"):
        find_run(str(place), [tmp_path])


def test_candidates_keep_their_numbers_in_a_sorted_table(tmp_path: Path) -> None:
    """Pandas writes them before the rows."""
    text = ",mean_fit_time,param_C,mean_test_score\n1,0.1,1.0,0.9\n0,0.1,0.1,0.8\n"
    runs = read(make(tmp_path / "p", {"cv_results.csv": text}))
    assert {run.trial: run.metrics["mean_test_score"] for run in runs.values()} == {"1": 0.9, "0": 0.8}


def test_a_trial_that_wrote_nothing_is_told_of(tmp_path: Path) -> None:
    """Ray leaves its folder; so does whatever else lies beside trials, however deep they lie."""
    rows = '{"training_iteration": 1, "loss": 0.5, "trial_id": "ab_00000"}\n'
    files = {f"exp/f_ab_0000{at}/result.json": rows if at < 2 else "" for at in range(3)}
    reading = read_runs([make(tmp_path / "ray_results", files)])
    assert len(reading.runs) == 2
    assert [note for note in reading.notes if "exp/f_ab_00002" in note]


def test_of_many_runs_none_is_missing(tmp_path: Path) -> None:
    """However many folders lie beside each other, each that holds a run is read."""
    for number in range(510):
        log = tmp_path / f"run_{number}/version_0/metrics.csv"
        log.parent.mkdir(parents=True)
        log.write_text("epoch,step,loss\n0,1,0.5\n")
    assert len(format_of(tmp_path).sources(tmp_path)) == 510


def test_a_number_beyond_all_floats_is_infinite(tmp_path: Path) -> None:
    """A log of whole numbers that no float holds is read as one that diverged."""
    path = tmp_path / "history.jsonl"
    path.write_text("".join(f'{{"step": {step}, "loss": {sign}{"9" * 400}}}\n' for step, sign in ((1, ""), (2, "-"))))
    assert [point.value for point in find_run(str(path), []).series["loss"].points] == [math.inf, -math.inf]


def test_broken_metadata_of_wandb_lose_no_run(tmp_path: Path) -> None:
    """Metadata say which commit it was: where a kill left them empty, the run's numbers are read all the same."""
    files = {"wandb-summary.json": '{"loss": 0.5}', "wandb-metadata.json": ""}
    make(tmp_path / "wandb/run-20240101_000000-abc/files", files)
    (run,) = read(tmp_path / "wandb").values()
    assert run.metrics == {"loss": 0.5}
    assert "wandb-metadata.json" in " ".join(run.warnings)


@pytest.mark.parametrize(
    ("table", "runs"),
    [
        ("model,seed,acc\nnet,1,0.9\nnet,2,0.8\n", {"net-seed1": 0.9, "net-seed2": 0.8}),
        ("run,seed,acc\nnet,1,0.9\nnet,2,0.8\n", {"net-seed1": 0.9, "net-seed2": 0.8}),
        ("method,dataset,acc\nnet,a,0.9\nnet,b,0.8\n", {"net-a": 0.9, "net-b": 0.8}),
        ("run,seed,metric,value\nnet,1,acc,0.9\nnet,2,acc,0.8\n", {"net-seed1": 0.9, "net-seed2": 0.8}),
        ("run,seed,epoch,acc\nnet,1,1,0.9\nnet,2,1,0.8\n", {"net-seed1": 0.9, "net-seed2": 0.8}),
        ("run,seed,epoch,acc\nnet,1,1,0.9\nnet,2,2,0.8\n", {"net": 0.8}),
        ("run,seed,epoch,acc\nnet,1,1,0.9\nnet,,2,0.8\n", {"net": 0.8}),
    ],
)
def test_what_tells_runs_of_one_name_apart(tmp_path: Path, table: str, runs: dict[str, float]) -> None:
    """Rows with another seed are another run, unless their steps go on where the others end."""
    (tmp_path / "runs.csv").write_text(table)
    assert {name: run.metrics["acc"] for name, run in read(tmp_path / "runs.csv").items()} == runs


def test_runs_of_wandb_with_one_name_stay_apart(tmp_path: Path) -> None:
    """Whoever names all runs of an experiment alike has as many runs as rows in the table that W&B's page writes."""
    table = tmp_path / "runs.csv"
    table.write_text("Name,State,Created,lr,acc\nbase,finished,1,0.1,0.9\nbase,finished,2,0.2,0.8\n")
    found = {name: (run.metrics["acc"], run.config["lr"]) for name, run in read(table).items()}
    assert found == {"base": (0.9, 0.1), "base (2)": (0.8, 0.2)}


def test_settings_of_a_table_of_mlflow(tmp_path: Path) -> None:
    """Parameters are settings, the seed among them; addresses and times are none."""
    text = "run_id,experiment_id,artifact_uri,metrics.acc,params.lr,params.seed\na1,1,s3://x,0.3,0.1,7\n"
    [run] = read(make(tmp_path / "p", {"runs.csv": text})).values()
    assert (run.config, run.seed, run.attributes["mlflow_experiment"]) == ({"lr": 0.1}, 7, "1")


def test_what_one_writer_of_tensorboard_makes_is_one_run(tmp_path: Path) -> None:
    """Hyper-parameters and scalars that were logged together lie in folders of their own, and are the run's."""
    summary = pytest.importorskip("tensorboard.summary.writer.event_file_writer")
    proto = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    event = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    for folder, tag, value in (
        ("", "loss", 0.5),
        ("/both_a", "both", 1.0),
        ("/both_b", "both", 2.0),
        ("/1700000000.5", "hp/acc", 0.75),
        ("/other", "loss", 9.0),
        ("/n_100", "acc", 8.0),
    ):
        place = tmp_path / f"run{folder}"
        place.mkdir(exist_ok=True)
        writer = summary.EventFileWriter(str(place))
        told = proto.Summary(value=[proto.Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(event.Event(step=1, summary=told))
        writer.close()
        [file] = place.glob("events*")
        file.rename(place / "events.out.tfevents.1700000000.host.77.0")
    form = format_of(tmp_path)
    found = {name: form.read(source, name).metrics for name, source in form.named(tmp_path).items()}
    whole = {"loss": 0.5, "both/a": 1.0, "both/b": 2.0, "hp/acc": 0.75}
    assert found == {"run": whole, "run/other": {"loss": 9.0}, "run/n_100": {"acc": 8.0}}


@pytest.mark.parametrize("text", ["", "\n", "#\n", "# only a note\n", "   \n"])
def test_a_file_without_a_header_is_refused(tmp_path: Path, text: str) -> None:
    """Comments are no table."""
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=r"is empty|has no header"):
        open_delimited(tmp_path / "a.csv")


@given(
    st.lists(st.lists(st.integers(-999, 999), min_size=2, max_size=2), min_size=1, max_size=5),
    st.sampled_from(["  ", " ", "     "]),
)
def test_blanks_between_columns_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], gap: str
) -> None:
    """A table is the same with blanks between its cells as with commas."""
    folder = tmp_path_factory.mktemp("t")
    cells = [["epoch", "loss"], *([str(one) for one in row] for row in rows)]
    for name, between in (("a", ","), ("b", gap)):
        (folder / name).write_text("\n".join(between.join(row) for row in cells) + "\n")
    one, other = (open_delimited(folder / name) for name in "ab")
    assert one.columns == other.columns
    assert list(one.rows()) == list(other.rows())


def test_the_column_of_steps_however_it_is_written() -> None:
    """The finest goes first, as before."""
    assert step_column(["Epoch", "Global Step", "loss"]) == "Global Step"
    assert step_column(["loss", "Wall time"]) is None
    assert step_column(["step", "training_iteration"], "training_iteration") == "training_iteration"


def test_each_of_the_twenty_situations_is_held_by_a_test() -> None:
    """The page on exports names a test a row, and the suite has it."""
    tests = Path(__file__).parents[1]
    page = (tests.parents[1] / "docs" / "export.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| (\d+) \| .* \| `(test_\w+)` \|$", page, re.M)
    assert [int(number) for number, _ in named] == [*range(1, 21)]
    defined = "".join(
        path.read_text(encoding="utf-8") for room in ("runs", "export") for path in (tests / room).glob("test_*.py")
    )
    assert [name for _, name in named if f"def {name}(" not in defined] == []
