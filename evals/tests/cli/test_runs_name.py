"""Several runs of the same variants over one set of traces, beside each other."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign, configs_dir
from stub_campaigns import copy_of, shared_campaign


@pytest.mark.slow
def test_runs_under_a_name_are_compared_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first runs stay as they are; the others stand beside them in every table, with their model in a note."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    before = campaign.run_file("V3", campaign_case(campaign)).read_bytes()
    configs = tmp_path / "configs"
    configs.mkdir()
    for name in ("metrics.yaml", "stop_entities.txt", "summarizer.yaml"):
        (configs / name).write_bytes((configs_dir() / name).read_bytes())
    other = (configs / "summarizer.yaml").read_text(encoding="utf-8").replace("stub-extractive-1", "stub-other-2")
    (configs / "summarizer.yaml").write_text(other, encoding="utf-8")
    place = ["--data-dir", str(campaign.root)]
    variants = ["--config-dir", str(configs), "--variants-dir", str(configs_dir() / "variants")]
    assert run(["run-variants", "V3", "--runs-name", "other", *place, *variants]) == 0
    assert run(["compute-metrics", *place]) == 0
    reported = "Language models: stub/stub-extractive-1 (V0, V1, V2, V3, V4); stub/stub-other-2 (V3-other)."
    assert reported in capsys.readouterr().out
    assert campaign.run_file("V3", campaign_case(campaign)).read_bytes() == before
    rows = csv.DictReader((campaign.tables / "main.csv").read_text(encoding="utf-8").splitlines())
    assert {"V3", "V3-other"} <= {row["variant"] for row in rows}
    compared = {record["variant_id"] for record in read_jsonl(campaign.comparisons_file)}
    assert "V3-other" in compared
    assert run(["validate", *place]) == 0


def campaign_case(campaign: Campaign) -> str:
    """Return the first case that V3 was run on."""
    return sorted(path.name.removesuffix(".jsonl.gz") for path in (campaign.runs / "V3").iterdir())[0]


@pytest.mark.parametrize("name", ["", "a b", "../up", "x" * 21])
def test_a_name_that_no_folder_can_have_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is read."""
    assert run(["run-variants", "--runs-name", name]) == 2
    assert "write 1 to 20 letters" in capsys.readouterr().err
