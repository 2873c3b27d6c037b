"""Experiment trackers together: which reader claims what, and all of them in one export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exaid_evals.cli.main import run as cli
from exaid_evals.runs.base import Settings
from exaid_evals.runs.registry import format_of
from export.trackers import FORMATS, GOLD


@pytest.mark.parametrize("name", FORMATS)
def test_the_registry_finds_the_reader_by_looking(name: str) -> None:
    """Each golden folder is claimed by its reader, and by no other before it."""
    assert format_of(GOLD / FORMATS[name][1]).name == name


@pytest.mark.parametrize("name", FORMATS)
def test_a_plain_folder_is_claimed_by_none(name: str, tmp_path: Path) -> None:
    """Neither an empty folder, a folder of other JSON files, nor one that cannot be listed is anybody's."""
    reader = FORMATS[name][0](Settings())
    (tmp_path / "results.json").write_text('{"results": [1]}', encoding="utf-8")
    (tmp_path / "log.json").write_text('{"status": "success"}', encoding="utf-8")
    (tmp_path / "run.eval").write_text("no archive", encoding="utf-8")
    (tmp_path / "mlflow.db").write_text("no database", encoding="utf-8")
    assert not reader.claims(tmp_path)
    assert not reader.claims(tmp_path / "missing")


def test_inputs_are_files_that_exist_or_may() -> None:
    """What an export remembers a run by are files, whose digests it takes."""
    for reader_type, place in FORMATS.values():
        reader = reader_type(Settings())
        for source in reader.sources(GOLD / place):
            inputs = reader.inputs(source)
            assert inputs
            assert not any(path.is_dir() for path in inputs)
            assert any(path.is_file() for path in inputs)


def test_all_formats_in_one_export(tmp_path: Path) -> None:
    """The verb takes runs of all these tools at once, remembers them, and gives the same bytes again."""
    places = [place for _, place in FORMATS.values()]
    runs = [argument for place in places for argument in ("--run", str(GOLD / place))]
    assert cli(["export", *runs, "--out", str(tmp_path / "out")]) == 0
    first = (tmp_path / "out" / "exported_summary.json").read_bytes()
    formats = sorted(run["format"] for run in json.loads(first)["runs"])
    assert formats == ["inspect_ai", "lm_eval", *["mlflow"] * 5, *["wandb"] * 2]
    assert cli(["export", *runs, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "exported_summary.json").read_bytes() == first
