"""Parts of one's own: named by `module:attribute` in YAML, or registered by an installed package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conversations import freeze
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.replay.run_log import read_run
from exaid_evals.traces.model import Message, Provenance, Trace

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
PARTS = ("sentence_gate", "keyword_trigger", "lead_summarizer", "echo_client")
CONVERSATION = ["A girl with fever.", "JIA is likely. I recommend ferritin. Is there a rash? There was one."]


@pytest.fixture(autouse=True)
def _fresh_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test import the parts from where it has put them."""
    for name in PARTS:
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Path:
    """Return a campaign with one small conversation."""
    made_by = Provenance("", "0" * 40, "model-1", stub=False)
    messages = tuple(
        Message(agent, text, 0) for agent, text in zip(("supervisor", "doctor0"), CONVERSATION, strict=True)
    )
    freeze(tmp_path / "data", [Trace("case-a1", "2025-01-31T09:00:00Z", messages, made_by)])
    return tmp_path / "data"


def replay(data: Path, variants: Path, configs: Path) -> None:
    """Replay the conversation through a folder of variants."""
    arguments = ["--variants-dir", str(variants), "--config-dir", str(configs), "--data-dir", str(data)]
    assert run(["run-variants", *arguments]) == 0


def configs_with(folder: Path, **llm: str) -> Path:
    """Return a copy of the configurations with other settings of the language model."""
    shutil.copytree(configs_dir(), folder)
    path = folder / "summarizer.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["llm"] |= llm
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def variant(folder: Path, **parts: Any) -> Path:
    """Write a variant `Own` of the parts that are given."""
    folder.mkdir(exist_ok=True)
    default = {"gate": {"kind": "message"}, "trigger": {"kind": "always"}, "summarizer": {"kind": "structured"}}
    (folder / "Own.yaml").write_text(yaml.safe_dump({"variant_id": "Own", "history_k": 0, **default, **parts}), "utf-8")
    return folder


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_ones_own_is_short(name: str) -> None:
    """Each example stands on its own in fewer than 30 lines."""
    assert len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) < 30


def test_own_gate_and_trigger(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks leave after two sentences, across messages; a window without the words is held until one is said."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    replay(data, EXAMPLES / "variants", configs_dir())
    log = read_jsonl(data / "runs" / "Sentences" / "case-a1.jsonl.gz")
    flushes = [item for item in log if item["record_type"] == "gate_flush"]
    assert [(item["start_seq"], item["start_char"], item["end_seq"], item["end_char"]) for item in flushes] == [
        (0, 0, 1, len("JIA is likely. ")),
        (1, len("JIA is likely. "), 1, len("JIA is likely. I recommend ferritin. Is there a rash? ")),
        (1, len("JIA is likely. I recommend ferritin. Is there a rash? "), 1, len(CONVERSATION[1])),
    ]
    decisions = [item["decision"] for item in log if item["record_type"] == "trigger_decision"]
    assert decisions == ["summarize", "summarize", "summarize"]
    assert run(["validate", "--data-dir", str(data)]) == 0


def test_own_trigger_holds_until_the_word(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first message lacks the word and is held; the second brings it, and both are summarised."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    trigger = {"kind": "keyword_trigger:KeywordTrigger", "words": ["Ferritin"]}
    replay(data, variant(tmp_path / "variants", trigger=trigger), configs_dir())
    log = read_jsonl(data / "runs" / "Own" / "case-a1.jsonl.gz")
    assert [item["decision"] for item in log if item["record_type"] == "trigger_decision"] == ["hold", "summarize"]
    assert [(item["start_seq"], item["end_seq"]) for item in log if item["record_type"] == "summary"] == [(0, 1)]


def test_own_client(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client that summarizer.yaml names answers, and the run log says which it was."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    configs = configs_with(tmp_path / "configs", client="echo_client:build", model="echo-7")
    replay(data, variant(tmp_path / "variants"), configs)
    path = data / "runs" / "Own" / "case-a1.jsonl.gz"
    llm = read_jsonl(path)[0]["llm"]
    assert (llm["client"], llm["model"]) == ("echo", "echo-7")
    assert [item.summary_content["key_findings"] for item in read_run(path).summaries] == [
        "[supervisor] A girl with fever.",
        f"[doctor0] {CONVERSATION[1]}",
    ]


def install(folder: Path, **groups: str) -> None:
    """Install a tiny distribution: its modules, and the metadata that a package manager would leave beside them."""
    folder.mkdir()
    for name in PARTS:
        shutil.copy(EXAMPLES / f"{name}.py", folder)
    info = folder / "my_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-parts\nVersion: 1.0\n", encoding="utf-8")
    text = "".join(f"[exaid_evals.{group}]\nmine = {target}\n" for group, target in groups.items())
    (info / "entry_points.txt").write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_parts_of_an_installed_package(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gate, trigger, summarizer and client go by the names under which a package registers them."""
    install(
        tmp_path / "site",
        gates="sentence_gate:SentenceGate",
        triggers="keyword_trigger:KeywordTrigger",
        summarizers="lead_summarizer:LeadSummarizer",
        clients="echo_client:build",
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    configs = configs_with(tmp_path / "configs", client="mine", model="echo-7")
    parts = {
        "gate": {"kind": "mine", "sentences": 2},
        "trigger": {"kind": "mine", "words": ["ferritin"]},
        "summarizer": {"kind": "mine", "max_chars": 50},
    }
    replay(data, variant(tmp_path / "variants", **parts), configs)
    path = data / "runs" / "Own" / "case-a1.jsonl.gz"
    assert read_jsonl(path)[0]["llm"]["client"] == "echo"
    assert [item.summary_content["key_findings"][:18] for item in read_run(path).summaries] == [
        "A girl with fever.",
        "There was one.",
    ]


def test_an_importer_of_an_installed_package_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--format auto` asks other packages' importers too, and theirs before the built-in ones."""
    install(tmp_path / "site", importers="shouting_importer:Shouting")
    code = """
from exaid_evals.traces.importers.csv_table import CsvImporter

class Shouting(CsvImporter):
    name = "shouting"
    def claims(self, source):
        return source.text.isupper()
"""
    (tmp_path / "site" / "shouting_importer.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    path = tmp_path / "t.csv"
    path.write_text("CASE_ID,AGENT,CONTENT\nA,HOUSE,FEVER.\n", encoding="utf-8")
    assert run(["import-traces", str(path), "--model", "m", "--data-dir", str(tmp_path / "new")]) == 0
    manifest = read_jsonl(Campaign(tmp_path / "new").manifest_file)[0]
    assert "imported from 1 shouting file" in manifest["mas_generation_config"]["decoding_note"]


def test_a_misspelt_part_is_named_with_the_nearest(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Near misses among installed parts are suggested, before anything is run."""
    install(tmp_path / "site", gates="sentence_gate:SentenceGate")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    folder = variant(tmp_path / "variants", gate={"kind": "mien"})
    assert run(["run-variants", "--variants-dir", str(folder), "--data-dir", str(data)]) == 2
    assert "did you mean `mine`" in capsys.readouterr().err
