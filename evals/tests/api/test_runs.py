"""Finished runs as DataFrames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import exaid_evals as ee
from exaid_evals.errors import DataError
from stub_campaigns import shared_campaign


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


def test_a_place_without_runs_is_named(tmp_path: Path) -> None:
    """A pattern that finds nothing, and a folder of no known format."""
    with pytest.raises(DataError, match="no finished run here"):
        ee.read_runs(tmp_path / "*")
    (tmp_path / "x").mkdir()
    with pytest.raises(DataError):
        ee.read_runs(tmp_path / "x")
