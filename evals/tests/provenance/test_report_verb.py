"""`report` and `tables`: written from the metrics alone, and a check that finds what was edited, lost or outdated."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.export.write import SUMMARY
from exaid_evals.provenance.reported import remake, summary_file
from factories import export_record
from stub_campaigns import change_byte, change_record, copy_of


def check(capsys: pytest.CaptureFixture[str], campaign: Campaign, verb: str = "tables") -> tuple[int, str]:
    """Return status and output of a check."""
    status = run([verb, "--check", "--data-dir", str(campaign.root)])
    return status, capsys.readouterr().out


def contents(campaign: Campaign) -> dict[str, bytes]:
    """Return every table and figure."""
    files = [*campaign.tables.iterdir(), *campaign.figures.iterdir()]
    return {campaign.relative(path): path.read_bytes() for path in files}


@pytest.mark.parametrize("verb", ["tables", "report"])
def test_what_the_metrics_give_passes(capsys: pytest.CaptureFixture[str], pristine: Campaign, verb: str) -> None:
    """Fresh tables and figures pass, whatever their times say, and nothing is written."""
    before = contents(pristine)
    os.utime(pristine.tables / "main.tex", (0, 0))
    status, text = check(capsys, pristine, verb)
    assert (status, text.strip().endswith("are what the metrics give")) == (0, True)
    assert contents(pristine) == before


@pytest.mark.parametrize("name", ["main.tex", "main.csv", "coverage_at_budget.md", "comparisons.tex"])
def test_an_edited_table_is_named_by_its_first_line(
    capsys: pytest.CaptureFixture[str], spoilt: Campaign, name: str
) -> None:
    """File, line, both texts, and the command that mends it."""
    change_byte(spoilt.tables / name, b"V3", b"V9")
    status, text = check(capsys, spoilt)
    assert status == 1
    line = next(line for line in text.splitlines() if name in line)
    assert "differs: line " in line
    assert "V9" in line
    assert "must be" in line
    assert "run `exaid-evals tables`" in text
    assert run(["tables", "--data-dir", str(spoilt.root)]) == 0
    assert check(capsys, spoilt)[0] == 0


def test_missing_and_extra_tables_are_named(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """A table that is gone, and one that no metrics give."""
    (spoilt.tables / "main.md").unlink()
    (spoilt.tables / "by_hand.tex").write_text("x", encoding="utf-8")
    status, text = check(capsys, spoilt)
    assert status == 1
    assert "main.md: missing" in text
    assert "by_hand.tex: extra" in text


def test_tables_of_other_metrics_are_outdated(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """Metrics that were measured anew make the tables old, also where their time is later."""

    def lower_coverage(record: dict[str, Any]) -> None:
        if record["record_type"] == "case_metrics":
            record["measures"]["coverage"] = 0.123456
        else:
            record["measures"]["coverage"] |= dict.fromkeys(("mean", "min", "max", "median"), 0.123456)

    for line in (1, 2, 3):
        change_record(spoilt.metrics_file("V3"), line, lower_coverage)
    (spoilt.state / "compute-metrics.jsonl").unlink()  # else they would be called edited
    status, text = check(capsys, spoilt)
    assert status == 1
    assert "main.tex: differs" in text
    assert "0.123" in text
    assert "the metrics of V3 have changed since they were compared" in text


def test_stale_metrics_fail_the_check(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """Tables that are what the metrics give are still wrong where the metrics are older than the runs."""
    change_record(spoilt.run_file("V1", "case-t00"), 2, lambda record: record.update(t_ms=1))
    status, text = check(capsys, spoilt)
    assert status == 1
    assert "the run logs of V1 have changed since they were measured" in text
    assert "`exaid-evals compute-metrics`" in text


@pytest.mark.slow
def test_an_edited_figure_is_found_by_report_alone(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """`tables` looks at tables; `report` at figures and the data behind them too."""
    change_byte(spoilt.figures / "coverage_vs_budget.csv", b"V3", b"V9")
    assert check(capsys, spoilt)[0] == 0
    status, text = check(capsys, spoilt, "report")
    assert status == 1
    assert "coverage_vs_budget.csv: differs" in text


@pytest.mark.slow
def test_an_edited_page_is_found(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """The page of `view` is held against what was written; `view` mends it, and one that was removed is no fault."""
    page = spoilt.root / "report.html"
    assert run(["view", "--data-dir", str(spoilt.root), "--jobs", "1"]) == 0
    assert check(capsys, spoilt)[0] == 0
    page.write_text(page.read_text(encoding="utf-8").replace("<body", "<body hidden", 1), encoding="utf-8")
    for verb, more in (("tables", ("--check",)), ("verify", ("--as-is", "--against", str(spoilt.root)))):
        assert run([verb, *more, "--data-dir", str(spoilt.root)]) == 1
        assert "report.html: changed since it was written; run `exaid-evals view" in capsys.readouterr().out
    assert run(["view", "--data-dir", str(spoilt.root), "--jobs", "1"]) == 0
    assert check(capsys, spoilt)[0] == 0
    page.unlink()
    assert check(capsys, spoilt)[0] == 0


def test_report_writes_again_what_was_there(spoilt: Campaign) -> None:
    """From the metrics alone the same bytes come again."""
    before = contents(spoilt)
    for path in [*spoilt.tables.iterdir(), *spoilt.figures.iterdir()]:
        path.unlink()
    assert run(["report", "--data-dir", str(spoilt.root)]) == 0
    assert contents(spoilt) == before


@pytest.mark.slow
def test_a_timeline_without_its_run_logs_is_not_called_extra(
    capsys: pytest.CaptureFixture[str], spoilt: Campaign
) -> None:
    """Where runs are not here, what needs them cannot be judged, and that is said."""
    import shutil

    shutil.rmtree(spoilt.runs)
    status = run(["report", "--check", "--data-dir", str(spoilt.root)])
    messages = capsys.readouterr()
    assert status == 0, messages.out
    assert "timeline was not checked" in messages.err


def test_the_papers_copies_are_checked_too(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """A table that was edited in the folder that one submits is named there."""
    assert run(["tables", "--data-dir", str(spoilt.root)]) == 0
    assert run(["paper", "--assemble-only", "--data-dir", str(spoilt.root)]) == 0
    capsys.readouterr()
    assert check(capsys, spoilt)[0] == 0
    change_byte(spoilt.root / "paper" / "table-2-main.tex", b"V3", b"V9")
    status, text = check(capsys, spoilt)
    assert (status, "paper/table-2-main.tex: differs: line " in text) == (1, True)
    assert "run `exaid-evals paper --assemble-only`" in text


def test_no_paper_is_made_of_stale_metrics(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """Where runs were measured that are no longer here, the paper is refused, and the remedy is to measure."""
    change_record(spoilt.run_file("V3", "case-t00"), 2, lambda record: record.update(t_ms=1))
    assert run(["paper", "--assemble-only", "--data-dir", str(spoilt.root)]) == 1
    assert "the metrics are stale" in capsys.readouterr().err


@pytest.mark.slow
def test_the_export_is_checked_too(capsys: pytest.CaptureFixture[str], of_seeds: Campaign, tmp_path: Path) -> None:
    """An edited .tex of the export, or of its copy in the paper, is named with the command that makes it anew."""
    assert check(capsys, of_seeds)[0] == 0
    spoilt = copy_of(of_seeds, tmp_path / "spoilt")
    change_byte(spoilt.exports / "over_seeds.tex", b"V3", b"V9")
    change_byte(spoilt.root / "paper" / "table-5-over-seeds.tex", b"V3", b"V9")
    (spoilt.exports / "aggregated_metrics.tex").unlink()
    status, text = check(capsys, spoilt)
    assert status == 1
    assert "exports/over_seeds.tex: differs: line " in text
    assert "exports/aggregated_metrics.tex: missing" in text
    assert "paper/table-5-over-seeds.tex: differs: line " in text
    seeds = " ".join(f"--run {spoilt.of_seeds / name}" for name in ("seed-1", "seed-2"))
    assert f"export {seeds}" in text
    assert "paper --assemble-only" in text


@pytest.mark.slow
def test_an_export_of_other_runs_is_left_out_by_name(
    capsys: pytest.CaptureFixture[str], of_seeds: Campaign, tmp_path: Path
) -> None:
    """What cannot be made again from this campaign is said not to have been checked."""
    spoilt = copy_of(of_seeds, tmp_path / "spoilt")
    shutil.rmtree(spoilt.of_seeds)
    assert run(["tables", "--check", "--data-dir", str(spoilt.root)]) == 0
    assert "over_seeds was not checked: it is of runs that do not lie in this campaign" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"primary_metric": ["x"]}, {"runs": [{"run": ".."}]}], ids=str)
def test_a_summary_that_is_none_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    """By its file, and no name leads out of the campaign."""
    campaign = Campaign(tmp_path)
    write_jsonl(summary_file(campaign), [export_record() | change])
    with pytest.raises(DataError, match=SUMMARY):
        remake(campaign)
