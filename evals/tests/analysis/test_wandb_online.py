"""Runs on W&B's servers, from one on loopback that wandb's own Api reads too: whole, bounded, without the key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

pytest.importorskip("wandb")
pytest.importorskip("wandb_graphql", reason="this wandb comes without a parser of GraphQL, which the server needs")

from analysis.trackers import RUN_PATH, row, rows
from exaid_evals.cli.main import run as cli
from exaid_evals.clients.endpoint import Clock
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.files import wandb_online
from exaid_evals.runs.files.wandb_api import WandbServer as Client
from exaid_evals.runs.history import History
from exaid_evals.runs.registry import find_run
from servers.steps import Drop, Fail, Garbage, Hang
from servers.wandb_graphql import StoredRun
from servers.wandb_server import KEY, Broken, Step, Trickle, WandbServer

pytestmark = pytest.mark.usefixtures("no_wandb_settings")
Reach = Callable[[WandbServer], None]
_NAN, _INF = float("nan"), float("inf")


def quick(server: WandbServer) -> Client:
    """Return a client that does not wait between its attempts."""
    return Client(server.base_url, KEY, clock=Clock(sleep=lambda _: None))


def steps_of(history: History, metric: str = "loss") -> list[float]:
    """Return the steps of a metric, as logged."""
    return [point.step for point in history.series[metric].points]


def test_every_row_is_read_over_all_pages(reach: Reach) -> None:
    """2,500 rows at every second step come whole, in order, with nothing to warn of, in a page for 1,000 steps."""
    with WandbServer({RUN_PATH: StoredRun(rows(range(0, 5000, 2)))}) as server:
        reach(server)
        history = find_run(RUN_PATH, [], "wandb")
        pages = [(asked["minStep"], asked["maxStep"]) for asked in server.asked("history")]
    assert history.warnings == ()
    assert [(point.step, point.value) for point in history.series["loss"].points] == [
        (float(step), 1 / (step + 1)) for step in range(0, 5000, 2)
    ]
    assert pages[:2] == [(0, 1000), (1000, 2000)]
    assert len(pages) == 6  # the last looks for rows that came in the meantime


@pytest.mark.slow
def test_wandb_itself_reads_the_same_rows() -> None:
    """The server is W&B's as far as wandb's public Api can tell, which reads the rows and settings that we do."""
    script = (
        "import json, sys, wandb\n"
        f"run = wandb.Api(timeout=60).run({RUN_PATH!r})\n"
        "kept = [list(run.scan_history()), run.config, run.history(stream='system', pandas=False)]\n"
        "print('KEPT' + json.dumps(kept))\n"
    )
    logged = [row(step, loss=_NAN if step == 7 else 1 / (step + 1)) for step in range(0, 2400, 2)]
    events = [{"system.cpu": float(at), "_timestamp": 1000.0 + 4 * at} for at in range(600)]
    run = StoredRun(logged, events, {"lr": {"value": 0.1, "desc": None}, "_wandb": {"value": {"t": 1}}})
    with WandbServer({RUN_PATH: run}) as server:
        theirs = {"WANDB_BASE_URL": server.base_url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **theirs, "WANDB_SILENT": "true"},
            check=True, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        history = wandb_online.read_online(RUN_PATH, quick(server))
    found, config, sampled = json.loads(done.stdout.partition("KEPT")[2])
    assert [float(one["loss"]) for one in found] == pytest.approx(
        [point.value for point in history.series["loss"].points], nan_ok=True
    )
    assert config == dict(history.config)
    assert (len(sampled), len(history.system["cpu"].points)) == (500, 600)  # wandb's Api samples, and says nothing


def test_what_is_odd_is_kept_and_counted(reach: Reach) -> None:
    """NaN, infinities, text, gaps, rows without a metric are kept and counted; media are left out and reported."""
    logged: list[Mapping[str, Any] | str] = [row(step, loss=1.0, val={"acc": 0.5}) for step in range(20)]
    logged[3], logged[4], logged[5] = row(3, loss=_NAN), row(4, loss=-_INF), row(5, loss="oops")
    logged[6], logged[7] = row(6), row(7, loss=None)
    logged[8] = {**row(8, loss=1.0, image={"_type": "image-file", "width": 64, "size": 9}), "step": 3}
    logged[9] = '{"_step": 9, "loss": NaN}'
    del logged[12:15]
    logged.append("no JSON")
    config = {"lr": {"value": 0.1, "desc": None}, "model": {"value": {"depth": 3}}, "bare": 1, "_wandb": {"value": {}}}
    with WandbServer({RUN_PATH: StoredRun(logged, config=config, overrides={"state": "crashed"})}) as server:
        reach(server)
        history = find_run(RUN_PATH, [], "wandb")
    counted = {odd.kind: odd.count for odd in history.irregularities if odd.metric == "loss"}
    assert counted == {"nan": 2, "infinite": 1, "not_a_number": 1, "missing": 1, "gap": 4}
    assert set(history.series) == {"loss", "val.acc", "step"}
    assert steps_of(history, "step") == [8.0]  # what a user calls so is a metric: W&B's own counter counts
    assert history.config == {"lr": 0.1, "model.depth": 3, "bare": 1}
    assert [warning for warning in history.warnings if "image" in warning] == [
        "image: 1 rows hold a image-file, which is not a metric; they are left out"
    ]
    assert any("1 rows are not JSON objects" in warning for warning in history.warnings)
    assert any("crashed" in warning for warning in history.warnings)


@pytest.mark.parametrize(
    ("steps", "overrides", "most_requests"),
    [
        pytest.param(range(0, 3_000_000_000, 2_000_000), {}, 12, id="far apart"),
        pytest.param(range(2500), {"historyKeys": None}, 12, id="last step not told"),
        pytest.param(range(2500), {"historyKeys": {"lastStep": 40}, "state": "running"}, 12, id="goes on"),
        pytest.param([at // 3 for at in range(3000)], {}, 12, id="repeated steps"),
        pytest.param(
            [*range(2000), *range(10**9, 10**9 + 2000)], {"historyLineCount": None}, 260, id="in two heaps, not counted"
        ),
    ],
)
def test_pages_find_every_row(steps: Any, overrides: dict[str, Any], most_requests: int) -> None:
    """However the steps lie and whatever the server does not say, each row comes once, in few requests."""
    stored = StoredRun([row(step, loss=float(at)) for at, step in enumerate(steps)], overrides=overrides)
    with WandbServer({RUN_PATH: stored}) as server:
        history = wandb_online.read_online(RUN_PATH, quick(server))
        n_requests = len(server.requests)
    assert [point.value for point in history.series["loss"].points] == [float(at) for at in range(len(steps))]
    assert not any("incomplete" in warning for warning in history.warnings)
    assert n_requests <= most_requests


def test_what_is_sampled_or_missing_is_said() -> None:
    """Rows are counted against what the server says that it has, of the history and of the system's metrics."""
    events = [{"system.gpu.0.gpu": float(at), "_timestamp": 1000.0 + at} for at in range(300)]
    with WandbServer({RUN_PATH: StoredRun(rows(range(900)), events, most_samples=100)}) as server:
        history = wandb_online.read_online(RUN_PATH, quick(server))
    assert "W&B gave 100 of the 900 rows of its history: it is incomplete" in history.warnings
    assert "system metrics are sampled: W&B gave 100 of 300 rows" in history.warnings
    with WandbServer({RUN_PATH: StoredRun(rows(range(9)), events, overrides={"eventsLineCount": None})}) as server:
        untold = wandb_online.read_online(RUN_PATH, quick(server))
    assert any("does not say how many rows its system metrics have; 300" in warning for warning in untold.warnings)


def test_system_metrics_come_whole_and_get_the_steps_of_their_time() -> None:
    """A sample of the system belongs to the last step before it; one without a time is reported."""
    events = [{"system.cpu": float(at), "_timestamp": 1000.0 + 2 * at + 0.5, "_wandb": True} for at in range(700)]
    events.append({"system.cpu": 1.0})
    with WandbServer({RUN_PATH: StoredRun(rows(range(700)), events)}) as server:
        history = wandb_online.read_online(RUN_PATH, quick(server))
    assert [(point.step, point.value) for point in history.system["cpu"].points] == [
        (float(at), float(at)) for at in range(700)
    ]
    (reported,) = history.warnings
    assert reported == "1 rows of system metrics have no time that gives their step; they are left out"


def test_of_several_samples_of_a_step_the_last_counts_and_the_others_are_reported() -> None:
    """Where the clock samples faster than the training logs, what a step cannot hold is counted."""
    events = [{"system.cpu": float(at), "_timestamp": 1000.0 + at} for at in range(20)]
    with WandbServer({RUN_PATH: StoredRun(rows(range(10)), events)}) as server:
        history = wandb_online.read_online(RUN_PATH, quick(server))
    assert [point.value for point in history.system["cpu"].points] == [float(at) for at in range(1, 20, 2)]
    assert history.warnings == ("10 values of system metrics fall on a step that has a later one, which counts",)


def test_a_server_that_ignores_steps_is_no_history() -> None:
    """Rows of other steps than those asked for would be counted twice: an error, no guess."""
    with (
        WandbServer({RUN_PATH: StoredRun(rows(range(1500)), keeps_to_steps=False)}) as server,
        pytest.raises(DataError, match=r"step 1\d\d\d among those from 0 to 999"),
    ):
        wandb_online.read_online(RUN_PATH, quick(server))


@pytest.mark.parametrize(
    "step", [Fail(500), Fail(429, headers={"Retry-After": "0"}), Drop(), Broken(), Broken(reset=False)]
)
@pytest.mark.parametrize("number", [0, 2])
def test_what_passes_is_asked_again(step: Step, number: int) -> None:
    """A trouble that passes costs a request and nothing else, before the first row as after it."""
    with WandbServer({RUN_PATH: StoredRun(rows(range(1500)))}, script={number: step}) as server:
        history = wandb_online.read_online(RUN_PATH, quick(server))
        assert len(server.requests) == 1 + 2 + 1 + 1  # the run, two pages, what came since, and one again
    assert steps_of(history) == [float(step) for step in range(1500)]
    assert history.warnings == ()


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (Fail(401), ConfigError, "does not take the key"),
        (Fail(403, f"not for {KEY}"), DataError, r"may not read this \(403: not for \[redacted\]\)"),
        (Fail(404, "project not found"), DataError, r"no such run or page \(404: project not found\)"),
        (Fail(400, "Cannot query"), DataError, r"refuses the question \(HTTP 400: Cannot query\)"),
        (Fail(302, headers={"Location": "http://127.0.0.1:9/x"}), DataError, r"redirection \(302\)"),
        (Fail(307, headers={"Location": "http://127.0.0.1:9/x"}), DataError, r"redirection \(307\)"),
        (Garbage(), DataError, "answers no JSON"),
        (Garbage("[1]"), DataError, "without data"),
        (Garbage('{"data": {"project": 3}}'), DataError, "a project that is not an object"),
        (Garbage('{"data": null, "errors": [{"message": "permission\\ndenied"}]}'), DataError, "permission denied"),
    ],
)
def test_a_refusal_is_one_line_and_final(step: Step, kind: type[Exception], says: str) -> None:
    """What no further attempt mends is asked once; the line says what, where and the remedy, and never the key."""
    with WandbServer({RUN_PATH: StoredRun(rows(range(3)))}, script={0: step}) as server:
        with pytest.raises(kind, match=says) as caught:
            wandb_online.read_online(RUN_PATH, quick(server))
        assert len(server.requests) == 1
    message = str(caught.value)
    assert message.startswith(server.base_url)
    assert "\n" not in message
    assert ";" in message
    assert KEY not in message


@pytest.mark.parametrize(("path", "says"), [("me/digits/r9", "no run me/digits/r9"), ("me/x/r1", "no project me/x")])
def test_a_run_that_is_not_there(path: str, says: str) -> None:
    """The message names what the server does not have."""
    with WandbServer({RUN_PATH: StoredRun(rows(range(3)))}) as server, pytest.raises(DataError, match=says):
        wandb_online.read_online(path, quick(server))


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("step", [Hang(300), Trickle(), Fail(500)])
def test_no_server_holds_an_analysis_up(
    step: Step, reach: Reach, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that hangs, sends a byte now and then, or fails for ever, is given up after four attempts, in one line."""
    monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "0.5")
    with WandbServer({RUN_PATH: StoredRun(rows(range(3)))}, script={-1: step}) as server:
        reach(server)
        assert cli(["analyze", "--run-name", RUN_PATH, "--source", "wandb"]) == 1
        assert 1 <= len(server.requests) <= 4  # on a busy machine a request may come after it was given up
    reported = capsys.readouterr().err
    assert f"{server.base_url}: W&B does not answer (sent 4 times" in reported
    assert "WANDB_HTTP_TIMEOUT" in reported
    assert len(reported.strip().splitlines()) == 1


@pytest.mark.timeout(120)
def test_nobody_at_the_address() -> None:
    """A port that nobody listens at, and a name that nobody has, are said after four attempts."""
    with WandbServer({}) as server:
        pass
    with pytest.raises(DataError, match=r"sent 4 times.*connection was refused"):
        wandb_online.read_online(RUN_PATH, quick(server))
    nowhere = Client("http://no-such-host.invalid", KEY, clock=Clock(sleep=lambda _: None), timeout_s=5)
    with pytest.raises(DataError, match=r"no-such-host\.invalid: W&B does not answer"):
        wandb_online.read_online(RUN_PATH, nowhere)


class _Answering:
    """A server of one answer."""

    base_url = "https://wandb.example"

    def __init__(self, runs: Any) -> None:
        self.runs, self.n_asked = runs, 0

    def ask(self, *_: Any) -> Any:
        """Return the answer, and count."""
        self.n_asked += 1
        return {"project": {"runs": self.runs}}


def test_a_server_that_promises_runs_and_gives_none_is_not_asked_without_end() -> None:
    """An empty page is the last one, and a page that is none is said."""
    empty = _Answering({"edges": [], "pageInfo": {"endCursor": "x", "hasNextPage": True}})
    assert wandb_online.runs_online("me/search", empty) is None  # type: ignore[arg-type]
    assert empty.n_asked == 1
    for wrong in ({"edges": [{}], "pageInfo": {}}, {"edges": None}, [1]):
        with pytest.raises(DataError, match="no list of runs"):
            wandb_online.runs_online("me/search", _Answering(wrong))  # type: ignore[arg-type]
