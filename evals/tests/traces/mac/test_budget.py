"""A budget over MAC's own calls: it stops cleanly, keeps what was paid for, and the next command goes on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from checking import found_in_campaign
from exaid_evals.clients.base import Budget
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import MacConfig, MasGenerationConfig, Stage
from exaid_evals.traces.generate import Result, make_traces
from exaid_evals.traces.mac.calls import completion_ctu, prompt_ctu
from exaid_evals.traces.mac.forecast import Forecast, forecast
from exaid_evals.traces.mac.recording import read_recording
from folders import contents
from traces.mac.harness import CASES, Checkout, command_line, cue, environment, planned, replayed, said
from traces.mac.provider import Provider

CALLS_OF_A_CASE = 8


def made(folder: Path, mac: Checkout, provider: Provider, *, jobs: int = 2, **budget: int) -> Result:
    """Run the stage within a budget."""
    return make_traces(planned(folder, mac, provider.base_url), jobs=jobs, budget=Budget(**budget))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 3])
def test_legs_of_a_budget_make_the_conversation_that_one_call_makes(
    tmp_path: Path, mac: Checkout, provider: Provider, jobs: int
) -> None:
    """The model is asked as often as the budget says and not once more, and no call is made twice."""
    legs: list[Result] = []
    while not legs or legs[-1].left:
        legs.append(made(tmp_path / "cut", mac, provider, jobs=jobs, max_calls=7))
        assert Campaign(tmp_path / "cut").manifest_file.exists() == (not legs[-1].left)
    assert [leg.spent.calls for leg in legs] == [7, 7, 7, 3]
    assert all("the budget of 7 calls is used up; the same command" in str(leg.stopped) for leg in legs[:-1])
    assert (legs[-1].stopped, legs[-1].failed) == (None, ())
    assert provider.n_repeated == 0
    made(tmp_path / "whole", mac, provider)
    for case_id in CASES:
        assert said(tmp_path / "cut", case_id) == said(tmp_path / "whole", case_id)
    assert found_in_campaign(Campaign(tmp_path / "cut")) == []


def test_finished_cases_are_kept_and_counted(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """With calls for one case and a half, one trace is there, two are left, and no case has failed."""
    result = made(tmp_path, mac, provider, jobs=1, max_calls=CALLS_OF_A_CASE + 3)
    assert (result.made, result.left, result.failed) == (CASES[:1], 2, ())
    assert [path.name for path in Campaign(tmp_path).traces.iterdir()] == [f"{CASES[0]}.jsonl.gz"]
    again = made(tmp_path, mac, provider)
    assert (again.reused, again.spent.calls) == (CASES[:1], 2 * CALLS_OF_A_CASE - 3)


def test_ctu_are_those_of_prompts_and_answers(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """What a run has spent is the sum over its recording; a smaller budget is never exceeded by a prompt."""
    result = made(tmp_path / "a", mac, provider)
    [path] = Campaign(tmp_path / "a").cassettes.iterdir()
    calls = [record for record in read_recording(path)[0] if record["record_type"] == "mac_call"]
    total = sum(prompt_ctu(call["request"]) + completion_ctu(call["response"]) for call in calls)
    assert (result.spent.calls, result.spent.ctu) == (len(calls), total)
    cut = made(tmp_path / "b", mac, provider, jobs=1, max_ctu=total // 2)
    longest = max(completion_ctu(call["response"]) for call in calls)
    assert 0 < cut.spent.ctu <= total // 2 + longest
    assert "--max-ctu" in str(cut.stopped)


def test_a_stopped_generation_replays_once_it_is_whole(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """In legs or at once: the recording gives the same campaign again."""
    for _ in range(4):
        made(tmp_path / "cut", mac, provider, max_calls=7)
    replayed(tmp_path / "again", tmp_path / "cut", mac)
    assert contents(tmp_path / "again") == contents(tmp_path / "cut")


def test_a_failure_under_a_budget_stays_a_failure(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """What MAC raises fails its case; what the budget refuses fails none."""
    provider.script = cue("case-1002", 2, "<<raise>>")
    result = made(tmp_path, mac, provider, jobs=1, max_calls=6)
    assert [case_id for case_id, _ in result.failed] == ["case-1002"]
    assert result.left == 2


@pytest.mark.slow
def test_the_verb_exits_with_3_and_says_how_to_go_on(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """Exit status 3 and what is left; then 0, with the rest of the calls."""
    command = command_line(tmp_path, mac, "-j", "2", "--data-dir", str(tmp_path / "data"))
    cut = subprocess.run(
        [*command, "--max-calls", "10"], env=environment(provider), capture_output=True, text=True, check=False
    )
    assert cut.returncode == 3, cut.stderr
    assert "and nothing frozen: the budget of 10 calls is used up; the same command goes on from here" in cut.stderr
    assert "10 requests to the model" in cut.stdout
    rest = subprocess.run(command, env=environment(provider), capture_output=True, text=True, check=False)
    assert rest.returncode == 0, rest.stderr
    assert len(provider.asked) == 3 * CALLS_OF_A_CASE


def forecast_of(folder: Path, checkout: Checkout, **settings: object) -> Forecast:
    """Forecast the stage."""
    plan = planned(folder, checkout)
    assert plan.live is not None
    generation = plan.generation_config.model_copy(update=settings)
    return forecast(generation, plan.cases, plan.live.recording)


def test_a_forecast_before_anything_is_recorded(tmp_path: Path, mac: Checkout) -> None:
    """By MAC's rounds: 12 messages a case at most, each speaker asked for up to four times; the commit is unknown."""
    found = forecast_of(tmp_path, mac)
    assert (found.n_to_do, found.n_recorded, found.ctu_known) == (3, 0, False)
    assert found.high.calls == {"speaker": 3 * 12 * 4, "message": 3 * 12}
    assert found.expected.calls == {"speaker": 3 * 10, "message": 3 * 10}
    pinned = forecast_of(tmp_path, mac, mac=MacConfig())
    assert pinned.ctu_known
    # Four instructions of a speaker's choice are about 2,100 CTU, those of an agent about 500.
    assert pinned.expected.prompt_ctu - found.expected.prompt_ctu == 30 * (2185 + round((3 * 467 + 675) / 4))


def test_the_follow_up_stage_has_its_own_instructions(tmp_path: Path, mac: Checkout) -> None:
    """The prompts of the two stages differ, and the presentation is longer."""
    initial = forecast_of(tmp_path, mac, mac=MacConfig())
    follow_up = forecast_of(tmp_path, mac, mac=MacConfig(stage=Stage.FOLLOW_UP))
    assert initial.expected.prompt_ctu != follow_up.expected.prompt_ctu


def test_recorded_cases_teach_what_to_expect(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """After one case, the others are expected to be like it; what is recorded of them is taken off."""
    made(tmp_path, mac, provider, jobs=1, max_calls=CALLS_OF_A_CASE + 3)
    found = forecast_of(tmp_path, mac)
    assert (found.n_to_do, found.n_recorded, found.recorded.n_calls) == (2, 1, CALLS_OF_A_CASE + 3)
    assert found.expected.n_calls == 2 * CALLS_OF_A_CASE - 3
    assert found.basis == "the 1 recorded cases"
    n_asked = len(provider.asked)
    made(tmp_path, mac, provider)
    assert len(provider.asked) - n_asked == found.expected.n_calls
    done = forecast_of(tmp_path / "elsewhere", mac)
    assert done.n_to_do == 3


def test_the_default_configuration_is_forecast_with_known_instructions() -> None:
    """The commit that is pinned is one whose prompts were measured."""
    found = forecast(MasGenerationConfig(), [], Path("nowhere"))
    assert found.ctu_known
    assert found.expected.n_calls == 0
