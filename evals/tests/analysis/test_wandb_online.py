"""Runs on W&B's servers, from one on loopback that wandb's own Api reads too: whole, bounded, without the key."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("wandb")
pytest.importorskip("wandb_graphql", reason="this wandb comes without a parser of GraphQL, which the server needs")

from exaid_evals.cli.main import run as cli
from exaid_evals.clients.retry import Clock
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.files import wandb_online
from exaid_evals.runs.files.wandb_api import WandbServer as Client
from exaid_evals.runs.files.wandb_api import server_of
from exaid_evals.runs.history import History
from exaid_evals.runs.registry import find_run
from monitor.mail_servers import make_certificate
from servers.steps import Drop, Fail, Garbage, Hang
from servers.wandb_graphql import StoredRun
from servers.wandb_server import KEY, Broken, Step, Trickle, WandbServer

PATH = "me/digits/r1"
_NAN, _INF = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def _no_settings_of_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("WANDB_") or name == "REQUESTS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "*")


Reach = Callable[[WandbServer], None]


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reach]:
    """Return what points the environment at a server."""

    def point(server: WandbServer) -> None:
        monkeypatch.setenv("WANDB_BASE_URL", server.base_url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)

    return point


def row(step: int, **metrics: Any) -> dict[str, Any]:
    """Return a row of history; a step takes two seconds."""
    return {"_step": step, "_timestamp": 1000.0 + 2 * step, "_runtime": 2.0 * step, **metrics}


def rows(steps: range) -> list[dict[str, Any]]:
    """Return rows with one metric."""
    return [row(step, loss=1 / (step + 1)) for step in steps]


def quick(server: WandbServer) -> Client:
    """Return a client that does not wait between its attempts."""
    return Client(server.base_url, KEY, clock=Clock(sleep=lambda _: None))


def steps_of(history: History, metric: str = "loss") -> list[float]:
    """Return the steps of a metric, as logged."""
    return [point.step for point in history.series[metric].points]


def test_every_row_is_read_over_all_pages(reach: Reach) -> None:
    """2,500 rows at every second step come whole, in order, with nothing to warn of, in a page for 1,000 steps."""
    with WandbServer({PATH: StoredRun(rows(range(0, 5000, 2)))}) as server:
        reach(server)
        history = find_run(PATH, [], "wandb")
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
        f"run = wandb.Api(timeout=60).run({PATH!r})\n"
        "kept = [list(run.scan_history()), run.config, run.history(stream='system', pandas=False)]\n"
        "print('KEPT' + json.dumps(kept))\n"
    )
    logged = [row(step, loss=_NAN if step == 7 else 1 / (step + 1)) for step in range(0, 2400, 2)]
    events = [{"system.cpu": float(at), "_timestamp": 1000.0 + 4 * at} for at in range(600)]
    run = StoredRun(logged, events, {"lr": {"value": 0.1, "desc": None}, "_wandb": {"value": {"t": 1}}})
    with WandbServer({PATH: run}) as server:
        theirs = {"WANDB_BASE_URL": server.base_url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **theirs, "WANDB_SILENT": "true"},
            check=True, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        history = wandb_online.read_online(PATH, quick(server))
    found, config, sampled = json.loads(done.stdout.partition("KEPT")[2])
    assert [float(one["loss"]) for one in found] == pytest.approx(
        [point.value for point in history.series["loss"].points], nan_ok=True
    )
    assert config == dict(history.config)
    assert (len(sampled), len(history.system["cpu"].points)) == (500, 600)  # wandb's Api samples, and says nothing


def test_what_is_odd_is_kept_and_counted(reach: Reach) -> None:
    """NaN, infinities, text, gaps, rows without a metric are kept and counted; media are left out and told of."""
    logged: list[Mapping[str, Any] | str] = [row(step, loss=1.0, val={"acc": 0.5}) for step in range(20)]
    logged[3], logged[4], logged[5] = row(3, loss=_NAN), row(4, loss=-_INF), row(5, loss="oops")
    logged[6], logged[7] = row(6), row(7, loss=None)
    logged[8] = {**row(8, loss=1.0, image={"_type": "image-file", "width": 64, "size": 9}), "step": 3}
    logged[9] = '{"_step": 9, "loss": NaN}'
    del logged[12:15]
    logged.append("no JSON")
    config = {"lr": {"value": 0.1, "desc": None}, "model": {"value": {"depth": 3}}, "bare": 1, "_wandb": {"value": {}}}
    with WandbServer({PATH: StoredRun(logged, config=config, overrides={"state": "crashed"})}) as server:
        reach(server)
        history = find_run(PATH, [], "wandb")
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
    with WandbServer({PATH: stored}) as server:
        history = wandb_online.read_online(PATH, quick(server))
        n_requests = len(server.requests)
    assert [point.value for point in history.series["loss"].points] == [float(at) for at in range(len(steps))]
    assert not any("incomplete" in warning for warning in history.warnings)
    assert n_requests <= most_requests


def test_what_is_sampled_or_missing_is_said() -> None:
    """Rows are counted against what the server says that it has, of the history and of the system's metrics."""
    events = [{"system.gpu.0.gpu": float(at), "_timestamp": 1000.0 + at} for at in range(300)]
    with WandbServer({PATH: StoredRun(rows(range(900)), events, most_samples=100)}) as server:
        history = wandb_online.read_online(PATH, quick(server))
    assert "W&B gave 100 of the 900 rows of its history: it is incomplete" in history.warnings
    assert "system metrics are sampled: W&B gave 100 of 300 rows" in history.warnings
    with WandbServer({PATH: StoredRun(rows(range(9)), events, overrides={"eventsLineCount": None})}) as server:
        untold = wandb_online.read_online(PATH, quick(server))
    assert any("does not say how many rows its system metrics have; 300" in warning for warning in untold.warnings)


def test_system_metrics_come_whole_and_get_the_steps_of_their_time() -> None:
    """A sample of the system belongs to the last step before it; one without a time is told of."""
    events = [{"system.cpu": float(at), "_timestamp": 1000.0 + 2 * at + 0.5, "_wandb": True} for at in range(700)]
    events.append({"system.cpu": 1.0})
    with WandbServer({PATH: StoredRun(rows(range(700)), events)}) as server:
        history = wandb_online.read_online(PATH, quick(server))
    assert [(point.step, point.value) for point in history.system["cpu"].points] == [
        (float(at), float(at)) for at in range(700)
    ]
    (told,) = history.warnings
    assert told == "1 rows of system metrics have no time that a step could be told by; they are left out"


def test_of_several_samples_of_a_step_the_last_counts_and_the_others_are_told_of() -> None:
    """Where the clock samples faster than the training logs, what a step cannot hold is counted."""
    events = [{"system.cpu": float(at), "_timestamp": 1000.0 + at} for at in range(20)]
    with WandbServer({PATH: StoredRun(rows(range(10)), events)}) as server:
        history = wandb_online.read_online(PATH, quick(server))
    assert [point.value for point in history.system["cpu"].points] == [float(at) for at in range(1, 20, 2)]
    assert history.warnings == ("10 values of system metrics fall on a step that has a later one, which counts",)


def test_a_server_that_ignores_steps_is_no_history() -> None:
    """Rows of other steps than those asked for would be counted twice: an error, no guess."""
    with (
        WandbServer({PATH: StoredRun(rows(range(1500)), keeps_to_steps=False)}) as server,
        pytest.raises(DataError, match=r"step 1\d\d\d among those from 0 to 999"),
    ):
        wandb_online.read_online(PATH, quick(server))


@pytest.mark.parametrize(
    "step", [Fail(500), Fail(429, headers={"Retry-After": "0"}), Drop(), Broken(), Broken(reset=False)]
)
@pytest.mark.parametrize("number", [0, 2])
def test_what_passes_is_asked_again(step: Step, number: int) -> None:
    """A trouble that passes costs a request and nothing else, before the first row as after it."""
    with WandbServer({PATH: StoredRun(rows(range(1500)))}, script={number: step}) as server:
        history = wandb_online.read_online(PATH, quick(server))
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
    with WandbServer({PATH: StoredRun(rows(range(3)))}, script={0: step}) as server:
        with pytest.raises(kind, match=says) as caught:
            wandb_online.read_online(PATH, quick(server))
        assert len(server.requests) == 1
    message = str(caught.value)
    assert message.startswith(server.base_url)
    assert "\n" not in message
    assert ";" in message
    assert KEY not in message


@pytest.mark.parametrize(("path", "says"), [("me/digits/r9", "no run me/digits/r9"), ("me/x/r1", "no project me/x")])
def test_a_run_that_is_not_there(path: str, says: str) -> None:
    """The message names what the server does not have."""
    with WandbServer({PATH: StoredRun(rows(range(3)))}) as server, pytest.raises(DataError, match=says):
        wandb_online.read_online(path, quick(server))


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("step", [Hang(300), Trickle(), Fail(500)])
def test_no_server_holds_an_analysis_up(
    step: Step, reach: Reach, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that hangs, sends a byte now and then, or fails for ever, is given up after four attempts, in one line."""
    monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "0.5")
    with WandbServer({PATH: StoredRun(rows(range(3)))}, script={-1: step}) as server:
        reach(server)
        assert cli(["analyze", "--run-name", PATH, "--source", "wandb"]) == 1
        assert 1 <= len(server.requests) <= 4  # on a busy machine a request may come after it was given up
    told = capsys.readouterr().err
    assert f"{server.base_url}: W&B does not answer (sent 4 times" in told
    assert "WANDB_HTTP_TIMEOUT" in told
    assert len(told.strip().splitlines()) == 1


@pytest.mark.timeout(120)
def test_nobody_at_the_address() -> None:
    """A port that nobody listens at, and a name that nobody has, are said after four attempts."""
    with WandbServer({}) as server:
        pass
    with pytest.raises(DataError, match=r"sent 4 times.*connection was refused"):
        wandb_online.read_online(PATH, quick(server))
    nowhere = Client("http://no-such-host.invalid", KEY, clock=Clock(sleep=lambda _: None), timeout_s=5)
    with pytest.raises(DataError, match=r"no-such-host\.invalid: W&B does not answer"):
        wandb_online.read_online(PATH, nowhere)


def test_names_are_completed_as_wandb_does(reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entity and project come from the environment, the entity at last from whoever has the key."""
    with WandbServer({PATH: StoredRun(rows(range(3)))}) as server:
        reach(server)
        for name in ("me/digits/r1", "me/digits/runs/r1", "digits/r1"):
            assert find_run(name, [], "wandb").run_name == "r1"
        monkeypatch.setenv("WANDB_PROJECT", "digits")
        assert find_run("r1", [], "wandb").run_name == "r1"
        monkeypatch.setenv("WANDB_ENTITY", "others")
        with pytest.raises(DataError, match="no project others/digits"):
            find_run("r1", [], "wandb")
    assert not wandb_online.is_online("../digits/r1")
    assert not wandb_online.is_online("digits/r1", {})
    monkeypatch.delenv("WANDB_ENTITY")
    with WandbServer({}, entity=None) as server, pytest.raises(ConfigError, match="names no entity"):
        wandb_online.read_online("digits/r1", quick(server))


def test_netrc_is_not_read(reach: Reach, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The key comes from the environment alone: a login in netrc neither stands in for it nor goes before it."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password of-netrc-0123456789\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with WandbServer({PATH: StoredRun(rows(range(3)))}) as server:
        reach(server)
        monkeypatch.delenv("WANDB_API_KEY")
        with pytest.raises(ConfigError, match="no WANDB_API_KEY in the environment"):
            find_run(PATH, [], "wandb")
        assert server.requests == []
        reach(server)
        assert find_run(PATH, [], "wandb").run_name == "r1"


def test_a_certificate_is_trusted_where_it_is_named(
    reach: Reach, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server with a certificate of one's own is refused before the key is sent, and read where the file is named."""
    certificate = make_certificate(tmp_path)
    with WandbServer({PATH: StoredRun(rows(range(3)))}, certificate=certificate) as server:
        reach(server)
        with pytest.raises(DataError, match=r"is not trusted.*REQUESTS_CA_BUNDLE"):
            find_run(PATH, [], "wandb")
        assert server.requests == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert find_run(PATH, [], "wandb").run_name == "r1"


def test_a_proxy_is_asked_and_its_password_is_not_repeated(reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy gets the question; where it answers nothing, its own password stands in no message."""
    monkeypatch.delenv("NO_PROXY")
    with WandbServer({PATH: StoredRun(rows(range(3)))}, script={0: Fail(404)}) as proxy:
        reach(proxy)
        monkeypatch.setenv("WANDB_BASE_URL", "http://wandb.invalid")
        monkeypatch.setenv("http_proxy", proxy.base_url.replace("//", "//user:hunter2@"))
        with pytest.raises(DataError, match=r"wandb\.invalid: ") as caught:
            find_run(PATH, [], "wandb")
        assert proxy.requests[0].path == "http://wandb.invalid/graphql"
    assert "hunter2" not in str(caught.value)


def test_all_that_is_wrong_in_the_environment_is_said_at_once() -> None:
    """Key, address, seconds and certificates are checked before anything is sent; secrets in them are not repeated."""
    wrong = {"WANDB_API_KEY": "of two words", "WANDB_BASE_URL": "https://user:hunter2@host"}
    with pytest.raises(ConfigError) as caught:
        server_of({**wrong, "WANDB_HTTP_TIMEOUT": "soon", "REQUESTS_CA_BUNDLE": "/no/such/file"})
    assert len(caught.value.parts) == 4
    for secret in ("of two words", "hunter2"):
        assert secret not in str(caught.value)
    assert KEY not in repr(server_of({"WANDB_API_KEY": KEY, "WANDB_BASE_URL": "http://127.0.0.1:1/"}))


def test_the_verb_end_to_end(
    reach: Reach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A jump of the learning rate is found on the server alone; a key that the server repeats gets nowhere."""
    noise = np.random.default_rng(5)
    logged = []
    for step in range(200):
        bad = step >= 120
        metrics = {"lr": 0.5 if bad else 0.01, "Loss/train": (2.0 if bad else 0.5) + noise.normal(0, 0.02), "note": KEY}
        if step % 5 == 4:
            metrics["valAcc"] = (0.5 if bad else 0.9) + noise.normal(0, 0.01)
        logged.append(row(step, **metrics))
    config = {"echo": {"value": KEY}, "header": {"value": base64.b64encode(f"api:{KEY}".encode()).decode()}}
    monkeypatch.chdir(tmp_path)
    with WandbServer({PATH: StoredRun(logged, config=config)}) as server:
        reach(server)
        assert cli(["analyze", "--run-name", PATH, "--source", "wandb", "--output-dir", "out"]) == 0
        capture = capsys.readouterr()
        monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
        assert cli(["analyze", "--run-name", PATH, "--source", "wandb"]) == 2
        with pytest.raises(ConfigError) as caught:
            cli(["analyze", "--run-name", PATH, "--source", "wandb", "--debug"])
        refused = capsys.readouterr()
    assert "Loss/train" in capture.out
    assert re.search(r"valAcc .* step 124", capture.out)
    assert re.search(r"over 99% optimisation", capture.out)
    assert "does not take the key" in refused.err
    summary = json.loads((tmp_path / "out" / "r1" / "summary.json").read_text(encoding="utf-8"))
    metrics = summary["performance_metrics"].items()
    ways = {metric: one["direction"] for metric, one in metrics if isinstance(one, dict)}
    assert (ways["Loss/train"], ways["valAcc"], ways["lr"]) == ("lower", "higher", None)
    assert cli(["validate", str(tmp_path / "out" / "r1" / "summary.json")]) == 0
    written = [path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert len(written) >= 4
    everything = b"".join(written) + "".join([*capture, *refused, *traceback.format_exception(caught.value)]).encode()
    forms = (KEY, base64.b64encode(f"api:{KEY}".encode()).decode(), "f" * 40)
    assert not [form for form in forms if form.encode() in everything]
    assert math.isfinite(summary["performance_metrics"]["valAcc"]["final"])


def test_a_project_of_the_handbook_is_every_run_that_it_has_there(reach: Reach) -> None:
    """`HyperparameterAnalyzer(project)`: the list of runs over several pages; a run without a step is told of."""
    from exaid_evals.analysis import HyperparameterAnalyzer

    stored = {
        f"me/search/r{number}": StoredRun(
            [row(step, val_loss=0.1 * number + 1 / (step + 1)) for step in range(30)],
            config={"lr": {"value": 0.01 * number, "desc": None}},
        )
        for number in range(1, 13)
    } | {"me/search/empty": StoredRun([])}
    with WandbServer(stored) as server:
        reach(server)
        found = HyperparameterAnalyzer("me/search").analyze_hyperparameter_impact()
    assert found["correlations_with_level"] == {"lr": 1.0}
    assert found["notes"][0] == "12 runs, val_loss counts"
    assert any("me/search/empty" in note for note in found["notes"])


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
