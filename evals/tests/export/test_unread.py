"""A column that no run fills, although a file holds a number of a like name, is a warning in every format."""

from __future__ import annotations

import json
from pathlib import Path

from exaid_evals.export.unread import unread_columns
from exaid_evals.runs.base import Run, Settings, Source


def test_an_empty_column_names_the_key_that_may_be_it(tmp_path: Path) -> None:
    """Any format that says its inputs: the like key is named, one whose number was read, or is no number, is not."""
    path = tmp_path / "results.json"
    content = {"averages": {"eval_duration": 12.5, "load_duration": 3.5}, "accuracy": 0.5, "names": "eval_duration_x"}
    path.write_text(json.dumps(content), encoding="utf-8")
    metrics = {"accuracy": 0.5, "eval_duration_mean": None, "load_duration_mean": None, "f1": None}
    runs = [Run(name, "lm_eval", metrics, attributes={"load": 3.5}) for name in ("a", "b")]
    [line] = unread_columns(runs, {"a": Source(path), "b": Source(path)}, Settings())
    assert line.startswith("eval_duration_mean is empty in all 2 runs (lm_eval), and results.json holds averages.")
    assert unread_columns([*runs, Run("c", "lm_eval", {**metrics, "eval_duration_mean": 1.0})], {}, Settings()) == []
