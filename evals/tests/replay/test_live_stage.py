"""Stage 02 with a live model: recorded once, replayed for ever, stopped cleanly."""

from __future__ import annotations

import gzip
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conversations import freeze
from exaid_evals.artifacts.atomic import gzipped
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.clients.endpoint import endpoint_of
from exaid_evals.clients.openai_client import OpenAIClient
from exaid_evals.config.campaign import configs_dir
from exaid_evals.config.metrics import BootstrapConfig, ExtractorConfig, MetricsConfig
from exaid_evals.config.variant import load_variants
from exaid_evals.errors import ConfigError
from exaid_evals.metrics.runs import llm_id
from exaid_evals.metrics.stage import Settings as MetricsSettings
from exaid_evals.metrics.stage import compute_metrics, plan_metrics
from exaid_evals.replay.run_log import read_run
from folders import contents
from live_runs import CONVERSATIONS, LIVE, VARIANTS, do, replayed, settings
from servers.openai_server import Answer, Fail, OpenAIServer, Received

PointAt = Callable[[OpenAIServer], None]


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> PointAt:
    """Return a function that makes a server the live one."""

    def point(server: OpenAIServer) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "test-key-0123456789")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return point


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every use of a socket an error."""

    def refuse(*_arguments: Any, **_settings: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)


def test_five_variants_run_live_and_replay_byte_for_byte(
    tmp_path: Path, point_at: PointAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the server gone, without a key and with no socket to be had, the recordings give the same run logs."""
    live = freeze(tmp_path / "live", CONVERSATIONS)
    with OpenAIServer(latency_s=0.01) as server:
        point_at(server)
        outcome = do(live, settings(jobs=4))
    assert (outcome.written, outcome.skipped, outcome.failed, outcome.left) == (20, ("case-3",), {}, 0)
    assert outcome.spent.calls == len(server.requests) > 40
    assert all(summary.schema_ok for summary in read_run(live.run_file("V3", "case-4")).summaries)
    meta = read_run(live.run_file("V3", "case-1")).meta
    assert (meta["llm"]["client"], meta["llm"]["model"]) == ("openai", "m-1")
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setattr(socket, "socket", None)
    for jobs in (1, 8):
        campaign, outcome = replayed(tmp_path / f"replay-{jobs}", live, jobs=jobs)
        assert (outcome.written, outcome.failed, outcome.spent.calls) == (20, {}, 0)
        assert contents(campaign.runs) == contents(live.runs)
        assert contents(campaign.cassettes) == contents(live.cassettes)


def test_metrics_of_a_replay_are_those_of_the_live_run(tmp_path: Path, point_at: PointAt) -> None:
    """Latencies included: not one byte of the metrics differs."""
    live = freeze(tmp_path / "live", CONVERSATIONS)
    with OpenAIServer() as server:
        point_at(server)
        do(live, settings(jobs=4))
    again, _ = replayed(tmp_path / "again", live)
    config = MetricsConfig(
        extractor=ExtractorConfig(name="conversations:build_words"), bootstrap=BootstrapConfig(resamples=100)
    )
    wanted = MetricsSettings(config=config, stop_entities=frozenset())
    for campaign in (live, again):
        compute_metrics(campaign, wanted, plan_metrics(campaign, wanted), on_case=lambda _: None)
    assert contents(again.metrics) == contents(live.metrics)
    assert len(contents(live.metrics)) >= len(VARIANTS)


def test_any_number_of_threads_gives_the_same_bytes(tmp_path: Path, point_at: PointAt) -> None:
    """With answers and latencies that are the same, logs and recordings are, for one thread and for six."""
    found = []
    with OpenAIServer(latency_s=0.002) as server:
        point_at(server)
        for jobs in (1, 6):
            campaign = freeze(tmp_path / str(jobs), CONVERSATIONS)
            do(campaign, settings(jobs=jobs, llm={"client": "servers.steady_client:build"}))
            found.append((contents(campaign.runs), contents(campaign.cassettes)))
    assert found[0] == found[1]


def test_nothing_is_paid_for_twice(tmp_path: Path, point_at: PointAt) -> None:
    """With force, or with the logs lost, everything is made again from the recordings."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    with OpenAIServer() as server:
        point_at(server)
        do(campaign, settings())
        logs, cassettes, n_calls = contents(campaign.runs), contents(campaign.cassettes), len(server.requests)
        for name in logs:
            (campaign.runs / name).unlink()
        assert do(campaign, settings(jobs=3)).written == 20
        assert do(campaign, settings(force=True)).spent.calls == 0
    assert (contents(campaign.runs), contents(campaign.cassettes)) == (logs, cassettes)
    assert len(server.requests) == n_calls


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_budget_stops_and_the_next_command_goes_on(tmp_path: Path, point_at: PointAt, jobs: int) -> None:
    """In legs of 15 calls the run ends as it would have in one, and the server is never asked once too often."""
    whole, cut = freeze(tmp_path / "whole", CONVERSATIONS), freeze(tmp_path / "cut", CONVERSATIONS)
    steady = {"client": "servers.steady_client:build"}
    with OpenAIServer() as server:
        point_at(server)
        n_calls = do(whole, settings(llm=steady)).spent.calls
        legs = []
        while not legs or legs[-1].left:
            legs.append(do(cut, settings(llm=steady, jobs=jobs, max_calls=15)))
    assert [leg.spent.calls for leg in legs[:-1]] == [15] * (len(legs) - 1)
    assert sum(leg.spent.calls for leg in legs) == n_calls
    assert len(server.requests) == 2 * n_calls
    assert all("15 calls" in str(leg.stopped) and "--max-calls" in str(leg.stopped) for leg in legs[:-1])
    assert (legs[0].failed, legs[-1].stopped) == ({}, None)
    assert contents(cut.runs) == contents(whole.runs)
    assert contents(cut.cassettes) == contents(whole.cassettes)


def test_what_costs_nothing_is_done_without_a_budget(tmp_path: Path, point_at: PointAt) -> None:
    """A budget too small for any prompt still lets the baseline through, which asks no model."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    with OpenAIServer([]) as server:
        point_at(server)
        outcome = do(campaign, settings(max_ctu=1))
    assert outcome.written == len(CONVERSATIONS) + 4  # V0, and the failed conversation under each of the others
    assert outcome.left == 20 - outcome.written


def test_a_failing_case_fails_alone(tmp_path: Path, point_at: PointAt) -> None:
    """What the server refuses about one conversation fails it by variant; the others go on, and it is tried again."""

    def refuse_women(received: Received, _number: int) -> Answer | Fail:
        return Fail(413, "too long") if "hepatomegaly" in received.messages[1][1] else Answer()

    campaign = freeze(tmp_path, CONVERSATIONS)
    with OpenAIServer(refuse_women) as server:
        point_at(server)
        outcome = do(campaign, settings(jobs=3))
    assert list(outcome.failed) == ["case-2"]
    assert outcome.failed["case-2"].count("HTTP 413: too long") == 4
    assert [problem[:3] for problem in outcome.failed["case-2"].split("; V")] == ["V1:", "2: ", "3: ", "4: "]
    assert (outcome.written, outcome.stopped) == (20, None)
    with OpenAIServer() as server:
        point_at(server)
        assert do(campaign, settings()).written == 4


def test_answers_of_the_wrong_form_are_asked_for_once_more(tmp_path: Path, point_at: PointAt) -> None:
    """The first answer to every prompt is nonsense: both calls are counted, recorded, and replayed."""

    def stubborn(received: Received, _number: int) -> Answer:
        return Answer(None if len(received.messages) == 4 else "nonsense")

    live = freeze(tmp_path / "live", CONVERSATIONS)
    with OpenAIServer(stubborn) as server:
        point_at(server)
        do(live, settings())
    log = read_run(live.run_file("V2", "case-1"))
    usages = [event.llm_usage for event in (*log.decisions, *log.summaries)]
    assert usages
    assert all(usage is not None and usage["calls"] == 2 for usage in usages)
    campaign, _ = replayed(tmp_path / "replay", live)
    assert contents(campaign.runs) == contents(live.runs)


def test_a_model_that_never_answers_in_form(tmp_path: Path, point_at: PointAt) -> None:
    """Summaries fail and are recorded with their reason; a trigger without an answer fails the case. So in replay."""
    live = freeze(tmp_path / "live", CONVERSATIONS)
    with OpenAIServer(lambda *_: Answer('{"status_action": ""}')) as server:
        point_at(server)
        outcome = do(live, settings())
        summary = read_run(live.run_file("V1", "case-1")).summaries[0]
        assert (summary.schema_ok, summary.rendered_text) == (False, "")
        assert str(summary.schema_error).startswith("status_action: 0 characters")
        assert set(outcome.failed) == {"case-1", "case-2", "case-4"}
        assert "no true or false" in outcome.failed["case-1"]
        n_calls = len(server.requests)
        assert do(live, settings()).spent.calls == 0
        assert len(server.requests) == n_calls
    campaign, again = replayed(tmp_path / "replay", live)
    assert again.failed == outcome.failed
    assert contents(campaign.runs) == contents(live.runs)


def test_an_unusable_decision_can_be_asked_for_anew(tmp_path: Path, point_at: PointAt) -> None:
    """With retry_failed a model is asked again, once a command; what it cost is counted, and replays like the rest."""
    live = freeze(tmp_path / "live", CONVERSATIONS[:1])
    wanted = {"variants": load_variants(configs_dir() / "variants", ["V2"])}
    with OpenAIServer(lambda *_: Answer("nonsense")) as server:
        point_at(server)
        assert set(do(live, settings(**wanted)).failed) == {"case-1"}
        again = do(live, settings(**wanted, retry_failed=True))
        assert (set(again.failed), again.spent.calls) == ({"case-1"}, 2)
        assert "was asked 4 times" in again.failed["case-1"]
    with OpenAIServer() as server:
        point_at(server)
        assert do(live, settings(**wanted)).spent.calls == 0
        outcome = do(live, settings(**wanted, retry_failed=True))
        assert (outcome.failed, outcome.written) == ({}, 1)
        first = read_run(live.run_file("V2", "case-1")).decisions[0]
        assert first.llm_usage is not None
        assert first.llm_usage["calls"] == 5
        n_asked = len(server.requests)
        assert do(live, settings(**wanted, force=True)).spent.calls == 0
        assert len(server.requests) == n_asked
    campaign = freeze(tmp_path / "again", CONVERSATIONS[:1])
    shutil.copytree(live.cassettes, campaign.cassettes)
    assert do(campaign, settings(**wanted, llm={"client": "replay"})).failed == {}
    assert contents(campaign.runs) == contents(live.runs)


def test_leftovers_beside_the_cassettes_are_removed(tmp_path: Path, point_at: PointAt) -> None:
    """What a killed writer left goes with the next run, also where that finds nothing to do; so do loose members."""
    campaign = freeze(tmp_path, CONVERSATIONS[:1])
    campaign.cassettes.mkdir()
    leftover = campaign.cassettes / ".eval-0123456789abcdef.jsonl.gz.0123abcd.tmp"
    with OpenAIServer() as server:
        point_at(server)
        leftover.write_bytes(b"half")
        do(campaign, settings())
        assert not leftover.exists()
        whole = contents(campaign.cassettes)
        for name, content in whole.items():
            loose = [gzipped(line) for line in gzip.decompress(content).splitlines(keepends=True)]
            (campaign.cassettes / name).write_bytes(b"".join(reversed(loose)))
        leftover.write_bytes(b"half")
        do(campaign, settings())
    assert contents(campaign.cassettes) == whole


def test_a_refused_key_stops_the_run_at_once(tmp_path: Path, point_at: PointAt) -> None:
    """One 401 is enough: no other case asks."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    with OpenAIServer([Fail(401, "no such key")]) as server:
        point_at(server)
        outcome = do(campaign, settings())
    assert "HTTP 401: no such key; set OPENAI_API_KEY" in str(outcome.stopped)
    assert outcome.failed == {}


@pytest.mark.usefixtures("point_at")
def test_a_missing_key_is_found_before_any_work(tmp_path: Path) -> None:
    """Nothing is read, written or asked without a key."""
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        do(freeze(tmp_path, CONVERSATIONS), settings())
    assert not (tmp_path / "runs").exists()


def test_a_key_in_the_configuration_is_refused(tmp_path: Path, point_at: PointAt) -> None:
    """The configuration is recorded, so a key in it would be too."""
    with OpenAIServer([]) as server:
        point_at(server)
        with pytest.raises(ConfigError, match="keep keys in the environment"):
            do(freeze(tmp_path, CONVERSATIONS), settings(llm={"model": "test-key-0123456789"}))


@pytest.mark.usefixtures("no_network")
def test_a_replay_without_recordings_is_refused(tmp_path: Path) -> None:
    """A campaign without cassettes cannot be replayed, and that is said at once."""
    with pytest.raises(ConfigError, match="no recordings here"):
        do(freeze(tmp_path, CONVERSATIONS), settings(llm={"client": "replay"}))
    with pytest.raises(ConfigError, match="simulated, so its answers are never recorded"):
        do(freeze(tmp_path, CONVERSATIONS), settings(llm={"client": "replay", "recorded": "stub"}))


def test_a_replay_with_another_configuration_says_what_differs(tmp_path: Path, point_at: PointAt) -> None:
    """Variant, case, call, and the field that differs from the recorded request, for every case."""
    live = freeze(tmp_path / "live", CONVERSATIONS)
    with OpenAIServer() as server:
        point_at(server)
        do(live, settings())
    _, outcome = replayed(tmp_path / "warm", live, llm={"client": "replay", "temperature": 0.5})
    assert set(outcome.failed) == {"case-1", "case-2", "case-4"}
    reported = (
        "V3: case-1 under V3, call 1 (trigger) was not recorded: it differs from the nearest recorded request in "
        "parameters.temperature: 0.0 was recorded, 0.5 is asked"
    )
    assert reported in outcome.failed["case-1"]


def test_a_tampered_answer_fails_its_variant(tmp_path: Path, point_at: PointAt) -> None:
    """A cassette in which a request was changed answers nothing, and names the line."""
    live = freeze(tmp_path / "live", CONVERSATIONS)
    with OpenAIServer() as server:
        point_at(server)
        do(live, settings(variants=load_variants(configs_dir() / "variants", ["V1"])))
    (path,) = live.cassettes.iterdir()
    records = read_jsonl(path)
    records[0]["request"]["messages"][1]["content"] += "!"
    write_jsonl(path, records)
    _, outcome = replayed(tmp_path / "replay", live, variants=load_variants(configs_dir() / "variants", ["V1"]))
    assert all(f"{path.name}:1: request_sha256" in problem for problem in outcome.failed.values())
    assert outcome.failed


def test_the_trigger_may_have_a_model_of_its_own(tmp_path: Path, point_at: PointAt) -> None:
    """Decisions are asked of one model and summaries of another; both stand in the run, and a replay needs neither."""
    campaign = freeze(tmp_path / "live", CONVERSATIONS)
    small = {"llm": {"trigger_model": "m-small"}}
    with OpenAIServer() as server:
        point_at(server)
        do(campaign, settings(**small))
        asked = {(one.body["model"], "novelty" in str(one.body)) for one in server.requests}
    assert asked == {("m-small", True), ("m-1", False)}
    meta = read_run(campaign.run_file("V3", "case-1")).meta
    assert (meta["llm"]["model"], meta["llm"]["parameters"]["trigger_model"]) == ("m-1", "m-small")
    assert llm_id(meta) == "openai/m-1(trigger:m-small)"
    _, outcome = replayed(tmp_path / "replay", campaign, llm={"client": "replay", "trigger_model": "m-small"})
    assert (outcome.failed, outcome.written) == ({}, 20)
    assert "trigger_model" not in OpenAIClient(LIVE, endpoint_of("openai", {})).parameters
