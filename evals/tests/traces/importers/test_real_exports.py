"""Files that LangChain, LangGraph, OpenTelemetry and AutoGen have written; `gold/exports/make.py` is the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.errors import DataError
from exaid_evals.traces.importers.assemble import Casting, Imported
from traces.importers.reading import read

EXPORTS = Path(__file__).resolve().parents[2] / "gold" / "exports"
CONVERSATION = [
    ("supervisor", "A 34-year-old woman with recurrent fever of 39.5 °C and splenomegaly."),
    ("doctor0", "I favour Gaucher disease; the spleen points to storage. We should order a β-glucosidase assay."),
    ("doctor1", "Lymphoma must be excluded first: biopsy of the node."),
    ("supervisor", "Both tests are ordered. TERMINATE"),
]
SAID = {
    "langchain_dumpd.json": ("langchain", CONVERSATION),
    "langchain_messages_to_dict.json": ("langchain", CONVERSATION),
    "langchain_model_dump.json": ("langchain", CONVERSATION),
    "langgraph_state.json": ("langchain", CONVERSATION),
    "langgraph_values_dumpd.json": ("langchain", CONVERSATION),
    "autogen_chat_history.json": ("autogen", CONVERSATION),
    "otel_span_attributes.json": ("otel", CONVERSATION[:3]),
}
# What the instrumented client was reported as a system message is nobody's speech.
NO_INSTRUCTIONS = Casting({"system": None, "user": "supervisor", "doctor0": "doctor0", "doctor1": "doctor1"})


def imported(name: str) -> Imported:
    """Read an export."""
    return read(EXPORTS / name, casting=NO_INSTRUCTIONS if name.startswith("otel") else None)


def test_every_export_is_tested() -> None:
    """A file that was added to the folder is read here."""
    assert sorted(path.name for path in EXPORTS.glob("*.json")) == sorted(SAID)


@pytest.mark.parametrize("name", SAID)
def test_what_was_said_is_what_is_read(name: str) -> None:
    """Who said what, in order, word for word; the format is found by looking, and nothing is left out."""
    found = imported(name)
    [trace] = found.traces
    expected_format, said = SAID[name]
    assert list(found.formats) == [expected_format]
    assert [(message.agent_id, message.content) for message in trace.messages] == said


def test_tokens_that_the_tools_report_are_kept() -> None:
    """LangChain's two places of usage, and the spans'; where a message has none, none is made up."""
    tokens = {name: [m.provider_token_count for m in imported(name).traces[0].messages] for name in SAID}
    assert tokens["langchain_messages_to_dict.json"] == [None, 24, 13, None]
    assert tokens["langchain_dumpd.json"] == [None, 24, 13, None]
    assert tokens["otel_span_attributes.json"] == [None, 15, 9]
    assert tokens["langgraph_state.json"] == [None] * 4


def test_cases_are_named_by_thread_and_conversation() -> None:
    """LangGraph's thread and the spans' conversation name the case; elsewhere the file does."""
    assert imported("langgraph_state.json").traces[0].case_id == "case-graph1"
    assert imported("otel_span_attributes.json").traces[0].case_id == "case-otel1"


def test_spans_bring_their_times() -> None:
    """An answer is there when its span ends, later than the question."""
    times = [message.end_t_rel_ms or 0 for message in imported("otel_span_attributes.json").traces[0].messages]
    assert times[0] == 0
    assert times == sorted(times)
    assert times[-1] > 0


def test_a_system_message_is_reported_by_place() -> None:
    """Unless the user says what to do with it."""
    with pytest.raises(DataError, match=r"spans\[0\]\.gen_ai\.input\.messages\[0\]: a system message is not speech"):
        read(EXPORTS / "otel_span_attributes.json")
