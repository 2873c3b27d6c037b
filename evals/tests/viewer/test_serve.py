"""A campaign that is followed while it runs: what is reported it, to whom, and that nothing is written."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.concepts.registry import read_stop_entities
from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import DataError
from exaid_evals.replay.run_log import FAILED
from exaid_evals.viewer.page import inputs_of, page_of
from exaid_evals.viewer.serve import Follower, Report, Server
from stub_campaigns import change_record, copy_of, make_campaign, shared_campaign

VARIANTS = ("V0", "V1", "V2", "V3", "V4")


@pytest.fixture
def running(tmp_path: Path) -> Campaign:
    """Return a campaign of two cases in the midst of stage 02: V4 has none of its runs yet, V3 one that failed."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    for path in [*(campaign.runs / "V4").iterdir(), *campaign.metrics.glob("*.jsonl")]:
        path.unlink()
    first = sorted((campaign.runs / "V3").iterdir())[0]
    change_record(first, 1, lambda record: record.update(status=FAILED, failure_reason="the model <b>said</b> nothing"))
    for number, path in enumerate(sorted(campaign.runs.rglob("*.gz"))):
        os.utime(path, (1000.0 + 3 * number, 1000.0 + 3 * number))
    return campaign


@pytest.fixture
def server(running: Campaign) -> Iterator[Server]:
    """Serve it at a free port."""

    def nothing() -> str:
        raise DataError("no metrics here", remedy="run `exaid-evals compute-metrics`")

    with Server(0, "evals/<data>", Follower(running, VARIANTS, (2.0, 8.0)), Report(nothing, nothing)) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Return status, content and headers of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def test_progress_counts_runs_failures_cost_and_time(running: Campaign) -> None:
    """Eight of ten runs are there, one of them failed; a run took 3 s, so the two that are left will take 6."""
    reported = Follower(running, VARIANTS, (2.0, 8.0)).look()
    assert reported.stage == "run-variants"
    assert reported.cases == 2
    assert [(one.variant, one.done, one.of, one.failed) for one in reported.variants] == [
        ("V0", 2, 2, 0),
        ("V1", 2, 2, 0),
        ("V2", 2, 2, 0),
        ("V3", 2, 2, 1),
        ("V4", 0, 2, 0),
    ]
    assert reported.failures == [
        ["V3", sorted(path.name for path in running.traces.iterdir())[0][:-9], "the model <b>said</b> nothing"]
    ]
    assert reported.seconds_a_run == pytest.approx(3.0)
    assert reported.seconds_left == pytest.approx(6.0)
    assert not reported.report
    of_v2 = reported.variants[2]
    assert of_v2.calls > 0
    assert of_v2.cost == pytest.approx((2 * of_v2.prompt_ctu + 8 * of_v2.completion_ctu) / 1e6)


def test_an_empty_folder_waits_for_its_conversations(tmp_path: Path) -> None:
    """Before the manifest nobody knows how many cases there are: that is None, and no estimate."""
    reported = Follower(Campaign(tmp_path), VARIANTS).look()
    assert (reported.stage, reported.cases, reported.traces, reported.seconds_left) == ("make-traces", None, 0, None)


def test_a_finished_campaign_is_done() -> None:
    """With every run and every metrics file there is a report to open."""
    reported = Follower(shared_campaign(), VARIANTS).look()
    assert (reported.stage, reported.report, reported.seconds_left, reported.failures) == ("done", True, None, [])


@pytest.mark.slow
def test_a_campaign_is_followed_from_nothing_to_its_report(tmp_path: Path) -> None:
    """Asked while every stage runs: stages come in order, counts and cost only grow, and the last answer has it all."""
    campaign = Campaign((tmp_path / "data").resolve())
    config = load_config(MetricsConfig, configs_dir() / "metrics.yaml").value
    shows = campaign, config, read_stop_entities(configs_dir() / config.stop_entities)
    report = Report(partial(inputs_of, *shows, None), partial(page_of, *shows, prices=None))
    reported: list[dict[str, Any]] = []
    with ThreadPoolExecutor() as pool, Server(0, "data", Follower(campaign, VARIANTS, (2.0, 8.0)), report) as server:
        serving = pool.submit(server.serve_forever)
        running = pool.submit(make_campaign, campaign.root)
        while not running.done():
            reported.append(json.loads(ask(server, "/status")[1]))
        running.result()
        reported.append(json.loads(ask(server, "/status")[1]))
        status, page, _ = ask(server, "/report.html")
        server.shutdown()
        serving.result()
    stages = list(dict.fromkeys(one["stage"] for one in reported))
    assert stages == [one for one in ("make-traces", "run-variants", "compute-metrics", "done") if one in stages]
    assert (stages[0], stages[-1]) == ("make-traces", "done")
    for count in ("done", "cost"):
        sums = [sum(variant[count] for variant in one["variants"]) for one in reported]
        assert sums == sorted(sums)
    assert [(one["done"], one["of"], one["failed"]) for one in reported[-1]["variants"]] == [(2, 2, 0)] * 5
    assert reported[-1]["variants"][3]["cost"] > 0
    assert all(one["seconds_left"] is None or one["stage"] == "run-variants" for one in reported)
    assert (status, page) == (200, (campaign.root / "report.html").read_bytes())


def test_it_answers_this_machine_alone_and_only_reads(server: Server, running: Campaign) -> None:
    """It listens at 127.0.0.1, refuses other names and methods, and no file of the campaign is touched."""
    before = {path: path.stat().st_mtime_ns for path in running.root.rglob("*")}
    assert server.server_address[0] == "127.0.0.1"
    status, content, headers = ask(server, "/status")
    assert status == 200
    assert json.loads(content)["failures"][0][0] == "V3"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert ask(server, "/", Host="attacker.example")[0] == 403
    assert ask(server, "/status", Host=f"attacker.example:{server.server_port}")[0] == 403
    assert ask(server, "/../../etc/passwd")[0] == 404
    assert [ask(server, "/", method)[0] for method in ("POST", "PUT", "DELETE")] == [501] * 3
    assert ask(server, "/", "HEAD")[:2] == (200, b"")
    assert {path: path.stat().st_mtime_ns for path in running.root.rglob("*")} == before


def test_its_page_may_ask_its_own_server_and_nobody_else(server: Server) -> None:
    """The policy of the page of progress; the campaign's name is text."""
    _, content, _ = ask(server, "/")
    page = content.decode()
    assert "connect-src 'self'" in page
    assert "evals/&lt;data&gt;" in page
    assert "unsafe" not in page


def test_a_report_that_cannot_be_made_says_what_to_do(server: Server) -> None:
    """Before there are metrics the report's address answers with the message of the command."""
    status, content, _ = ask(server, "/report.html")
    assert status == 503
    assert b"run `exaid-evals compute-metrics`" in content


def test_a_report_is_made_again_only_where_something_has_changed() -> None:
    """The same inputs give the page that is there; other inputs give another."""
    state = {"inputs": "one", "made": 0}

    def make() -> str:
        state["made"] += 1  # type: ignore[operator]
        return f"page {state['made']}"

    report = Report(lambda: str(state["inputs"]), make)
    assert [report.read(), report.read()] == [b"page 1", b"page 1"]
    state["inputs"] = "two"
    assert report.read() == b"page 2"
