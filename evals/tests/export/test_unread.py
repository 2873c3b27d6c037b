"""A column that no run fills, although a file holds a number of a like name, is a warning in every format."""

from __future__ import annotations

import json
from pathlib import Path

from exaid_evals.export.unread import unread_columns
from exaid_evals.runs.base import Run, Settings, Source


def test_an_empty_column_names_the_key_that_may_be_it(tmp_path: Path) -> None:
    """Any format that says its inputs: the like key is named, one whose number was read, or is not a number, is not."""
    path = tmp_path / "results.json"
    content = {"averages": {"eval_duration": 12.5, "load_duration": 3.5}, "accuracy": 0.5, "names": "eval_duration_x"}
    path.write_text(json.dumps(content), encoding="utf-8")
    metrics = {"accuracy": 0.5, "eval_duration_mean": None, "load_duration_mean": None, "f1": None}
    runs = [Run(name, "lm_eval", metrics, attributes={"load": 3.5}) for name in ("a", "b")]
    [line] = unread_columns(runs, {"a": Source(path), "b": Source(path)}, Settings())
    assert line.startswith("eval_duration_mean is empty in all 2 runs (lm_eval), and results.json holds averages.")
    assert unread_columns([*runs, Run("c", "lm_eval", {**metrics, "eval_duration_mean": 1.0})], {}, Settings()) == []


def test_what_a_run_ends_in_is_no_number_that_was_not_read(tmp_path: Path) -> None:
    """A loss that is NaN at its end was read, and has no value: it is not looked for under its own name."""
    path = tmp_path / "results.csv"
    path.write_text("epoch,val_loss,val_loss_ema\n1,0.5,0.6\n2,nan,nan\n", encoding="utf-8")
    runs = [Run("a", "csv", {"val_loss": None, "mAP": 0.5})]
    assert unread_columns(runs, {"a": Source(path)}, Settings()) == []
    path.write_text("epoch,val_loss,val_loss_ema\n1,0.5,0.6\n2,nan,0.7\n", encoding="utf-8")
    [line] = unread_columns(runs, {"a": Source(path)}, Settings())
    assert "results.csv holds val_loss_ema" in line
