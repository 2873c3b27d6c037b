"""`exaid-evals plan`: every setting with its source, what is to come, every problem at once, and nothing spent."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from conversations import conversation, failed_conversation, freeze
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import configs_dir
from servers.openai_server import OpenAIServer

CONVERSATIONS = [
    conversation(*(f"Evidence number {number} of splenomegaly. We should order imaging." for number in range(6))),
    conversation("A woman with hepatomegaly.", "Gaucher disease is likely.", case_id="case-2"),
    failed_conversation("case-3"),
]
KEY = "sk-planted-0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "GOOGLE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Return configurations with a reader that loads nothing."""
    folder = tmp_path / "configs"
    shutil.copytree(configs_dir(), folder)
    settings = yaml.safe_load((folder / "summarizer.yaml").read_text(encoding="utf-8"))
    settings["stub"]["concepts"] = "conversations:build_words"
    (folder / "summarizer.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def planned(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> dict[str, Any]:
    """Run the verb with --json, and return what it says."""
    capsys.readouterr()
    assert run(["plan", "--json", *map(str, arguments)]) == status
    out, _ = capsys.readouterr()
    facts: dict[str, Any] = json.loads(out)
    return facts


def test_settings_have_their_sources(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Command line before environment before file before default, each named."""
    freeze(tmp_path / "data", CONVERSATIONS)
    (configs / "summarizer.yaml").write_text("llm: {temperature: 0.5}\n", encoding="utf-8")
    monkeypatch.setenv("EXAID_LLM", "openai")
    monkeypatch.setenv("EXAID_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    facts = planned(capsys, "--config-dir", configs, "--model", "m-1")
    settings = facts["stages"]["run-variants"]["configuration"]["summarizer.yaml"]
    assert settings["llm.model"] == {"source": "--model", "value": "m-1"}
    assert settings["llm.client"] == {"source": "EXAID_LLM", "value": "openai"}
    assert settings["llm.temperature"] == {"source": str(configs / "summarizer.yaml"), "value": 0.5}
    assert settings["llm.timeout_s"] == {"source": "default", "value": 60.0}
    assert facts["options"]["data-dir"] == {"source": "EXAID_DATA_DIR", "value": str(tmp_path / "data")}
    assert facts["options"]["config-dir"]["source"] == "--config-dir"
    assert facts["environment"]["OPENAI_API_KEY"] == "set"
    assert facts["problems"] == []


def test_stub_mode_is_named_as_it_was_chosen(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """EXAID_STUB_MODE and its short form are distinguished."""
    freeze(tmp_path, CONVERSATIONS)
    monkeypatch.setenv("EXAID_STUB", "1")
    facts = planned(capsys, "--config-dir", configs, "--data-dir", tmp_path)
    client = facts["stages"]["run-variants"]["configuration"]["summarizer.yaml"]["llm.client"]
    assert client == {"source": "EXAID_STUB", "value": "stub"}
    assert facts["total"]["expected"]["calls"] == 0  # what is simulated is not to be paid for


def test_a_campaign_is_planned_run_and_planned_again(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases, frozen, failed, to do, recorded; a budget too small is reported; after the run nothing is to come."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    arguments = ["--data-dir", campaign.root, "--config-dir", configs, "--llm", "openai"]
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        facts = planned(capsys, *arguments, "--price-input", "2", "--price-output", "8")
        assert server.requests == []
        assert not campaign.runs.exists()
        assert not campaign.cassettes.exists()
        stage = facts["stages"]["run-variants"]
        assert stage["cases"] == {"failed": 1, "first": ["case-1", "case-2", "case-3"], "frozen": 3, "wanted": 3}
        total = facts["total"]["high"]
        assert total["cost"] == pytest.approx((total["prompt_ctu"] * 2 + total["completion_ctu"] * 8) / 1e6, abs=1e-6)
        assert run(["plan", *map(str, arguments), "--max-calls", "3"]) == 0
        assert "--max-calls 3 will stop before the expected" in capsys.readouterr().out
        assert run(["run-variants", *map(str, arguments), "-j", "2"]) == 0
        n_calls = len(server.requests)
        assert 0 < n_calls <= total["calls"]
    done = planned(capsys, *arguments)
    assert done["stages"]["run-variants"]["calls"] == {"nothing_to_do": True, "conversation": "frozen", "variants": []}
    again = planned(capsys, *arguments, "--force")
    variants = again["stages"]["run-variants"]["calls"]["variants"]
    assert sum(one["recorded"]["calls"] for one in variants) == n_calls
    assert again["total"]["expected"]["calls"] == 0
    assert planned(capsys, *arguments[:-1], "replay", "--force")["problems"] == []


def test_every_problem_at_once_and_the_run_says_the_same(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key, a file, a part, a name and changed traces: `plan` and `run-variants` name all five, and spend nothing."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    campaign.trace_file("case-2").unlink()
    variants = configs / "variants"
    (variants / "V1.yaml").write_text("variant_id: V1\ngate: {kind: fixed_ctu}\nhistory: 3\n", encoding="utf-8")
    text = (variants / "V2.yaml").read_text(encoding="utf-8")
    (variants / "V2.yaml").write_text(text.replace("kind: message", "kind: massage"), encoding="utf-8")
    arguments = ["V1", "V2", "V9", "--data-dir", str(campaign.root), "--config-dir", str(configs), "--llm", "openai"]
    problems = planned(capsys, *arguments, status=2)["problems"]
    for reported in (
        "OPENAI_API_KEY: no API key",
        "history: unknown key",
        "no gate is called 'massage'",
        "'V9'",
        "case-2",
    ):
        assert any(reported in problem["text"] for problem in problems), reported
    assert {problem["exit_status"] for problem in problems} == {1, 2}
    assert run(["run-variants", *arguments]) == 2
    err = capsys.readouterr().err
    assert all(problem["text"] in err for problem in problems)
    assert not campaign.runs.exists()


def test_damaged_data_alone_is_status_1(tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Traces that are not what was frozen, and nothing else."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    campaign.trace_file("case-2").unlink()
    arguments = ["--data-dir", str(campaign.root), "--config-dir", str(configs)]
    [problem] = planned(capsys, *arguments, status=1)["problems"]
    assert "missing: traces/case-2.jsonl.gz" in problem["text"]
    assert run(["run-variants", *arguments]) == 1


def test_stage_01_names_every_problem(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No MAC, no key, no campaign to exclude, a wrong setting: `plan` and `make-traces` name the same."""
    monkeypatch.setattr("exaid_evals.traces.plan.default_mac_dir", lambda: tmp_path / "nowhere")
    monkeypatch.setattr("exaid_evals.traces.mac.prepare.require_autogen", lambda: None)
    (configs / "dataset.yaml").write_text("n_cases: 0\n", encoding="utf-8")
    arguments = ["--data-dir", str(tmp_path / "data"), "--config-dir", str(configs)]
    problems = planned(capsys, *arguments, "--stage", "make-traces", status=2)["problems"]
    texts = "\n".join(problem["text"] for problem in problems)
    assert len(problems) == 3
    for reported in ("n_cases", "MAC is not here", "OPENAI_API_KEY"):
        assert reported in texts
    assert run(["make-traces", *arguments]) == 2
    err = capsys.readouterr().err
    assert all(problem["text"] in err for problem in problems)
    assert not (tmp_path / "data").exists()


def test_a_recording_that_is_missing_is_found_before_the_replay(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the folder, and with one of another model: variant, case and the field that differs; the run refuses."""
    live, again = freeze(tmp_path / "live", CONVERSATIONS), freeze(tmp_path / "again", CONVERSATIONS)
    options = ["V2", "--config-dir", str(configs)]
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert run(["run-variants", *options, "--data-dir", str(live.root), "--llm", "openai", "--model", "m-1"]) == 0
    replay = [*options, "--data-dir", str(again.root), "--llm", "replay"]
    [problem] = planned(capsys, *replay, status=2)["problems"]
    assert "no recordings here" in problem["text"]
    assert "`exaid-evals run-variants --llm openai` for this --data-dir" in problem["text"]
    shutil.copytree(live.cassettes, again.cassettes)
    for arguments in (["plan"], ["run-variants"]):
        assert run([*arguments, *replay]) == 2
        out, err = capsys.readouterr()
        assert "case-1 under V2, call 1 (trigger) was not recorded: it differs from the nearest" in out + err
        assert 'model: "m-1" was recorded, "gpt-4o-mini" is asked' in out + err
    assert not again.runs.exists()
    facts = planned(capsys, *replay, "--model", "m-1")
    assert facts["total"]["expected"]["calls"] == 0


def test_simulated_conversation_stands_in_for_what_is_not_there(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before stage 01, the middleware's calls are forecast over simulated conversations, and nothing is written."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    arguments = [
        "--source",
        "small_cases:load",
        "--mode",
        "all",
        "--stub",
        "--limit",
        "2",
        "--data-dir",
        tmp_path / "data",
    ]
    facts = planned(capsys, *arguments, "--config-dir", configs)
    assert facts["stages"]["make-traces"]["conversation"] == "simulated"
    calls = facts["stages"]["run-variants"]["calls"]
    assert calls["conversation"] == "simulated"
    assert [one["runs_to_do"] for one in calls["variants"]] == [2] * 5
    assert not (tmp_path / "data").exists()


def test_no_key_is_ever_shown(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of the environment nor out of a base URL nor where one was written into a configuration."""
    freeze(tmp_path / "data", CONVERSATIONS)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://planteduser:plantedpass@127.0.0.1:9/v1?token=plantedtoken")
    arguments = ["--data-dir", str(tmp_path / "data"), "--config-dir", str(configs), "--llm", "openai"]
    for change in ({}, {"model": KEY}, {"api_key": KEY}, {"timeout_s": KEY}):
        (configs / "summarizer.yaml").write_text(yaml.safe_dump({"llm": change}), encoding="utf-8")
        for form in ([], ["--json"]):
            run(["plan", *arguments, *form])
            output = "".join(capsys.readouterr())
            for secret in (KEY, "planteduser", "plantedpass", "plantedtoken"):
                assert secret not in output
            assert "http://127.0.0.1:9/v1" in output


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--price-input", "1"], "give both"),
        (["--stub", "--llm", "openai"], "in stub mode"),
        (["--stage", "make-traces", "--llm", "echo:build"], "does not answer MAC"),
    ],
)
def test_contradictions_are_wrong_usage(
    arguments: list[str], reported: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and what to do."""
    assert run(["plan", "--data-dir", str(tmp_path), *arguments]) == 2
    assert reported in capsys.readouterr().err


def test_the_text_tells_what_the_json_tells(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of the variants, totals, and the verdict."""
    freeze(tmp_path / "data", CONVERSATIONS)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    arguments = ["--data-dir", str(tmp_path / "data"), "--config-dir", str(configs), "--llm", "openai"]
    facts = planned(capsys, *arguments)
    assert run(["plan", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line[:2] in ("V0", "V1", "V2", "V3", "V4")}
    for one in facts["stages"]["run-variants"]["calls"]["variants"]:
        counts = [one["runs_to_do"], one["runs_current"], one["flushes"], one["recorded"]["calls"]]
        counts += [one["expected"]["calls"], one["high"]["calls"]]
        assert rows[one["variant_id"]][1:7] == [f"{count:,}" for count in counts]
    assert lines[-1] == "no problem: ready"
