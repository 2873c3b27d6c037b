"""Logs of failed runs become conversations with a decisive step, and what is reported of it is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.cli.main import run as exaid_evals
from exaid_evals.clients.stub import build as build_stub
from exaid_evals.concepts.words import MIN_LENGTH, build
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.config.variant import SummarizerConfig, VariantConfig
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.metrics.observe import observe_case
from exaid_evals.metrics.registry import load_measures
from exaid_evals.replay.engine import replay
from exaid_evals.replay.run_log import RunLog
from exaid_evals.replay.working import read_nothing
from exaid_evals.replication.failures import origins, read_failure, read_failures, to_trace
from exaid_evals.report.document import Document, to_markdown
from exaid_evals.traces.model import DECISIVE, read_trace

WHO_AND_WHEN = Path(__file__).resolve().parents[4] / "shared" / "external" / "who_and_when"
DOCS = Path(__file__).resolve().parents[3] / "docs"

# Made up, in the two shapes: AutoGen's with names, Magentic-One's with roles alone.
BAKERY: dict[str, Any] = {
    "question": "When did the bakery open?",
    "mistake_agent": "Archive_Expert",
    "mistake_step": "2",
    "mistake_reason": "Took the year of the building for that of the bakery.",
    "history": [
        {"role": "user", "name": "Planner", "content": "Find the year in which the bakery opened."},
        {"role": "assistant", "name": "Archive_Expert", "content": "The archive lists the bakery."},
        {"role": "assistant", "name": "Archive_Expert", "content": "The bakery opened 1912, says the cornerstone."},
        {"role": "assistant", "name": "Checker", "content": "1912 it is."},
        {"role": "user", "name": "Planner", "content": ""},
    ],
}
HARBOUR: dict[str, Any] = {
    "question": "How deep is the harbour?",
    "mistake_agent": "Orchestrator",
    "mistake_step": 1,
    "history": [
        {"role": "human", "content": "How deep is the harbour?"},
        {"role": "Orchestrator (thought)", "content": "Depth equals tide, roughly."},
        {"role": "Orchestrator (-> Diver)", "content": "Measure the tide."},
        {"role": "Diver", "content": "Tide measured: 40 feet."},
    ],
}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Return a folder of the two logs, by origin."""
    folder = tmp_path / "logs"
    for origin, name, log in (("Made-Up", "1.json", BAKERY), ("Told", "2.json", HARBOUR)):
        (folder / origin).mkdir(parents=True)
        (folder / origin / name).write_text(json.dumps(log))
    return folder


def test_a_log_becomes_a_conversation_without_times(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is said of time; speakers and steps stand in upstream, an empty message and other fields are counted."""
    campaign = Campaign(tmp_path / "data")
    assert exaid_evals(["import-campaign", str(logs), "--data-dir", str(campaign.root)]) == 0
    trace = read_trace(campaign.trace_file("case-made-up-1"))
    assert trace.time_basis == "assumed"
    assert [message.known_ms for message in trace.messages] == [None] * 4
    assert [message.agent_id for message in trace.messages] == ["doctor0", "doctor1", "doctor1", "doctor2"]
    assert trace.messages[2].upstream == {
        "step": 2, "speaker": "Archive_Expert", "decisive": True, "mistake_agent": "Archive_Expert",
    }  # fmt: skip
    harbour = read_trace(campaign.trace_file("case-told-2"))
    assert [message.agent_id for message in harbour.messages] == ["supervisor", "supervisor", "supervisor", "doctor0"]
    output = capsys.readouterr().out
    assert "in 0 another speaks" in output
    assert "message without text (1), mistake_reason (1), question (2)" in output


def measured(trace_of: dict[str, Any], folder: Path, **variant: Any) -> dict[str, float | None]:
    """Replay a log in memory through a variant, and return its measures of the decisive step."""
    path = folder / "log.json"
    path.write_text(json.dumps(trace_of))
    trace = to_trace(read_failure(path, "case-1"))
    config = VariantConfig.model_validate({"variant_id": "V0", "history_k": 0, **variant})
    client = build_stub(SummarizerConfig(), read_concepts=read_nothing, reader_id="")
    events = replay(trace, config, client, chars_per_second=100.0)
    log = RunLog({"status": "ok", "config": {"stream": {"chars_per_second": 100.0}}}, *events)
    [seen] = observe_case(trace, [log], build({}, stop_entities=frozenset()))
    measures = load_measures(MetricsConfig(budget_list=(5, 10, 20), measures=("decisive_step",)))
    return {one.name: one.compute(seen) for one in measures if one.name.startswith("told_by_step")}


BASELINE = {
    "description": "reads along",
    "gate": {"kind": "message"},
    "trigger": {"kind": "always"},
    "summarizer": {"kind": "passthrough"},
}


def test_the_baseline_reports_the_step_when_it_is_over(tmp_path: Path) -> None:
    """By hand: new are 1912, says and cornerstone, of 45 characters, the last word ends at the 44th.

    At 100 characters a second, the message takes 450 ms. Of the words, `1912` has come after 220 ms, `says` after 280,
    `cornerstone` after 440; the message is shown when it is over, so that half of them have waited for 170 ms at most.
    `1912` ends at 22 characters, beyond 5 CTU, and `says` at 28, within 7.
    """
    assert BAKERY["history"][2]["content"].index("cornerstone") + len("cornerstone") == 44
    found = measured(BAKERY, tmp_path, **BASELINE)
    assert found == {
        "told_by_step": 1.0,
        "told_by_step_at_5": 0.0,
        "told_by_step_at_10": pytest.approx(2 / 3),
        "told_by_step_at_20": 1.0,
        "told_by_step_delay_ms": 170,
        "told_by_step_ctu": 7,
    }


def test_a_step_without_a_new_word_has_no_measure(tmp_path: Path) -> None:
    """What everybody had said before is no news: undefined, not zero."""
    found = measured({**HARBOUR, "mistake_step": 2, "history": [*HARBOUR["history"][:2], HARBOUR["history"][1]]},
                     tmp_path, **BASELINE)  # fmt: skip
    assert set(found.values()) == {None}


def _history(change: Callable[[list[Any]], Any]) -> dict[str, Any]:
    return {**BAKERY, "history": change([dict(message) for message in BAKERY["history"]])}


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ({**BAKERY, "mistake_agent": None}, "mistake_agent is not a name"),
        ({**BAKERY, "history": {}}, "history is not a list of messages"),
        (_history(lambda messages: [*messages[:1], "hello", *messages[2:]]), r"history\[1\] is not a message"),
        (_history(lambda messages: [{**messages[0], "content": None}, *messages[1:]]), r"history\[0\]\.content is not"),
        (_history(lambda messages: [{"content": "hello"}, *messages[1:]]), r"history\[0\] has neither a name nor"),
    ],
)  # fmt: skip
def test_what_is_no_log_is_named(tmp_path: Path, log: dict[str, Any], message: str) -> None:
    """File and field."""
    path = tmp_path / "7.json"
    path.write_text(json.dumps(log))
    with pytest.raises(DataError, match=rf"7\.json: .*{message}"):
        read_failure(path, "case-7")


@pytest.mark.parametrize(
    ("step", "message"), [(4, "the history has 4 messages"), ("two", "is 'two'"), (True, "is True"), (None, "is None")]
)
def test_a_step_outside_the_history_is_named(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], step: object, message: str
) -> None:
    """People annotate; the conversation is kept without a decisive step, and the file is named."""
    (logs / "Told" / "2.json").write_text(json.dumps({**HARBOUR, "mistake_step": step}))
    campaign = Campaign(tmp_path / "data")
    assert exaid_evals(["import-campaign", str(logs), "--data-dir", str(campaign.root)]) == 0
    captured = capsys.readouterr()
    assert "2.json: mistake_step" in captured.err
    assert message in captured.err
    assert "steps     1 decisive ones" in captured.out
    messages = read_trace(campaign.trace_file("case-told-2")).messages
    assert not any((message.upstream or {}).get(DECISIVE) for message in messages)


@given(st.integers(0, 10_000))
def test_a_log_that_was_cut_is_named_by_line(tmp_path_factory: pytest.TempPathFactory, place: int) -> None:
    """Wherever the file ends too early."""
    path = tmp_path_factory.mktemp("fuzz") / "7.json"
    text = json.dumps(BAKERY, indent=1)
    path.write_text(text[: place % len(text)])
    with pytest.raises(DataError, match=r"7\.json:\d+: not valid JSON"):
        read_failure(path, "case-7")


def test_a_log_that_is_nested_without_end_is_named(tmp_path: Path) -> None:
    """As one that is no JSON, and not as an error of the parser."""
    (tmp_path / "7.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"7\.json: not valid JSON"):
        read_failure(tmp_path / "7.json", "case-7")


def test_a_log_is_taken_once(logs: Path) -> None:
    """A copy under another name is a duplicate, and not a second case."""
    (logs / "Told" / "3.json").write_text((logs / "Made-Up" / "1.json").read_text())
    with pytest.raises(DataError, match=r"3\.json: history is a duplicate of that in 1\.json"):
        read_failures(logs)


@given(st.text(max_size=60))
def test_words_are_words_of_the_text(text: str) -> None:
    """A mention is the word as it stands, in lower case; none is a function word."""
    extractor = build({}, stop_entities=frozenset({"stopped"}))
    [found] = extractor.mentions([text])
    for one in found:
        word = text[one.start : one.end]
        assert one.concept_id == f"word:{word.casefold()}"
        assert len(word) >= MIN_LENGTH or word.isdigit()
    assert extractor.mentions(["The stopped and of"]) == [()]


def test_words_know_no_setting() -> None:
    """A setting that nobody reads is an error."""
    with pytest.raises(ConfigError, match="words has no setting min_length"):
        build({"min_length": 2}, stop_entities=frozenset())


@pytest.mark.slow
def test_from_logs_to_the_page(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The documented commands, one after the other; the baseline reports every new word of both steps."""
    data, page = ["--data-dir", str(tmp_path / "data")], tmp_path / "page.md"
    assert exaid_evals(["replicate", str(logs)]) == 2
    assert exaid_evals(["import-campaign", str(logs), *data]) == 0
    assert exaid_evals(["run-variants", "V0", "V3", "--stub", "--stub-concepts", "words", *data]) == 0
    assert exaid_evals(["compute-metrics", "V0", "V3", "--extractor", "words", *data]) == 0
    replicate = ["replicate", str(logs), "--campaign", str(tmp_path / "data")]
    assert exaid_evals(replicate) == 1
    assert "V0 has no told_by_step" in capsys.readouterr().err.replace("\n", " ")
    measures = ["--measures", "decisive_step"]
    assert exaid_evals(["compute-metrics", "V0", "V3", "--extractor", "words", *measures, *data]) == 0
    capsys.readouterr()
    assert exaid_evals([*replicate, "--json", "--page", str(page)]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["n_logs"] == 2
    baseline = document["measures"]["V0"]["told_by_step"]
    assert (baseline["mean"], baseline["ci95_low"], baseline["n"]) == (1.0, 1.0, 2)
    assert "| Made-Up | 1 | 5.0 |" in page.read_text()


@pytest.mark.skipif(not WHO_AND_WHEN.is_dir(), reason="the logs are not here (../shared/external/who_and_when)")
def test_every_log_is_read() -> None:
    """60 logs of two origins, each with its decisive step; in 4 another speaks than the one who is named.

    The documented table of them is this one.
    """
    runs = read_failures(WHO_AND_WHEN)
    assert len(runs) == 60
    assert sum(run.speaker != run.agent for run in runs) == 4
    decisive = [
        message
        for run in runs
        for message in to_trace(run).messages
        if message.upstream is not None and DECISIVE in message.upstream
    ]
    assert len(decisive) == sum(run.speaker is not None for run in runs) == 60
    page = (DOCS / "outside_medicine.md").read_text(encoding="utf-8")
    assert to_markdown(Document("", [origins(WHO_AND_WHEN, runs)])).split("\n", 2)[2] in page
