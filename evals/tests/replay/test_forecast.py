"""The forecast against runs that were really made: decisions exact, what is recorded free, calls never above `high`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conversations import conversation, failed_conversation, freeze
from exaid_evals.clients.base import LLMClient
from exaid_evals.clients.cassette import read_cassette
from exaid_evals.clients.registry import build_client
from exaid_evals.clients.replay import Assumption
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.variant import LLMConfig, RetryConfig, StubLLMConfig, SummarizerConfig, load_variants
from exaid_evals.replay.forecast import Forecast, Measured, forecast, forecast_of_conversation
from exaid_evals.replay.run_log import read_run
from exaid_evals.replay.stage import Settings, plan_runs, run_variants
from exaid_evals.replay.working import read_nothing
from requested import changed
from servers.openai_server import Answer, OpenAIServer, Received, default_answer

CONVERSATIONS = [
    conversation(*(f"Evidence number {number} of splenomegaly. We should order imaging." for number in range(9))),
    conversation("A woman with hepatomegaly.", "Gaucher disease is likely.", case_id="case-2"),
    failed_conversation("case-3"),
]
VARIANTS = load_variants(configs_dir() / "variants")
LIVE = SummarizerConfig(
    llm=LLMConfig(client="openai", retry=RetryConfig(max_attempts=1)),
    stub=StubLLMConfig(concepts="conversations:build_words"),
)
SETTINGS = Settings(VARIANTS, LIVE, frozenset())
PointAt = Callable[[OpenAIServer], None]


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> PointAt:
    """Return a function that makes a server the live one."""

    def point(server: OpenAIServer) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "test-key-0123456789")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)

    return point


def client() -> LLMClient:
    """Return the live client, which describes itself."""
    return build_client(LIVE, read_concepts=read_nothing, reader_id="")


def forecasts(campaign: Campaign, settings: Settings = SETTINGS) -> dict[str, Forecast]:
    """Forecast what is left to do."""
    found = forecast(campaign, settings, plan_runs(campaign, settings), client())
    return {one.variant_id: one for one in found}


def run(campaign: Campaign, settings: Settings = SETTINGS) -> None:
    """Make the run."""
    run_variants(campaign, settings, plan_runs(campaign, settings), on_case=lambda _: None)


def n_events(campaign: Campaign, variant_id: str) -> tuple[int, int, int]:
    """Return flushes, decisions of a model and summaries of a variant's run logs."""
    logs = [read_run(path) for path in sorted((campaign.runs / variant_id).iterdir())]
    decisions = [decision for log in logs for decision in log.decisions if decision.llm_usage]
    return sum(len(log.flushes) for log in logs), len(decisions), sum(len(log.summaries) for log in logs)


def willing(received: Received) -> str:
    """Say yes to every question, so that every decision summarises."""
    answer = default_answer(received)
    return answer.replace("false", "true") if "NEW WORDS" in received.messages[1][1] else answer


def test_decisions_are_exact_and_calls_bounded(tmp_path: Path, point_at: PointAt) -> None:
    """Flushes and trigger calls come out as forecast; with a model that always says yes, so do the calls in all."""
    for answer, exact in ((default_answer, False), (willing, True)):
        campaign = freeze(tmp_path / str(exact), CONVERSATIONS)
        before = forecasts(campaign)
        assert not campaign.runs.exists()
        with OpenAIServer(answer=answer) as server:
            point_at(server)
            run(campaign)
        for variant_id, found in before.items():
            flushes, decisions, summaries = n_events(campaign, variant_id)
            assert (found.n_to_do, found.flushes) == (3, flushes)
            assert found.high.calls.get("trigger", 0) == decisions
            if variant_id != "V0":
                assert found.high.calls["summary"] == summaries if exact else summaries <= found.high.calls["summary"]
        asked = sum(len(read_cassette(path)[0]) for path in campaign.cassettes.iterdir())
        assert asked <= sum(found.high.n_calls for found in before.values())
    assert before["V0"].high.n_calls == 0


def test_prompts_are_the_real_ones(tmp_path: Path, point_at: PointAt) -> None:
    """Without history every prompt is known beforehand, to the CTU."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    [variant] = load_variants(configs_dir() / "variants", ["V1"])
    alone = replace(SETTINGS, variants=[variant.model_copy(update={"history_k": 0})])
    found = forecasts(campaign, alone)["V1"]
    with OpenAIServer() as server:
        point_at(server)
        run(campaign, alone)
    log = read_run(campaign.run_file("V1", "case-1"))
    other = read_run(campaign.run_file("V1", "case-2"))
    asked = sum(item.llm_usage["prompt_ctu"] or 0 for item in (*log.summaries, *other.summaries) if item.llm_usage)
    assert found.expected.prompt_ctu == found.high.prompt_ctu == asked > 0
    assert 0 < found.expected.completion_ctu < found.high.completion_ctu


def test_what_is_recorded_costs_nothing(tmp_path: Path, point_at: PointAt) -> None:
    """After a budget has stopped a run, exactly the missing calls are to come; when all are recorded, none is."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    with OpenAIServer(answer=willing) as server:
        point_at(server)
        run(campaign, changed(SETTINGS, max_calls=20))
        left = forecasts(campaign)
        to_come = sum(found.expected.n_calls for found in left.values())
        n_asked = len(server.requests)
        run(campaign)
        assert len(server.requests) - n_asked == to_come > 0
    again = forecasts(campaign, changed(SETTINGS, force=True))
    assert {found.expected.n_calls for found in again.values()} == {0}
    assert sum(found.recorded.n_calls for found in again.values()) == len(server.requests)
    assert {found.n_current for found in forecasts(campaign).values()} == {3}


def test_a_pilot_teaches_what_to_expect(tmp_path: Path, point_at: PointAt) -> None:
    """Recorded calls give share, length and tokens; where nothing was summarised, few summaries are expected."""

    def unwilling(*_: object) -> Answer:
        return Answer('{"completeness": true, "value": false, "novelty": true}')

    campaign = freeze(tmp_path, CONVERSATIONS)
    [variant] = load_variants(configs_dir() / "variants", ["V2"])
    only = replace(SETTINGS, variants=[variant])
    unknown = forecasts(campaign, only)["V2"]
    with OpenAIServer(unwilling) as server:
        point_at(server)
        run(campaign, changed(only, cases=["case-2"]))
    found = forecasts(campaign, only)["V2"]
    assert (found.measured.n_calls, found.measured.yes_share) == (2, 0.0)
    assert found.measured.prompt_tokens_per_ctu is not None
    assert (found.n_current, found.n_to_do) == (1, 2)
    assert found.expected.calls == {"trigger": 9}
    assert found.high.calls == {"trigger": 9, "summary": 9}
    assert unknown.expected.calls == unknown.high.calls == {"trigger": 11, "summary": 11}


def test_what_is_measured_is_what_the_recorded_calls_say(tmp_path: Path, point_at: PointAt) -> None:
    """Share of yes, mean length of a summary, and the provider's tokens a CTU; summed, not averaged over calls."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    only = replace(SETTINGS, variants=load_variants(configs_dir() / "variants", ["V2"]))
    with OpenAIServer() as server:
        point_at(server)
        run(campaign, only)
    [cassette] = campaign.cassettes.iterdir()
    records, _ = read_cassette(cassette)
    summaries = [one["usage"]["completion_ctu"] for one in records if one["request"]["task"] == "summary"]
    verdicts = [json.loads(one["response_text"]) for one in records if one["request"]["task"] == "trigger"]
    usages = [one["usage"] for one in records]
    assert 0 < len(summaries) < len(records)
    assert forecasts(campaign, changed(only, force=True))["V2"].measured == Measured(
        n_calls=len(records),
        yes_share=pytest.approx(sum(all(one.values()) for one in verdicts) / len(verdicts)),
        summary_ctu=pytest.approx(sum(summaries) / len(summaries)),
        prompt_tokens_per_ctu=pytest.approx(_sum(usages, "provider_prompt_tokens") / _sum(usages, "prompt_ctu")),
        completion_tokens_per_ctu=pytest.approx(
            _sum(usages, "provider_completion_tokens") / _sum(usages, "completion_ctu")
        ),
    )


def _sum(usages: Sequence[Mapping[str, int]], key: str) -> int:
    return sum(usage[key] for usage in usages)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (Measured(), Assumption("expected", fill=0.5)),
        (Measured(n_calls=3, yes_share=0.3), Assumption("expected", yes_share=0.3, fill=0.5)),
        (Measured(n_calls=3, summary_ctu=40.0), Assumption("expected", yes_share=1.0, fill=0.5, summary_ctu=40.0)),
    ],
)
def test_what_is_expected_follows_what_is_measured(measured: Measured, expected: Assumption) -> None:
    """Where no trigger was asked every decision summarises; a summary of unknown length is half as long as allowed."""
    assert measured.assumption == expected


def test_unusable_answers_are_named(tmp_path: Path, point_at: PointAt) -> None:
    """A case that recorded answers fail is reported by name, before it fails again."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    with OpenAIServer(lambda *_: Answer("nonsense")) as server:
        point_at(server)
        run(campaign, replace(SETTINGS, variants=load_variants(configs_dir() / "variants", ["V2"])))
    assert forecasts(campaign)["V2"].unusable == ("case-1", "case-2")


def test_a_forecast_writes_nothing(tmp_path: Path, point_at: PointAt) -> None:
    """Not even where a cassette's end is torn off."""
    campaign = freeze(tmp_path / "a", CONVERSATIONS)
    with OpenAIServer() as server:
        point_at(server)
        run(campaign)
    for path in campaign.cassettes.iterdir():
        path.write_bytes(path.read_bytes()[:-20])
    shutil.rmtree(campaign.runs)
    before = {path: path.read_bytes() for path in campaign.root.rglob("*") if path.is_file()}
    forecasts(campaign)
    assert {path: path.read_bytes() for path in campaign.root.rglob("*") if path.is_file()} == before


def test_conversation_that_is_not_frozen(tmp_path: Path) -> None:
    """Simulated conversation in place of the real one gives the same numbers as if it were frozen."""
    frozen = forecasts(freeze(tmp_path, CONVERSATIONS))
    simulated = list(forecast_of_conversation(SETTINGS, client(), CONVERSATIONS))
    assert [found.variant_id for found in simulated] == list(frozen)
    for found in simulated:
        assert (found.flushes, found.high.calls, found.n_current, found.measured) == (
            frozen[found.variant_id].flushes,
            frozen[found.variant_id].high.calls,
            0,
            Measured(),
        )
        assert found.measured.n_calls == 0


def test_a_part_that_cannot_be_forecast_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger of the user's own that fails on a made-up answer costs its variant's numbers alone."""
    (tmp_path / "raising_parts.py").write_text(
        "class RaisingTrigger:\n"
        "    def __init__(self, settings, client): pass\n"
        "    def decide(self, request): raise KeyError('no')\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    [broken, sound] = load_variants(configs_dir() / "variants", ["V1", "V2"])
    trigger = broken.trigger.model_validate({"kind": "raising_parts:RaisingTrigger"})
    found = forecasts(campaign, replace(SETTINGS, variants=[broken.model_copy(update={"trigger": trigger}), sound]))
    assert found["V2"].problem is None
    assert "RaisingTrigger failed" in str(found["V1"].problem)
    assert (found["V1"].flushes, found["V1"].high.n_calls) == (0, 0)
