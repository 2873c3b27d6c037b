"""Stage 02 with a live model and a Dask cluster: workers replay, the command makes the calls."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversations import freeze
from dask_cluster import Started
from exaid_evals.clients.cassette import read_cassette
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ExaidError
from folders import contents
from live_runs import CONVERSATIONS, do, replayed, settings
from servers.openai_server import OpenAIServer

pytestmark = pytest.mark.slow
N_RUNS, N_CALLS = 20, 57


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """Return the live model's server, known to the command alone."""
    request.getfixturevalue("started" if "started" in request.fixturenames else "cluster_without_key")
    with OpenAIServer(latency_s=0.02) as found:
        monkeypatch.setenv("OPENAI_API_KEY", "test-key-0123456789")
        monkeypatch.setenv("OPENAI_BASE_URL", found.base_url)
        yield found


def n_recorded(campaign: Campaign) -> int:
    """Return how many calls a campaign's cassettes hold."""
    return sum(len(read_cassette(path)[0]) for path in campaign.cassettes.glob("eval-*.gz"))


def test_workers_without_a_key_replay_what_the_command_asks(
    tmp_path: Path, cluster_without_key: Started, server: OpenAIServer
) -> None:
    """A replay of the recordings gives the same bytes here and on the cluster, with the same recordings left."""
    live = freeze(tmp_path / "live", CONVERSATIONS)
    outcome = do(live, settings(cluster=cluster_without_key.address))
    assert (outcome.written, outcome.failed, outcome.left) == (N_RUNS, {}, 0)
    assert outcome.spent.calls == len(server.requests) == n_recorded(live) == N_CALLS
    for name, where in (("here", {"jobs": 2}), ("there", {"cluster": cluster_without_key.address})):
        campaign, outcome = replayed(tmp_path / name, live, **where)
        assert (outcome.written, outcome.failed, outcome.spent.calls) == (N_RUNS, {}, 0)
        assert contents(campaign.runs) == contents(live.runs)
        assert contents(campaign.cassettes) == contents(live.cassettes)


def test_the_budget_holds_over_all_workers(tmp_path: Path, cluster_without_key: Started, server: OpenAIServer) -> None:
    """Not one call more is made than allowed, and the next command pays for the others alone."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    outcome = do(campaign, settings(cluster=cluster_without_key.address, max_calls=7))
    assert outcome.stopped is not None
    assert outcome.stopped.startswith("the budget of 7 calls is used up")
    assert (outcome.spent.calls, len(server.requests)) == (7, 7)
    assert outcome.written + outcome.left == N_RUNS
    outcome = do(campaign, settings(cluster=cluster_without_key.address))
    assert (outcome.spent.calls, outcome.left, len(server.requests)) == (N_CALLS - 7, 0, N_CALLS)


def test_a_killed_worker_costs_no_call(tmp_path: Path, started: Started, server: OpenAIServer) -> None:
    """The other one goes on where it was: what was answered, and what is on its way, is not asked again."""
    campaign = freeze(tmp_path, CONVERSATIONS)

    def kill(_case: str) -> None:
        started.workers[0].send_signal(signal.SIGKILL)

    outcome = do(campaign, settings(cluster=started.address), on_case=kill)
    assert (outcome.written, outcome.failed, outcome.left) == (N_RUNS, {}, 0)
    assert outcome.spent.calls == len(server.requests) == n_recorded(campaign) == N_CALLS


def test_a_killed_scheduler_loses_no_answer(tmp_path: Path, started: Started, server: OpenAIServer) -> None:
    """The command ends with an error that says how to go on; what was answered until then is not asked again."""
    campaign = freeze(tmp_path, CONVERSATIONS)

    def kill(_case: str) -> None:
        started.scheduler.send_signal(signal.SIGKILL)

    with pytest.raises(ExaidError, match=r"scheduler went away.*the same command goes on"):
        do(campaign, settings(cluster=started.address), on_case=kill)
    assert len(server.requests) == n_recorded(campaign) < N_CALLS
    outcome = do(campaign, settings(jobs=2))
    assert (outcome.failed, outcome.left, len(server.requests)) == ({}, 0, N_CALLS)


def test_workers_of_a_killed_command_are_free_for_the_next(
    tmp_path: Path, started: Started, server: OpenAIServer
) -> None:
    """They give up the case that nobody answers for any more, and the next command goes on."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    script = (
        "from exaid_evals.config.campaign import Campaign\nfrom pathlib import Path\n"
        "import live_runs, os, signal, sys\n"
        "def kill(_case): os.kill(os.getpid(), signal.SIGKILL)\n"
        "live_runs.do(Campaign(Path(sys.argv[1])), live_runs.settings(cluster=sys.argv[2]), on_case=kill)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", script, str(campaign.root), started.address]
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode == -signal.SIGKILL
    already = n_recorded(campaign)
    assert 0 < already < N_CALLS
    outcome = do(campaign, settings(cluster=started.address))
    assert (outcome.failed, outcome.left) == ({}, 0)
    assert outcome.spent.calls == N_CALLS - already
    assert len(server.requests) <= N_CALLS + len(started.workers)  # answers on their way when it was killed
