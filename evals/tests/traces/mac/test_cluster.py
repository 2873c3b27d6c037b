"""Stage 01 with MAC on a Dask cluster: workers run it, the command keeps recording, budget and key."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from dask_cluster import Started
from exaid_evals.clients.base import Budget
from exaid_evals.config.campaign import Campaign
from exaid_evals.traces.generate import CaseDone, Result, make_traces
from exaid_evals.traces.mac.recording import read_recording
from folders import contents
from traces.mac.harness import CASES, Checkout, cue, planned, replayed
from traces.mac.provider import Provider

pytestmark = pytest.mark.slow
CALLS_OF_A_CASE = 8


def made_there(
    folder: Path, mac: Checkout, started: Started, provider: Provider, budget: Budget | None = None
) -> Result:
    """Run the stage on the cluster."""
    return make_traces(planned(folder, mac, provider.base_url), cluster=started.address, budget=budget)


def n_recorded(folder: Path) -> int:
    """Return how many calls are recorded."""
    [recording] = (folder / "cassettes").glob("mac-*.gz")
    return sum(record["record_type"] == "mac_call" for record in read_recording(recording)[0])


def test_workers_without_a_key_run_mac(
    tmp_path: Path, mac: Checkout, cluster_without_key: Started, provider: Provider
) -> None:
    """A replay makes the same traces here and there, and nothing is asked that is not recorded."""
    result = made_there(tmp_path / "live", mac, cluster_without_key, provider)
    assert (result.made, result.failed, result.left) == (CASES, (), 0)
    assert result.spent.calls == len(provider.asked) == n_recorded(tmp_path / "live") == len(CASES) * CALLS_OF_A_CASE
    here = replayed(tmp_path / "here", tmp_path / "live", mac)
    there = replayed(tmp_path / "there", tmp_path / "live", mac, cluster=cluster_without_key.address)
    assert here.made == there.made == CASES
    traces = [Campaign(tmp_path / name).traces for name in ("live", "here", "there")]
    assert contents(traces[0]) == contents(traces[1]) == contents(traces[2])


def test_the_budget_holds_over_all_workers(
    tmp_path: Path, mac: Checkout, cluster_without_key: Started, provider: Provider
) -> None:
    """Not one call more is made than allowed, and the next command pays for the others alone."""
    result = made_there(tmp_path, mac, cluster_without_key, provider, Budget(max_calls=11))
    assert (result.stopped or "").startswith("the budget of 11 calls is used up")
    assert (result.spent.calls, len(provider.asked)) == (11, 11)
    assert result.left
    result = made_there(tmp_path, mac, cluster_without_key, provider)
    assert (result.left, len(provider.asked)) == (0, len(CASES) * CALLS_OF_A_CASE)


def test_a_killed_worker_costs_no_call(tmp_path: Path, mac: Checkout, started: Started, provider: Provider) -> None:
    """The other one runs MAC again on the case, from the recording as far as that goes."""

    def kill(_done: CaseDone) -> None:
        started.workers[0].send_signal(signal.SIGKILL)

    plan = planned(tmp_path, mac, provider.base_url)
    result = make_traces(plan, cluster=started.address, on_case=kill)
    assert (result.made, result.failed, result.left) == (CASES, (), 0)
    assert len(provider.asked) == n_recorded(tmp_path) == len(CASES) * CALLS_OF_A_CASE


def test_what_goes_wrong_there_is_reported_here(tmp_path: Path, mac: Checkout, cluster_without_key: Started) -> None:
    """A crash of MAC on a worker is tried again there, and noted and the case's failure here."""
    notes: list[str] = []
    with Provider(cue("case-1003", 2, "<<crash>>")) as provider:
        plan = planned(tmp_path, mac, provider.base_url)
        result = make_traces(plan, cluster=cluster_without_key.address, on_note=notes.append)
    [(case_id, reason)] = result.failed
    assert (case_id, "(the last of 2 tries)" in reason) == ("case-1003", True)
    assert [note.partition(":")[0] for note in notes] == ["case-1003"]
    assert "once more in" in notes[0]
