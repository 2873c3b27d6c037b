"""Shapes of files that people have of these tools, beside those that the tools write first of all."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.errors import DataError
from exaid_evals.export.reading import read_runs
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.delimited import open_delimited
from exaid_evals.runs.files.summary import read_summary
from exaid_evals.runs.registry import find_run, format_of
from exaid_evals.runs.rows import step_column
from runs.shapes import GRID
from runs.shapes import SHAPES as OF_TRAININGS
from runs.shapes_of_prints import PRINTED
from runs.shapes_of_results import RESULTS
from runs.shapes_of_tables import TABLES

SHAPES = {**OF_TRAININGS, **TABLES, **PRINTED, **RESULTS}


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


def test_a_trial_that_wrote_nothing_is_reported(tmp_path: Path) -> None:
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


def test_what_stands_in_a_table_beside_its_metrics(tmp_path: Path) -> None:
    """Seed and fold however they are written, settings that were tuned, and what was left out; methods are models."""
    sheet = make(tmp_path, {"a.csv": "Method,Seed,Accuracy\nnet,1,0.8\n,2,0.9\nAverage,,0.85\n"}) / "a.csv"
    runs = read(sheet)
    assert [(run.seed, run.attributes["model"]) for run in runs.values()] == [(1, "net"), (2, "net")]
    assert "1 rows that sum up others are left out (Average)" in " ".join(runs["net-seed1"].warnings)
    tuned = "mtry,.metric,mean,n,std_err,.config\n5,roc_auc,0.9,10,0.01,A\n9,roc_auc,0.8,10,0.1,B\n"
    runs = read(make(tmp_path, {"b.csv": tuned}) / "b.csv")
    assert [run.config["mtry"] for run in runs.values()] == [5, 9]
    with pytest.raises(DataError, match="a row for each 'label_of_what'"):
        read(make(tmp_path, {"c.csv": "n_items,label_of_what,accuracy\n5,left,0.9\n5,right,0.8\n"}) / "c.csv")


@pytest.mark.parametrize("named", ["fold", "trial"])
def test_folds_and_trials_of_any_tool(tmp_path: Path, named: str) -> None:
    """Folders of such names are runs of whichever tool wrote them, and one that holds none is reported."""
    files = {f"{named}_{at}/history.csv": f"epoch,val_acc\n0,0.5\n1,0.{at + 6}\n" for at in (0, 1)}
    reading = read_runs([make(tmp_path / "cv", {**files, f"{named}_2/notes.txt": "died"})])
    assert [run.metrics["val_acc"] for run in reading.runs] == [0.6, 0.7]
    assert [getattr(run, named) for run in reading.runs] == ([0, 1] if named == "fold" else ["0", "1"])
    assert [note for note in reading.notes if f"{named}_2" in note]


def test_a_file_of_results_says_what_it_was_made_with(tmp_path: Path) -> None:
    """Settings and seed are in it or beside it; what holds no metric, or logs below it, is no run of such a file."""
    held = {"config": {"temperature": 0.2, "seed": 7}, "humaneval": {"pass@1": 0.3}, "n_samples": 20, "date": "today"}
    [run] = read(make(tmp_path / "a", {"results.json": json.dumps(held), "config.json": '{"dtype": "bf16"}'})).values()
    assert (run.metrics, run.seed, run.config) == (
        {"humaneval.pass@1": 0.3},
        7,
        {"dtype": "bf16", "temperature": 0.2},
    )
    with pytest.raises(DataError, match="no finished run of a known format"):
        format_of(make(tmp_path / "b", {"results.json": '{"hidden_size": 768}'}))
    files = {"results.json": '{"accuracy": 0.9}', **{f"run_{at}/history.csv": "epoch,acc\n0,0.5\n" for at in (1, 2)}}
    assert [*read(make(tmp_path / "c", files))] == ["run_1", "run_2"]


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
        ("/lr_0.1", "lr", 0.1),
        ("/n_100", "acc", 8.0),
    ):
        place = tmp_path / f"run{folder}"
        place.mkdir(exist_ok=True)
        writer = summary.EventFileWriter(str(place))
        tags = {tag: value, "loss": 1.0} if tag == "lr" else {tag: value}  # a run of its own logs more than its name
        reported = proto.Summary(
            value=[proto.Summary.Value(tag=one, simple_value=number) for one, number in tags.items()]
        )
        writer.add_event(event.Event(step=1, summary=reported))
        writer.close()
        [file] = place.glob("events*")
        file.rename(place / "events.out.tfevents.1700000000.host.77.0")
    form = format_of(tmp_path)
    found = {name: form.read(source, name).metrics for name, source in form.named(tmp_path).items()}
    whole = {"loss": 0.5, "both/a": 1.0, "both/b": 2.0, "hp/acc": 0.75}
    assert found == {"run": whole, "run/other": {"loss": 9.0}, "run/n_100": {"acc": 8.0}, "run/lr_0.1": {"loss": 1.0}}


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
        path.read_text(encoding="utf-8")
        for package in ("runs", "export")
        for path in (tests / package).glob("test_*.py")
    )
    assert [name for _, name in named if f"def {name}(" not in defined] == []


def test_counters_within_an_epoch_are_no_metrics(tmp_path: Path) -> None:
    """Where batches number the rows, neither column of theirs measures anything."""
    (tmp_path / "log.csv").write_text("Epoch,Batch,loss\n1,1,0.5\n1,2,0.4\n2,1,0.3\n")
    history = find_run(str(tmp_path / "log.csv"), [])
    assert (list(history.series), history.n_steps) == (["loss"], 3)


def test_a_policy_and_its_critic_do_not_diverge_by_their_sum(tmp_path: Path) -> None:
    """The loss that such a method reports is none that it minimises: that it ends above its beginning says nothing."""
    text = "step,train/loss,train/value_loss,rollout/ep_rew_mean\n1,40,30,10\n2,60,50,20\n"
    (tmp_path / "progress.csv").write_text(text)
    [run] = read(tmp_path).values()
    assert run.warnings == ()


def test_what_lies_beside_runs_bears_its_format(tmp_path: Path) -> None:
    """What another format would read is named as such, and what none would by its name alone."""
    files = {f"csv/version_{at}/metrics.csv": f"epoch,step,loss\n0,1,0.{at}\n" for at in (1, 2)}
    files |= {"keras/training.log": "epoch,loss\n0,1.2\n1,0.9\n", "data/x.bin": ""}
    [note] = read_runs([make(tmp_path / "place", files)]).notes
    assert note == "place: beside its runs lie data, keras (keras: name it with --run): left out"


def test_superscripts_are_no_numbers(tmp_path: Path) -> None:
    """`²` is a digit to Unicode, and no number to anyone."""
    place = make(tmp_path, {"history.json": json.dumps({"²": {"loss": 1.0}}), "s/summary.json": '{"seed": "²"}'})
    assert [(run.metrics, run.training) for run in read_runs([place / "history.json"]).runs] == [
        ({"².loss": 1.0}, None)
    ]
    assert read_summary(place / "s/summary.json").seed is None
