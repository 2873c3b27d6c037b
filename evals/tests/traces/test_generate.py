"""Stage 01: what is made, gone on with, left alone and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exaid_evals.artifacts.ids import trace_id
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import DatasetConfig, MasGenerationConfig
from exaid_evals.config.requests import TracesRequest
from exaid_evals.errors import CaseFailedError, ConfigError, FrozenError
from exaid_evals.traces.freeze import verify_frozen
from exaid_evals.traces.generate import CaseDone, Result, make_traces
from exaid_evals.traces.model import read_trace
from exaid_evals.traces.plan import Settings, plan_traces
from folders import contents

SOURCE = "small_cases:load"


def made(
    folder: Path,
    *,
    dataset: dict[str, Any] | None = None,
    generation: dict[str, Any] | None = None,
    jobs: int = 1,
    **more: Any,
) -> Result:
    """Run the stage on the small cases."""
    settings = Settings(
        TracesRequest(data_dir=folder, stub=True, **more),
        DatasetConfig.model_validate({"source": SOURCE, "mode": "all"} | (dataset or {})),
        MasGenerationConfig.model_validate(generation or {}),
    )
    return make_traces(plan_traces(settings), jobs=jobs)


class Interruption(BaseException):
    """Stand for a user's Ctrl-C."""


def interrupted_after(folder: Path, n: int) -> None:
    """Run the stage and stop it when `n` cases are finished."""
    dataset = DatasetConfig.model_validate({"source": SOURCE, "mode": "all"})
    plan = plan_traces(Settings(TracesRequest(data_dir=folder, stub=True), dataset, MasGenerationConfig()))
    finished: list[CaseDone] = []

    def stop(case: CaseDone) -> None:
        finished.append(case)
        if len(finished) == n:
            raise Interruption

    with pytest.raises(Interruption):
        make_traces(plan, on_case=stop)


def test_everything_is_made_and_frozen(tmp_path: Path) -> None:
    """Twelve traces, one manifest that fits them, ids as the contract has them."""
    result = made(tmp_path)
    campaign = Campaign(tmp_path)
    assert verify_frozen(campaign) == result.manifest
    assert len(result.made) == 12
    assert result.manifest.generation.case_source == SOURCE
    assert result.manifest.experiment_id == "exp-mac-traces-20241219-120000"
    records = read_jsonl(campaign.trace_file("case-t03"))
    assert [record["trace_id"] for record in records] == [trace_id("case-t03", n) for n in range(len(records))]
    assert records[0]["timestamp"] == "2024-12-19T12:00:00.000Z"
    assert records[0]["metadata"]["mas_run_id"] == result.manifest.generation.mas_run_id


def test_second_call_has_nothing_to_do(tmp_path: Path) -> None:
    """The same freeze is recognized, and no file is touched."""
    first = made(tmp_path)
    before = contents(tmp_path)
    again = made(tmp_path)
    assert again.nothing_to_do
    assert again.manifest == first.manifest
    assert contents(tmp_path) == before


@pytest.mark.parametrize("n", [1, 5, 12])
def test_interrupted_work_is_gone_on_with(tmp_path: Path, n: int) -> None:
    """What was finished is not made again, and the bytes are those of an uninterrupted call."""
    interrupted_after(tmp_path / "a", n)
    assert not Campaign(tmp_path / "a").manifest_file.exists()
    result = made(tmp_path / "a")
    assert (len(result.reused), len(result.made)) == (n, 12 - n)
    made(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_killed_before_the_first_note(tmp_path: Path) -> None:
    """A trace that was written but not yet noted is ours: it is made again without --force."""
    made(tmp_path)
    campaign = Campaign(tmp_path)
    campaign.manifest_file.unlink()
    (campaign.state / "make-traces.jsonl").write_bytes(b'{"key":"case-t0')
    assert len(made(tmp_path).made) == 12


def test_leftovers_of_another_selection_go(tmp_path: Path) -> None:
    """What an interrupted call left for cases that are no longer selected does not reach the freeze."""
    interrupted_after(tmp_path, 5)
    result = made(tmp_path, limit=3)
    assert result.removed == ("case-t03", "case-t04")
    assert len(verify_frozen(Campaign(tmp_path)).entries) == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"generation": {"seed": 43}}, "generation seed 42, not 43"),
        ({"limit": 5}, "12 cases, not these 5"),
        ({"dataset": {"on_failure": "raise"}}, "another configuration"),
    ],
)
def test_other_traces_are_not_overwritten(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    """Another configuration over a freeze is refused with the difference; --force makes it."""
    made(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(FrozenError, match=named) as caught:
        made(tmp_path, **change)
    assert "--force" in str(caught.value)
    assert "--data-dir" in str(caught.value)
    assert contents(tmp_path) == before
    result = made(tmp_path, force=True, **change)
    assert verify_frozen(Campaign(tmp_path)) == result.manifest


def test_damaged_freeze_is_refused_by_name(tmp_path: Path) -> None:
    """A changed trace is not quietly made again."""
    made(tmp_path)
    Campaign(tmp_path).trace_file("case-t05").write_bytes(b"")
    with pytest.raises(FrozenError, match="case-t05"):
        made(tmp_path)
    assert len(made(tmp_path, force=True).made) == 12


def test_foreign_traces_are_left_alone(tmp_path: Path) -> None:
    """Traces that somebody put there without a manifest are refused, and replaced with --force only."""
    foreign = Campaign(tmp_path).trace_file("case-mine")
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"mine")
    with pytest.raises(FrozenError, match="case-mine"):
        made(tmp_path)
    assert foreign.read_bytes() == b"mine"
    assert made(tmp_path, force=True).removed == ("case-mine",)


def test_failed_cases_are_frozen_and_named(tmp_path: Path) -> None:
    """With log_stub a failed case has one record of _system, and the call, first or second, names it."""
    result = made(tmp_path, generation={"stub": {"failure_rate": 0.5}})
    assert 0 < len(result.failed) < 12
    campaign = Campaign(tmp_path)
    for case_id, reason in result.failed:
        (record,) = read_jsonl(campaign.trace_file(case_id))
        assert record["content"] == f"[FAILED] {reason}"
        assert (record["agent_id"], record["text_units_ctu"], record["sequence_num"]) == ("_system", 0, 0)
        assert read_trace(campaign.trace_file(case_id)).failed
    assert result.manifest.failed_cases == tuple(case_id for case_id, _ in result.failed)
    assert made(tmp_path, generation={"stub": {"failure_rate": 0.5}}).failed == result.failed


def test_raise_stops_at_the_first_failure(tmp_path: Path) -> None:
    """With raise nothing is frozen, what was done is kept, and the error names the case."""
    failing = {"stub": {"failure_rate": 0.5}}
    expected = made(tmp_path / "a", generation=failing).failed[0][0]
    with pytest.raises(CaseFailedError, match=expected) as caught:
        made(tmp_path / "b", dataset={"on_failure": "raise"}, generation=failing)
    assert caught.value.exit_status == 1
    campaign = Campaign(tmp_path / "b")
    assert not campaign.manifest_file.exists()
    done = int(expected.removeprefix("case-t"))
    assert len(list(campaign.traces.glob("case-*"))) == done


@pytest.mark.slow
def test_number_of_processes_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-j1 and -j2 write the same bytes."""
    monkeypatch.setattr("exaid_evals.traces.generate._WORTH_A_PROCESS", 1)
    made(tmp_path / "one")
    made(tmp_path / "two", jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_live_conversation_is_refused(tmp_path: Path) -> None:
    """A conversation that is neither simulated nor about MAC's cases is refused, and the error says what to use."""
    with pytest.raises(ConfigError, match="--stub"):
        plan_traces(Settings(TracesRequest(data_dir=tmp_path), DatasetConfig(source=SOURCE), MasGenerationConfig()))
    assert contents(tmp_path) == {}
