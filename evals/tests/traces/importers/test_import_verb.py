"""The verb: what it writes, says and exits with."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from traces.importers.reading import write

_CONVERSATION = "case_id,agent,content,t_ms\na1,House,A girl with fever.,0\na1,Wilson,JIA is likely.,4000\n"


@pytest.fixture(name="conversation")
def _conversation(tmp_path: Path) -> Path:
    return write(tmp_path / "talk.csv", _CONVERSATION)


def call(*arguments: str | Path, data: Path) -> int:
    """Run the verb over a campaign."""
    return run(["import-traces", *map(str, arguments), "--data-dir", str(data)])


def test_imported_conversation_goes_through_the_pipeline(
    conversation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is imported is frozen, replayed, and valid, records of every kind included."""
    data = tmp_path / "data"
    assert call(conversation, "--model", "m-1", "--note", "from my ward", data=data) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {key: rows[key] for key in ("format", "cases", "messages", "agents", "times", "stub")} == {
        "format": "csv (1)",
        "cases": "1",
        "messages": "2",
        "agents": "House = supervisor, Wilson = doctor0",
        "times": "recorded, without dates",
        "stub": "no",
    }
    assert run(["run-variants", "V0", "--data-dir", str(data)]) == 0
    assert run(["validate", "--data-dir", str(data)]) == 0
    manifest = read_manifest(Campaign(data).manifest_file)
    assert (manifest.generation.base_model, manifest.stub) == ("m-1", False)
    assert manifest.generation.decoding_note.startswith("from my ward; imported from 1 csv file; ")


def test_the_same_files_give_the_same_bytes(conversation: Path, tmp_path: Path) -> None:
    """No clock, no folder and no order of a set reaches a file."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for data in folders:
        call(conversation, "--model", "m-1", data=data)
    one, two = ([path.read_bytes() for path in sorted(data.rglob("*.*")) if path.is_file()] for data in folders)
    assert one == two
    assert len(one) == 2


def test_a_dry_run_writes_nothing(conversation: Path, tmp_path: Path) -> None:
    """It reads and reports all the same."""
    assert call(conversation, "--model", "m-1", "--dry-run", data=tmp_path / "data") == 0
    assert not (tmp_path / "data").exists()


def test_a_second_import_is_refused(conversation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Traces are written once."""
    assert call(conversation, "--model", "m-1", data=tmp_path / "data") == 0
    assert call(conversation, "--model", "m-1", data=tmp_path / "data") == 1
    assert "traces are frozen here" in capsys.readouterr().err


def test_simulated_conversation_is_marked(conversation: Path, tmp_path: Path) -> None:
    """Stub means stub, in the manifest and in every record."""
    call(conversation, "--model", "m-1", "--simulated", "--mac-commit", "a" * 40, data=tmp_path / "data")
    campaign = Campaign(tmp_path / "data")
    assert read_manifest(campaign.manifest_file).stub is True
    metadata = [record["metadata"] for record in read_jsonl(campaign.trace_file("case-a1"))]
    assert [(item["stub"], item["mac_commit"], item["status"]) for item in metadata] == [
        (True, "a" * 40, "success"),
        (True, "a" * 40, "success"),
    ]


def test_a_mapping_says_who_is_who(conversation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names go to agents, null leaves a speaker out and counts what he said."""
    mapping = write(tmp_path / "who.yaml", "House: doctor2\nWilson: null\n")
    assert call(conversation, "--model", "m-1", "--agents", mapping, data=tmp_path / "data") == 0
    records = read_jsonl(Campaign(tmp_path / "data").trace_file("case-a1"))
    assert [record["agent_id"] for record in records] == ["doctor2"]
    assert "by mapping 1 messages" in capsys.readouterr().out


def test_what_is_left_out_is_reported_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused by default with status 1; with the option, named on stderr and counted on stdout."""
    path = write(tmp_path / "t.csv", _CONVERSATION + "a1,Wilson,,5000\n")
    assert call(path, "--model", "m-1", data=tmp_path / "data") == 1
    assert "t.csv:4: content: is empty" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    assert call(path, "--model", "m-1", "--skip-unmapped", data=tmp_path / "data") == 0
    reported = capsys.readouterr()
    assert "t.csv:4: content: is empty" in reported.err
    assert "left out   1 (empty message 1)" in reported.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["TALK"], "--model", id="no model"),
        pytest.param(["TALK", "--model", " "], "must be a printable name", id="blank model"),
        pytest.param(["--model", "m"], "FILES", id="no file"),
        pytest.param(["nowhere.csv", "--model", "m"], "does not exist", id="missing file"),
        pytest.param(["TALK", "--model", "m", "--format", "cvs"], "did you mean `csv`", id="unknown format"),
        pytest.param(["TALK", "--model", "m", "--mac-commit", "HEAD"], "40 digits", id="no commit"),
        pytest.param(
            ["TALK", "--model", "m", "--agents", "WHO"], "'doctor9' is not an agent; did you mean", id="no agent"
        ),
    ],
)
def test_wrong_usage_is_found_before_any_work(
    arguments: list[str], expected: str, conversation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and a message that says what to do."""
    who = write(tmp_path / "who.yaml", "House: doctor9\n")
    named = {"TALK": str(conversation), "WHO": str(who)}
    assert call(*(named.get(item, item) for item in arguments), data=tmp_path / "data") == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_an_importer_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--format module:attribute` reads a format that this package does not know."""
    code = """
from exaid_evals.traces.importers.base import Conversation, Reading, Spot, Utterance

class Lines:
    name = "lines"
    def claims(self, source):
        return source.text.startswith("#talk")
    def read(self, source):
        lines = source.text.splitlines()[1:]
        said = [Utterance("House", True, line, Spot(number)) for number, line in enumerate(lines, start=2)]
        return Reading([Conversation(source.stem, Spot(1), said)])
"""
    write(tmp_path / "line_importer.py", code)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = write(tmp_path / "x9.txt", "#conversation\nFever.\nRash.")
    assert call(path, "--model", "m", "--format", "line_importer:Lines", data=tmp_path / "data") == 0
    records = read_jsonl(Campaign(tmp_path / "data").trace_file("case-x9"))
    assert [record["content"] for record in records] == ["Fever.", "Rash."]
