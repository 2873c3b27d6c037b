"""What W&B's settings say of server, names, certificates and proxies, and the verb over a server, without the key."""

from __future__ import annotations

import base64
import json
import math
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("wandb")
pytest.importorskip("wandb_graphql", reason="this wandb comes without a parser of GraphQL, which the server needs")

from analysis.trackers import RUN_PATH, row, rows
from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.files import wandb_online
from exaid_evals.runs.files.wandb_api import WandbServer as Client
from exaid_evals.runs.files.wandb_api import server_of
from exaid_evals.runs.registry import find_run
from monitor.mail_servers import make_certificate
from servers.steps import Fail
from servers.wandb_graphql import StoredRun
from servers.wandb_server import KEY, WandbServer

pytestmark = pytest.mark.usefixtures("no_wandb_settings")
Reach = Callable[[WandbServer], None]


def test_names_are_completed_as_wandb_does(reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entity and project come from the environment, the entity at last from whoever has the key."""
    with WandbServer({RUN_PATH: StoredRun(rows(range(3)))}) as server:
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
        wandb_online.read_online("digits/r1", Client(server.base_url, KEY))


def test_netrc_is_not_read(reach: Reach, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The key comes from the environment alone: a login in netrc neither stands in for it nor goes before it."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password of-netrc-0123456789\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with WandbServer({RUN_PATH: StoredRun(rows(range(3)))}) as server:
        reach(server)
        monkeypatch.delenv("WANDB_API_KEY")
        with pytest.raises(ConfigError, match="no WANDB_API_KEY in the environment"):
            find_run(RUN_PATH, [], "wandb")
        assert server.requests == []
        reach(server)
        assert find_run(RUN_PATH, [], "wandb").run_name == "r1"


def test_a_certificate_is_trusted_where_it_is_named(
    reach: Reach, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server with a certificate of one's own is refused before the key is sent, and read where the file is named."""
    certificate = make_certificate(tmp_path)
    with WandbServer({RUN_PATH: StoredRun(rows(range(3)))}, certificate=certificate) as server:
        reach(server)
        with pytest.raises(DataError, match=r"is not trusted.*REQUESTS_CA_BUNDLE"):
            find_run(RUN_PATH, [], "wandb")
        assert server.requests == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert find_run(RUN_PATH, [], "wandb").run_name == "r1"


def test_a_proxy_is_asked_and_its_password_is_not_repeated(reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy gets the question; where it answers nothing, its own password stands in no message."""
    monkeypatch.delenv("NO_PROXY")
    with WandbServer({RUN_PATH: StoredRun(rows(range(3)))}, script={0: Fail(404)}) as proxy:
        reach(proxy)
        monkeypatch.setenv("WANDB_BASE_URL", "http://wandb.invalid")
        monkeypatch.setenv("http_proxy", proxy.base_url.replace("//", "//user:hunter2@"))
        with pytest.raises(DataError, match=r"wandb\.invalid: ") as caught:
            find_run(RUN_PATH, [], "wandb")
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
    with WandbServer({RUN_PATH: StoredRun(logged, config=config)}) as server:
        reach(server)
        assert cli(["analyze", "--run-name", RUN_PATH, "--source", "wandb", "--output-dir", "out"]) == 0
        capture = capsys.readouterr()
        monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
        assert cli(["analyze", "--run-name", RUN_PATH, "--source", "wandb"]) == 2
        with pytest.raises(ConfigError) as caught:
            cli(["analyze", "--run-name", RUN_PATH, "--source", "wandb", "--debug"])
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
    """`HyperparameterAnalyzer(project)`: the list of runs over several pages; a run without a step is reported."""
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
