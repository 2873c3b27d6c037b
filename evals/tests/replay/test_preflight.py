"""What stage 02 needs, checked before anything is spent: each part of the check by itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from conversations import conversation, failed_conversation, freeze
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.requests import RunsRequest
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.replay import preflight as module
from exaid_evals.replay.preflight import Preflight, preflight
from exaid_evals.replay.run_log import read_run
from exaid_evals.replay.stage import run_variants
from servers.openai_server import OpenAIServer

KEY = "sk-planted-0123456789abcdef"
CONVERSATIONS = [
    failed_conversation("case-1"),
    conversation("A woman with hepatomegaly.", "Gaucher disease is likely.", case_id="case-2"),
    conversation("A man with FEVER.", "We should order imaging.", case_id="case-3"),
]


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Return three frozen cases, the first of which failed."""
    return freeze(tmp_path / "data", CONVERSATIONS)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Return configurations with a reader that loads nothing."""
    folder = tmp_path / "configs"
    shutil.copytree(configs_dir(), folder)
    change(folder, "stub", concepts="conversations:build_words")
    return folder


def change(configs: Path, block: str, **values: Any) -> None:
    """Set values of a block of summarizer.yaml."""
    path = configs / "summarizer.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings[block] |= values
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")


def checked(campaign: Campaign, configs: Path, *variants: str, traces_required: bool = True, **asked: Any) -> Preflight:
    """Check what a request needs."""
    request = RunsRequest(data_dir=campaign.root, config_dir=configs, variants=variants, **asked)
    return preflight(request, traces_required=traces_required)


def do(ready: Preflight, campaign: Campaign) -> None:
    """Run what was checked."""
    settings, plan = ready.required()
    run_variants(campaign, settings, plan, on_case=lambda _: None)


def live_at(monkeypatch: pytest.MonkeyPatch, server: OpenAIServer) -> None:
    """Make a server the live one."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)


def test_everything_that_a_run_takes(campaign: Campaign, configs: Path) -> None:
    """Settings from the folder, the plan, the client; nothing is written."""
    (configs / "stop_entities.txt").write_text("fever\n", encoding="utf-8")
    ready = checked(campaign, configs, "V0", "V3")
    settings, plan = ready.required()
    assert settings.stop_entities == {"fever"}
    assert settings.summarizer.stub.concepts == "conversations:build_words"
    assert [variant.variant_id for variant in ready.variants] == ["V0", "V3"]
    assert [work.entry.case_id for work in plan.work] == ["case-1", "case-2", "case-3"]
    assert ready.client is not None
    assert ready.config is not None
    assert (ready.problems, campaign.runs.exists()) == ((), False)


def test_the_shipped_reader_is_left_to_the_workers(
    campaign: Campaign, configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stub with the shipped vocabulary is described without loading it; another reader, or a live model, is not."""
    loaded: list[str] = []
    monkeypatch.setattr(
        module, "make_client", lambda summarizer, _: loaded.append(summarizer.llm.client + summarizer.stub.concepts)
    )
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for client, reader in (("stub", "lexicon"), ("stub", "conversations:build_words"), ("openai", "lexicon")):
        change(configs, "stub", concepts=reader)
        checked(campaign, configs, "V0", llm=client, force=True, limit=1)
    assert loaded == ["stubconversations:build_words", "openailexicon"]


def test_the_shortcut_describes_a_stub(campaign: Campaign) -> None:
    """What stands for the stub with the shipped reader answers as a stub."""
    client = checked(campaign, configs_dir(), "V0").client
    assert client is not None
    assert client.stub
    assert client.parameters


def test_a_reader_that_cannot_be_loaded_is_a_problem(campaign: Campaign, configs: Path) -> None:
    """It is found before the run, and only where there is something to run."""
    change(configs, "stub", concepts="conversations:no_such")
    [problem] = checked(campaign, configs, "V0").problems
    assert "no_such" in str(problem)


def test_where_nothing_is_left_no_client_is_built(campaign: Campaign, configs: Path) -> None:
    """A finished run is checked without a client, and what is left is nothing."""
    do(checked(campaign, configs, "V0"), campaign)
    ready = checked(campaign, configs, "V0")
    assert ready.client is None
    assert ready.required()[1].work == []
    assert checked(campaign, configs, "V0", force=True).client is not None


def test_no_traces_are_a_problem_where_they_are_required(tmp_path: Path, configs: Path) -> None:
    """Of a run they are, of a forecast they need not be; the client is described all the same."""
    empty = Campaign(tmp_path / "empty")
    with pytest.raises(DataError, match="make-traces"):
        preflight(RunsRequest(data_dir=empty.root, config_dir=configs, variants=("V0",))).required()
    ready = checked(empty, configs, "V0", traces_required=False)
    assert (ready.plan, ready.problems) == (None, ())
    assert ready.client is not None
    assert ready.remarks == ()


def test_frozen_traces_are_checked_also_for_a_forecast(campaign: Campaign, configs: Path) -> None:
    """Where there are some, they must be what was frozen."""
    campaign.trace_file("case-2").unlink()
    [problem] = checked(campaign, configs, "V0", traces_required=False).problems
    assert "case-2" in str(problem)


def test_a_bad_configuration_hides_no_damaged_trace(campaign: Campaign, configs: Path) -> None:
    """Both are reported; without settings there is no client, and no plan that could be run."""
    (configs / "summarizer.yaml").write_text("llm: {temperatur: 0}\n", encoding="utf-8")
    campaign.trace_file("case-2").unlink()
    ready = checked(campaign, configs, "V0")
    reported = "\n".join(map(str, ready.problems))
    assert "temperatur" in reported
    assert "case-2" in reported
    assert (ready.settings, ready.plan, ready.client) == (None, None, None)
    with pytest.raises(ConfigError, match="temperatur"):
        ready.required()


@pytest.mark.parametrize("missing", ["stop_entities.txt", "variants/V1.yaml"])
def test_without_all_of_the_configuration_nothing_is_planned(campaign: Campaign, configs: Path, missing: str) -> None:
    """A stop list that cannot be read, and one variant of two: each is a problem, and the plan is not for running."""
    path = configs / missing
    path.unlink()
    if path.suffix == ".txt":
        path.mkdir()
    ready = checked(campaign, configs, "V0", "V1")
    assert len(ready.problems) == 1
    assert ready.plan is None
    with pytest.raises(ConfigError):
        ready.required()


def test_problems_of_parts_are_those_of_the_configured_client(campaign: Campaign, configs: Path) -> None:
    """A live client without its key is one problem, told by its name; a stub needs none."""
    [problem] = checked(campaign, configs, "V3", llm="openai").problems
    assert "OPENAI_API_KEY" in str(problem)
    assert checked(campaign, configs, "V3", llm="stub").problems == ()


def test_a_name_keeps_runs_beside_others(campaign: Campaign, configs: Path) -> None:
    """Each variant gets it; one that becomes too long is refused with the option to change."""
    assert [one.variant_id for one in checked(campaign, configs, "V0", "V3").variants] == ["V0", "V3"]
    ready = checked(campaign, configs, "V0", "V3", runs_name="b")
    assert [one.variant_id for one in ready.variants] == ["V0-b", "V3-b"]
    assert ready.problems == ()
    text = (configs / "variants" / "V0.yaml").read_text(encoding="utf-8")
    long = "A" * 25
    (configs / "variants" / f"{long}.yaml").write_text(text.replace("V0", long), encoding="utf-8")
    [problem] = checked(campaign, configs, long, "V3", runs_name="b" * 20).problems
    assert str(problem).startswith(f"--runs-name: {long}-{'b' * 20}: longer than the 32 characters")
    assert "choose a shorter one" in str(problem)


def test_remarks_are_about_the_cases_asked_for(
    campaign: Campaign, configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told the variants, the cases, and whether the conversation is simulated."""
    seen: list[tuple[list[str], list[str], bool]] = []

    def remarks(variants: Any, cases: list[str], *, stub_conversation: bool = False) -> list[str]:
        seen.append(([one.variant_id for one in variants], cases, stub_conversation))
        return ["look"]

    monkeypatch.setattr(module, "remarks", remarks)
    assert checked(campaign, configs, "V0", limit=2).remarks == ("look",)
    assert seen == [(["V0"], ["case-1", "case-2"], True)]


def test_recordings_are_looked_at_before_a_replay(
    campaign: Campaign, configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing for a replay, damaged for any live run; V0 asks nothing, and the failed first case is not probed."""
    with OpenAIServer() as server:
        live_at(monkeypatch, server)
        [problem] = checked(campaign, configs, "V0", "V2", llm="replay").problems
        assert str(problem).startswith(str(campaign.cassettes))
        assert "no recordings here" in str(problem)
        assert "exaid-evals run-variants --llm openai" in str(problem)
        campaign.cassettes.mkdir()
        [problem] = checked(campaign, configs, "V0", "V2", llm="replay").problems
        assert str(problem).startswith(f"{campaign.cassettes}: case-2 under V2")
        assert "exaid-evals run-variants --llm openai" in str(problem)
        assert checked(campaign, configs, "V0", llm="replay").problems == ()
        assert checked(campaign, configs, "V2", llm="openai").problems == ()
        assert server.requests == []
        do(checked(campaign, configs, "V2", "V4", llm="openai"), campaign)
    assert checked(campaign, configs, "V2", "V4", llm="replay", force=True).problems == ()
    log = campaign.run_file("V4", "case-2")
    cassette = campaign.cassette_file(read_run(log).meta["eval_run_id"])
    cassette.write_bytes(b"no archive")
    for llm in ("replay", "openai"):
        [problem] = checked(campaign, configs, "V0", "V4", llm=llm, force=True).problems
        assert cassette.name in str(problem)
    # Where nothing of a variant is left to do, its recording is not needed; that of the next one is.
    assert checked(campaign, configs, "V2", "V4", llm="openai").problems == ()
    log.unlink()
    [problem] = checked(campaign, configs, "V2", "V4", llm="openai").problems
    assert cassette.name in str(problem)


def test_the_first_case_left_is_probed(campaign: Campaign, configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first that did not fail, as the run would meet it."""
    probed: list[str] = []
    campaign.cassettes.mkdir()
    monkeypatch.setattr(module, "_probe", lambda _campaign, _run, _client, entry: probed.append(entry.case_id))
    assert checked(campaign, configs, "V0", "V2", llm="replay").problems == ()
    assert probed == ["case-2", "case-2"]
    assert checked(campaign, configs, "V2", llm="replay", limit=1).problems == ()
    assert probed == ["case-2", "case-2"]
