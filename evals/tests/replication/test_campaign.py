"""A publication becomes a campaign on which every stage works, with its times as recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from publications import publish

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.cli.main import run as exaid_evals
from exaid_evals.config.campaign import Campaign
from exaid_evals.replay.run_log import read_run
from exaid_evals.replication.published import POLICIES
from exaid_evals.traces.model import read_trace

EXAIM = Path(__file__).resolve().parents[4] / "shared" / "external" / "exaim"


@pytest.fixture
def imported(tmp_path: Path) -> Campaign:
    """Return the hand-made publication as a campaign."""
    publish(tmp_path / "published")
    campaign = Campaign(tmp_path / "data")
    assert exaid_evals(["import-campaign", str(tmp_path / "published"), "--data-dir", str(campaign.root)]) == 0
    return campaign


def test_deltas_become_the_stream(imported: Campaign) -> None:
    """Each turn is a message with its deltas' times, a late delta included; nothing is shifted or invented."""
    trace = read_trace(imported.trace_file("case-1"))
    first, second = trace.messages
    assert (first.agent_id, first.content, first.stream) == ("unknown", "Seizure and", ((0, 3), (40, 4), (80, 4)))
    assert (second.agent_id, second.content, second.stream) == ("doctor0", " ataxia.", ((90, 4), (2000, 4)))
    assert first.upstream == {"turn_id": 1, "start_t_rel_ms": -500, "end_t_rel_ms": 70}
    assert trace.time_basis == "recorded"
    assert trace.epoch == "2025-12-24T22:23:20.000Z"


def test_variants_go_by_their_policy(imported: Campaign) -> None:
    """Upstream's V0 is full_exaid here; its ids, windows and texts are kept, a failed summary without fields."""
    log = read_run(imported.run_file("full_exaid", "case-1"))
    assert log.meta["imported"]
    assert log.meta["config"]["upstream"]["variant_id"] == "V0"
    assert [flush.reason for flush in log.flushes] == ["boundary_cue", "silence", "end_of_trace"]
    first = log.flushes[0]
    assert (first.start_seq, first.start_char, first.end_seq, first.end_char) == (0, 0, 0, 7)
    assert [flush.t_ms for flush in log.flushes] == [2000, 1000, 5500]
    assert [one.event_id for one in log.summaries][:2] == ["case-1-full_exaid-se-000", "case-1-full_exaid-se-001"]
    assert log.decisions[0].decision == "hold"


@pytest.mark.slow
def test_every_stage_works_on_it(imported: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """It validates, is measured by its recorded time, and other variants replay over the same conversations."""
    data = ["--data-dir", os.fspath(imported.root)]
    assert exaid_evals(["validate", *data]) == 0
    assert exaid_evals(["run-variants", "V0", "--stub", *data]) == 0
    variants = ["full_exaid", "no_buffer"]
    assert exaid_evals(["compute-metrics", *variants, "--against", "full_exaid", "-j1", *data]) == 0
    assert "time:recorded" in capsys.readouterr().out


def test_a_campaign_is_never_written_over(imported: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """A second import into the same folder is refused."""
    published = imported.root.parent / "published"
    assert exaid_evals(["import-campaign", str(published), "--data-dir", str(imported.root)]) == 1
    assert "traces are frozen here" in capsys.readouterr().err


@pytest.mark.skipif(not EXAIM.is_dir(), reason="the published evaluation is not here (../shared/external/exaim)")
@pytest.mark.slow
def test_over_recorded_runs_coverage_never_falls_when_reading_goes_on(tmp_path: Path) -> None:
    """Of two published cases under five policies no budget covers more than the whole, and larger ones no less."""
    some = sorted(path.name for path in (EXAIM / "traces").iterdir())[:2]
    for folder in ("traces", *(f"runs/V{n}" for n in range(5))):
        (tmp_path / "published" / folder).mkdir(parents=True)
        for name in some:
            (tmp_path / "published" / folder / name).symlink_to(EXAIM / folder / name)
    data = ["--data-dir", os.fspath(tmp_path / "data")]
    assert exaid_evals(["import-campaign", os.fspath(tmp_path / "published"), *data]) == 0
    assert exaid_evals(["compute-metrics", *POLICIES, "--against", "full_exaid", "-j1", *data]) == 0
    checked = 0
    for path in (tmp_path / "data" / "metrics").glob("*.metrics.jsonl"):
        for record in read_jsonl(path):
            if record.get("record_type") == "case_metrics":
                measures = record["measures"]
                curve = [measures[f"coverage_at_{budget}"] for budget in (250, 500, 1000, 2000)]
                assert curve == sorted(curve)
                assert curve[-1] <= measures["coverage"]
                checked += 1
    assert checked == 2 * len(POLICIES)
