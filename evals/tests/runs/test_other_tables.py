"""Tables of results that others write: what is no history is none, and what names the runs is found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from exaid_evals.cli.main import run
from exaid_evals.errors import DataError
from exaid_evals.export.reading import read_runs
from exaid_evals.export.stage import consolidate
from exaid_evals.runs.files.delimited import number
from exaid_evals.runs.registry import find_run


def read(folder: Path, text: str, name: str = "table.csv") -> dict[str, dict[str, object]]:
    """Return run → metrics, and its seed and fold, of a file of a text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    found = {}
    for one in read_runs([path]).runs:
        values = {key: round(value, 6) for key, value in one.metrics.items() if value is not None}
        found[one.name] = values | {key: at for key, at in (("seed", one.seed), ("fold", one.fold)) if at is not None}
    return found


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Modell;Seed;Genauigkeit\nA;1;0,85\nA;2;0,86\nB;1;0,81\n", "'Modell'"),
        ("metric,A,B\naccuracy,0.9,0.7\nf1,0.8,0.6\n", "'metric'"),
        ("question,answer,faithfulness\nq1,a,1\nq2,b,0.5\n", "'question'"),
        (",val,val\n,acc,loss\nA,0.8,0.5\nB,0.8,0.4\n", "first column"),
        (",precision,recall\n0,0.9,0.8\n1,0.8,0.7\nmacro avg,0.8,0.7\nweighted avg,0.8,0.7\n", "first column"),
    ],
    ids=["model", "transposed", "items", "two levels", "classes"],
)
def test_a_table_with_named_rows_is_no_history(tmp_path: Path, text: str, named: str) -> None:
    """Its last row is not what a training ended with; the message says what the rows are."""
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="where no column counts steps") as reported:
        find_run(str(path), [])
    assert named in str(reported.value)


def test_what_a_training_logs_in_words_names_no_rows(tmp_path: Path) -> None:
    """A phase, a time of day and a mark of the best are logged at steps that nobody counts."""
    path = tmp_path / "table.csv"
    path.write_text("loss,phase,at,is_best\n1,warm,10:00:01,*\n0.8,warm,10:00:05,\n0.5,main,10:00:09,*\n", "utf-8")
    assert find_run(str(path), []).series["loss"].clean.values.tolist() == [1.0, 0.8, 0.5]


def test_a_value_with_its_spread_is_that_value(tmp_path: Path) -> None:
    """`85.2 ± 0.3 %` is 0.852, and no setting."""
    assert read(tmp_path, "model,accuracy,f1\nA,0.85 ± 0.02,83.1 ± 0.3 %\nB,0.81 +/- 0.03,n/a\n") == {
        "table.csv/A": {"accuracy": 0.85, "f1": 0.831},
        "table.csv/B": {"accuracy": 0.81},
    }


def test_rows_that_differ_in_seed_fold_or_resample_alone_are_runs(tmp_path: Path) -> None:
    """A table without names has a run a seed or fold, however that is written."""
    assert read(tmp_path, "seed,accuracy\n1,0.8\n2,0.82\n") == {
        "table.csv/seed1": {"accuracy": 0.8, "seed": 1},
        "table.csv/seed2": {"accuracy": 0.82, "seed": 2},
    }
    assert read(tmp_path, '"","Accuracy","Resample"\n"1",0.91,"Fold1"\n"2",0.93,"Fold2"\n') == {
        "table.csv/Fold1": {"Accuracy": 0.91, "fold": 1},
        "table.csv/Fold2": {"Accuracy": 0.93, "fold": 2},
    }


def test_a_row_a_metric_is_a_run_a_model(tmp_path: Path) -> None:
    """Rows of one model with a metric and its value are one run, distinguished by seed."""
    rows = "A,1,accuracy,0.9\nA,1,f1,0.8\nA,2,accuracy,0.7\nA,2,f1,0.6\n"
    assert read(tmp_path, "model,seed,metric,value\n" + rows) == {
        "table.csv/A-seed1": {"accuracy": 0.9, "f1": 0.8, "seed": 1},
        "table.csv/A-seed2": {"accuracy": 0.7, "f1": 0.6, "seed": 2},
    }


def test_numbers_of_things_are_no_metrics(tmp_path: Path) -> None:
    """The number of an event or a run is none of a run's results."""
    lines = [f'{{"event_id": {at}, "run_id": 2304, "accuracy": 0.5}}' for at in range(3)]
    assert read(tmp_path, "\n".join(lines), "log.jsonl") == {"log.jsonl": {"accuracy": 0.5}}


def test_files_of_one_name_get_reports_of_their_own(tmp_path: Path) -> None:
    """What many runs call their file names none of them: the folder does."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.csv").write_text(
            "step,loss\n" + "".join(f"{at},{1 / (at + 1)}\n" for at in range(9))
        )
        assert run(["analyze", str(tmp_path / name / "results.csv"), "--output-dir", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b"]


def test_a_spread_is_left_out_of_tables_alone(tmp_path: Path) -> None:
    """A table's warning counts the cells; a probability with a spread is none, and the file is named."""
    path = tmp_path / "table.csv"
    path.write_text("model,accuracy,f1\nA,85.2 % ± 0.3 %,0.8\nB,0.81,adam ± 3\n", encoding="utf-8")
    found = read_runs([path])
    assert [one.metrics["accuracy"] for one in found.runs] == pytest.approx([0.852, 0.81])
    assert any("1 cells hold a value and its spread" in line for one in found.runs for line in one.warnings)
    with pytest.raises(ValueError, match="is not a number"):
        number("0.0028±0.4")


def test_final_results_beside_a_history_are_the_runs(tmp_path: Path) -> None:
    """What was not logged is added, what was logged otherwise is reported and not taken, and settings are none."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.csv").write_text("epoch,val_loss,val_acc\n1,0.5,0.7\n2,0.4,0.8\n")
    results = {"test": {"accuracy": 0.75}, "val_acc": 0.9, "val_loss": 0.4, "config": {"lr": 0.1}, "n_test": 100}
    (folder / "results.json").write_text(json.dumps(results))
    [run] = read_runs([folder]).runs
    assert dict(run.metrics) == {"val_loss": 0.4, "val_acc": 0.8, "test.accuracy": 0.75}
    [warning] = run.warnings
    assert "results.json has val_acc 0.9, and the history ends with 0.8, which stands" in warning


def test_results_beside_several_histories_are_nobodys(tmp_path: Path) -> None:
    """Two files in one folder are two runs, of which none is said to be the one of the results."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("epoch,val_acc\n1,0.7\n2,0.8\n")
    (tmp_path / "results.json").write_text('{"test_accuracy": 0.75}')
    assert all("test_accuracy" not in run.metrics for run in read_runs([tmp_path / "a.csv", tmp_path / "b.csv"]).runs)


def test_digits_with_underscores_are_a_name(tmp_path: Path) -> None:
    """Python reads 1_000 as a number; a table's `52497_00001` is an id."""
    place = tmp_path / "m.csv"
    place.write_text("epoch,loss,id\n1,0.5,52497_00001\n2,0.4,52497_00002\n")
    assert "id" not in find_run(str(place), [tmp_path]).series


@pytest.mark.parametrize("cell", ["1" + "±1" * 3000, "1" + "%" * 3000, "1" + "±" * 3000, "1 %%"])
def test_a_cell_of_many_signs_is_text(tmp_path: Path, cell: str) -> None:
    """A cell has one spread and one per cent sign, and reading it takes no deeper calls for more."""
    path = tmp_path / "table.csv"
    path.write_text(f"step,loss,odd\n1,0.5,{cell}\n2,0.4,{cell}\n", encoding="utf-8")
    history = find_run(str(path), [])
    assert list(history.series) == ["loss"]
    assert any(line.startswith("odd: no value is a number") for line in history.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "loss,speed\n0.5,120 img\n0.4,121 img\n",
        ",loss,speed\n0,0.5,120 img\n1,0.4,121 img\n",
        "clock,loss\nJan 1,0.5\nJan 2,0.4\n",
        "lr_name,loss\nadam a,0.5\nadam b,0.4\n",
    ],
)
def test_texts_that_a_training_logs_name_no_rows(tmp_path: Path, text: str) -> None:
    """Texts in any later column, dates, and what a schedule is called do not make a table of results."""
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    history = find_run(str(path), [])
    assert history.series["loss"].clean.values.tolist() == [0.5, 0.4]
    assert any("no value is a number; it is left out" in line for line in history.warnings)


@pytest.mark.parametrize("text", ["model,tp,fp\nA,9,1\nB,8,2\n", "tp,fp,model\n9,1,A\n8,2,B\n"])
def test_named_rows_without_a_known_metric_are_said_to_be_so(tmp_path: Path, text: str) -> None:
    """A column that is called `model` already is not asked to be."""
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="'model', and its other columns name no metric") as reported:
        find_run(str(path), [])
    assert "call that column `run`," in str(reported.value)


def test_the_folds_of_two_models_are_two_cross_validations(tmp_path: Path) -> None:
    """Nobody's cross-validation has the folds of two models, in one table as in two folders."""
    path = tmp_path / "table.csv"
    path.write_text("model,fold,accuracy\na,0,0.9\na,1,0.9\nb,0,0.1\nb,1,0.1\n", encoding="utf-8")
    folds = consolidate(read_runs([path]).runs).folds
    found = {one.name.removeprefix(f"{tmp_path.name} "): one.aggregated["accuracy"] for one in folds}
    assert {name: (one.mean, one.n) for name, one in found.items()} == {"a": (0.9, 2), "b": (0.1, 2)}


TABLE = [
    {"model": model, "seed": seed, "accuracy": value}
    for model, seed, value in (("bert", 1, 0.812), ("bert", 2, 0.834), ("lstm", 1, 0.701), ("lstm", 2, 0.689))
]


@pytest.mark.parametrize("name", ["table.csv", "table.json", "columns.json", "table.jsonl", "table.parquet"])
def test_a_table_of_models_is_a_run_a_row_in_every_form(tmp_path: Path, name: str) -> None:
    """No form of a file makes its last row the result."""
    path = tmp_path / name
    write(path, TABLE)
    found = {run.name.removeprefix(f"{name}/"): (run.seed, run.metrics) for run in read_runs([path]).runs}
    assert found == {f"{row['model']}-seed{row['seed']}": (row["seed"], {"accuracy": row["accuracy"]}) for row in TABLE}


@pytest.mark.parametrize("name", ["table.json", "table.jsonl", "table.parquet"])
def test_rows_under_an_unknown_name_are_no_history_in_any_form(tmp_path: Path, name: str) -> None:
    """As of a CSV, the message says what the rows are and what to do; rows of several kinds are still a log."""
    write(tmp_path / name, [{"Modell": row["model"], "accuracy": row["accuracy"]} for row in TABLE])
    with pytest.raises(DataError, match="a row for each 'Modell', where no column counts steps"):
        find_run(str(tmp_path / name), [])
    log = tmp_path / "log.jsonl"
    log.write_text('{"kind": "train", "loss": 0.5}\n{"kind": "val", "val_loss": 0.6}\n', "utf-8")
    assert find_run(str(log), []).series["loss"].clean.values.tolist() == [0.5]


def write(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows in the form that a name says; `columns` as a list for each name."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(columns), path)
        return
    lines = [json.dumps(row) for row in rows]
    texts = {
        ".csv": "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]),
        ".json": json.dumps(dict(reversed(columns.items())) if path.stem == "columns" else rows),
        ".jsonl": "\n".join(lines),
    }
    path.write_text(texts[path.suffix] + "\n", encoding="utf-8")


GERMAN = "model;seed;perplexity;accuracy\na;1;1.234;{}\na;2;987;0,8\nb;1;1.100;0,7\nb;2;{};0,69\n"


@pytest.mark.parametrize(("last", "warned"), [("1.050,5", False), ("1050", True)])
def test_points_part_thousands_where_the_file_writes_decimal_commas(tmp_path: Path, last: str, warned: bool) -> None:
    """One column has one scale; where nothing in the column itself says so, a warning does."""
    path = tmp_path / "table.csv"
    path.write_text(GERMAN.format("0,812", last), "utf-8")
    runs = read_runs([path]).runs
    assert [run.metrics["perplexity"] for run in runs][:3] == [1234, 987, 1100]
    assert (
        any("perplexity: 1.234 is read as thousands (2 cells)" in one for run in runs for one in run.warnings) == warned
    )


def test_points_stay_decimal_ones_where_they_must_be(tmp_path: Path) -> None:
    """Beside `0.85` the point of `1.234` is a decimal one; without a decimal comma in the file it always is."""
    path = tmp_path / "table.csv"
    path.write_text("model;perplexity;accuracy\na;1.234;0,8\nb;0.85;0,7\n", "utf-8")
    runs = read_runs([path]).runs
    assert [run.metrics["perplexity"] for run in runs] == [1.234, 0.85]
    assert "perplexity: 1.234 is read with a decimal point" in str(runs[0].warnings)
    path.write_text("model;perplexity;accuracy\na;1.234;0.8\nb;1.100;0.7\n", "utf-8")
    assert [(run.metrics["perplexity"], run.warnings) for run in read_runs([path]).runs] == [(1.234, ()), (1.1, ())]


def test_a_word_in_the_column_of_a_metric_is_a_missing_value(tmp_path: Path) -> None:
    """Percents are read, `k.A.` is left out with a warning, and the metric is no setting."""
    path = tmp_path / "table.csv"
    path.write_text(GERMAN.format("87,5 %", "k.A."), "utf-8")
    runs = read_runs([path]).runs
    assert [run.metrics.get("accuracy") for run in runs] == [0.875, 0.8, 0.7, 0.69]
    assert [run.metrics.get("perplexity") for run in runs] == [1234, 987, 1100, None]
    assert {key for run in runs for key in run.config} <= {"model", "seed"}
    path.write_text("model;Treffer;accuracy\na;k.A.;0,8\nb;12;0,7\nc;13;0,7\n", "utf-8")
    assert [run.metrics.get("Treffer") for run in read_runs([path]).runs] == [None, 12, 13]
    assert "perplexity: cells that are not numbers are left out (1: 'k.A.')" in str(runs[0].warnings)


def test_the_page_names_every_file_of_settings_in_the_order_in_which_they_are_asked() -> None:
    """What lies beside a history under another name is not read, and the page says so."""
    from exaid_evals.runs.history_files import _CONFIGS

    page = (Path(__file__).parents[3] / "docs" / "export.md").read_text("utf-8")
    [paragraph] = [text for text in page.split("\n\n") if text.startswith("A file of settings is the first of")]
    assert re.findall(r"`([^`]+)`", paragraph)[: len(_CONFIGS)] == list(_CONFIGS)


def test_a_file_of_settings_is_read_by_its_name_alone(tmp_path: Path) -> None:
    """`ok_1.json` beside `ok_1.csv` may be anything; `config.json` is that run's settings."""
    path = tmp_path / "ok_1.csv"
    path.write_text("epoch,loss\n1,0.5\n2,0.4\n", "utf-8")
    (tmp_path / "ok_1.json").write_text('{"lr": 0.1}', "utf-8")
    assert read_runs([path]).runs[0].config == {}
    (tmp_path / "config.json").write_text('{"lr": 0.2}', "utf-8")
    assert read_runs([path]).runs[0].config == {"lr": 0.2}


def test_places_in_an_order_are_no_metrics(tmp_path: Path) -> None:
    """A leaderboard's `fit_order` and `stack_level`, as AutoGluon writes them, are not what models are measured by."""
    path = tmp_path / "leaderboard.csv"
    path.write_text("model,score_test,fit_order,stack_level\na,0.8,4,1\nb,0.9,12,2\n", "utf-8")
    runs = read_runs([path]).runs
    assert [set(run.metrics) for run in runs] == [{"score_test"}, {"score_test"}]
