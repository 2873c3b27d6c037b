"""Finished runs as DataFrames."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import exaid_evals as ee
from exaid_evals.api.campaign import FRAMES as CAMPAIGNS_FRAMES
from exaid_evals.cli.main import run
from exaid_evals.errors import DataError
from stub_campaigns import shared_campaign

GOLD = Path(__file__).resolve().parents[1] / "gold" / "export"


def history(folder: Path, *losses: float) -> None:
    """Write a run of JSON Lines."""
    folder.mkdir(parents=True)
    lines = (json.dumps({"step": step, "val_loss": loss}) for step, loss in enumerate(losses))
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_runs_of_a_pattern(tmp_path: Path) -> None:
    """Each run once, named by its folder, with what it ended at and what it logged on the way."""
    history(tmp_path / "RUNS" / "a", 3.0, 2.0, 1.0)
    history(tmp_path / "RUNS" / "b", 3.0, 2.5)
    runs = ee.read_runs(tmp_path / "RUNS" / "**")
    assert len(runs) == 2
    summaries = runs.summaries()
    assert list(summaries.val_loss) == [1.0, 2.5]
    assert [name.split("/")[-1] for name in summaries.index] == ["a", "b"]
    histories = runs.histories()
    assert list(histories[histories.name == summaries.index[0]].value) == [3.0, 2.0, 1.0]


def test_a_campaign_has_cases() -> None:
    """The measures of each case, per variant."""
    runs = ee.read_runs(shared_campaign().root)
    assert {"V0", "V3"} <= set(runs.cases().variant_id)
    assert list(runs.summaries().format) == ["campaign"]


def test_predictions_are_those_of_each_item(tmp_path: Path) -> None:
    """Of a table the ids, both labels and scores of classes; without ids the places; a damaged score is an error."""
    table = tmp_path / "run" / "val_predictions.csv"
    (table.parent / "metrics").mkdir(parents=True)
    for name, content in (("val_metrics", '{"accuracy": 0.5}'), ("evaluation", "{}")):
        (table.parent / "metrics" / f"{name}.json").write_text(content, encoding="utf-8")
    table.write_text("image_id,site,y_true,y_pred,prob_cat,prob_dog\n7,A,cat,dog,0.2,0.8\n8,B,dog,dog,,0.9\n")
    frame = ee.read_runs(table.parent).predictions()
    assert list(frame) == ["name", "file", "item", "true", "predicted", "site", "prob_cat", "prob_dog"]
    assert frame.iloc[:, 2:6].to_numpy().tolist() == [["7", "cat", "dog", "A"], ["8", "dog", "dog", "B"]]
    assert frame.prob_cat.isna().tolist() == [False, True]
    assert frame.prob_dog.tolist() == [0.8, 0.9]
    table.write_text("image_id,name,file,y_true,y_pred\n7,Ann,a.png,1,1\n")
    own = ee.read_runs(table.parent).predictions()
    assert own[["name", "name_in_file", "file_in_file"]].to_numpy().tolist() == [["run", "Ann", "a.png"]]
    table.write_text("y_true,y_pred\n1,1\n0,1\n")
    assert ee.read_runs(table.parent).predictions().item.tolist() == ["1", "2"]
    table.write_text("y_true,y_pred,prob_1\n1,1,high\n")
    with pytest.raises(DataError, match=r"val_predictions\.csv, column prob_1"):
        ee.read_runs(table.parent).predictions()


def test_predictions_of_logs(tmp_path: Path) -> None:
    """An inspect-ai archive's samples; lm-eval's samples go with the results of the same moment, and no other's."""
    [log] = (GOLD / "inspect" / "archive").iterdir()
    answered = ee.read_runs(log).predictions()
    assert len(answered) == len(set(zip(answered.item, answered.epoch, strict=True))) > 1
    assert (answered.true != "").all()
    history(tmp_path / "a", 1.0)
    assert ee.read_runs(tmp_path / "a").predictions().empty
    [results] = (GOLD / "lm_eval" / "dummy").iterdir()
    folder = tmp_path / "lm"
    folder.mkdir()
    copied = folder / results.name
    copied.write_bytes(results.read_bytes())
    stamp = results.stem.removeprefix("results_")
    for at, answer in ((stamp, "4"), ("2020-01-01T00-00-00.000000", "5")):
        sample = {"doc_id": 0, "doc": {"q": "2+2"}, "target": "4", "resps": [[answer]], "filtered_resps": [answer]}
        sample |= {"acc": 1.0, "arguments": [["2+2", ""]], "metrics": ["acc"], "filter": "none"}
        (folder / f"samples_sums_{at}.jsonl").write_text(json.dumps(sample) + "\n", encoding="utf-8")
    frame = ee.read_runs(copied).predictions()
    assert frame[["item", "true", "predicted", "acc"]].to_numpy().tolist() == [["0", "4", "4", 1.0]]


def exported(*arguments: str) -> None:
    """Run `export --parquet` in this process."""
    assert run(["export", "--parquet", "--log-level", "error", *arguments]) == 0


def test_runs_as_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The verb writes what the runs hold; what an earlier export had goes, and what is the user's stays."""
    for name, rate in (("a", 0.5), ("b", "auto")):
        history(tmp_path / name, 2.0, 1.0)
        (tmp_path / name / "config.json").write_text(json.dumps({"rate": rate, "layers": [1, 2]}))
    out = tmp_path / "out"
    exported("--runs", str(tmp_path / "[ab]"), "--out", str(out))
    assert "b" in capsys.readouterr().out
    frames = {path.stem: pd.read_parquet(path) for path in (out / "parquet").iterdir()}
    assert set(frames) == {"summaries", "configs", "histories"}
    assert frames["summaries"].val_loss.tolist() == [1.0, 1.0]
    assert frames["configs"][["rate", "layers"]].to_numpy().tolist() == [["0.5", "[1,2]"], ['"auto"', "[1,2]"]]
    assert frames["histories"].value.tolist() == [2.0, 1.0, 2.0, 1.0]
    (out / "parquet" / "mine.parquet").write_bytes(b"somebody's own")
    exported("--run", str(shared_campaign().root), "--out", str(out))
    assert {path.stem for path in (out / "parquet").iterdir()} == {*CAMPAIGNS_FRAMES, "mine"}


@pytest.mark.docs
def test_duckdb_and_polars_read_it(tmp_path: Path) -> None:
    """Both count the rows that pandas has, and DuckDB finds a mean coverage that is the table's."""
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    opened = ee.open_campaign(shared_campaign().root)
    exported("--run", str(opened.folder), "--out", str(tmp_path))
    for path in (tmp_path / "parquet").iterdir():
        n = len(getattr(opened, path.stem)())
        assert duckdb.read_parquet(str(path)).count("*").fetchall() == [(n,)]
        assert polars.read_parquet(path).height == n
    measures = duckdb.read_parquet(str(tmp_path / "parquet" / "measures.parquet"))
    [(mean,)] = measures.filter("measure = 'coverage' AND variant_id = 'V3'").aggregate("avg(value)").fetchall()
    assert mean == pytest.approx(opened.estimates("V3").set_index("measure")["mean"]["coverage"], abs=1e-6)


def test_a_place_without_runs_is_named(tmp_path: Path) -> None:
    """A pattern that finds nothing, and a folder of no known format."""
    with pytest.raises(DataError, match="no finished run here"):
        ee.read_runs(tmp_path / "*")
    (tmp_path / "x").mkdir()
    with pytest.raises(DataError):
        ee.read_runs(tmp_path / "x")


def test_every_frame_names_its_runs(tmp_path: Path) -> None:
    """By `name`, in Parquet too, and a metric or setting of the name of another column does not take its place."""
    run_folder = tmp_path / "RUNS" / "a"
    history(run_folder, 2.0, 1.0)
    [one] = (runs := ee.read_runs(run_folder)).runs
    runs.runs[:] = [replace(one, metrics={"group": 9.0, "val_loss": 1.0}, config={"name": "x", "lr": 0.1})]
    summary = runs.summaries().iloc[0]
    assert (summary["group"], summary["group_metric"]) == (one.group, 9.0)
    runs.to_parquet(tmp_path / "out")
    configs = pd.read_parquet(tmp_path / "out" / "configs.parquet")
    assert configs.to_dict("records") == [{"name": one.name, "name_in_config": "x", "lr": 0.1}]
