"""The real shapes of each format: what they say, and what in them has no place in a trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.errors import DataError
from exaid_evals.traces.importers.assemble import Casting
from traces.importers.reading import problems_of, read, said, write

MAC = [
    {"content": "Here is a patient case.", "role": "assistant"},
    {"content": "JIA is likely.", "name": "Doctor0", "role": "user"},
    {"content": "I agree.", "name": "Doctor2", "role": "user"},
    {"content": "Consensus: JIA. TERMINATE", "role": "assistant"},
]


def test_macs_conversation_needs_no_mapping(tmp_path: Path) -> None:
    """The nameless first speaker is the supervisor, the doctors are who they are, the file names the case."""
    imported = read(write(tmp_path / "PMC9452660_conversation.json", MAC))
    assert said(imported) == {
        "case-pmc9452660": [
            ("supervisor", "Here is a patient case."),
            ("doctor0", "JIA is likely."),
            ("doctor2", "I agree."),
            ("supervisor", "Consensus: JIA. TERMINATE"),
        ]
    }


def test_unknown_times_stay_unknown(tmp_path: Path) -> None:
    """Where a file says no time the trace has none, and the note says so, and that there is no date."""
    imported = read(write(tmp_path / "a_conversation.json", MAC), note="from my ward")
    assert {item.time_basis for item in imported.traces[0].messages} == {"none"}
    assert imported.traces[0].time_basis == "assumed"
    assert imported.untimed == ("case-a",)
    assert imported.note == (
        "from my ward; imported from 1 autogen file; "
        "agents: 'assistant' = supervisor, 'Doctor0' = doctor0, 'Doctor2' = doctor2; "
        "times unknown in 1 of 1 cases; "
        "dates unknown in 1 of 1 cases: clock starts at 1970-01-01T00:00:00Z"
    )


def test_autogens_tools_are_reported_by_line_and_field(tmp_path: Path) -> None:
    """Calls and results of tools, empty messages and images each get a line of the report, and its own line number."""
    text = """[
 {"role": "assistant", "content": "Case."},
 {"role": "assistant", "content": null,
  "tool_calls": [{"id": "1"}]},
 {"role": "tool", "name": "search", "content": "3 hits"},
 {"role": "user", "name": "Doctor0", "content": "\\n"},
 {"role": "user", "name": "Doctor0", "content": [
   {"type": "text", "text": "Look: "},
   {"type": "image_url", "image_url": {"url": "data:"}}]},
 7
]"""
    path = write(tmp_path / "a.json", text)
    assert problems_of(path) == [
        "a.json:4: [1].tool_calls: a tool call is not text",
        "a.json:5: [2]: a tool message is not speech of an agent",
        "a.json:6: [3].content: is empty",
        "a.json:9: [4].content[1]: a part of type 'image_url' is not text",
        "a.json:10: [5]: a number where a message must stand",
    ]
    imported = read(path, skip=True)
    assert said(imported) == {"case-a": [("supervisor", "Case."), ("doctor0", "Look: ")]}
    assert imported.left_out == {
        "tool call": 1,
        "tool message": 1,
        "empty message": 1,
        "part that is not text": 1,
        "no message": 1,
    }
    assert "left out as unmapped: 5 (" in imported.note


def test_openai_lines_without_a_case_belong_to_the_files(tmp_path: Path) -> None:
    """Roles stand in for names; the file names the case; blank lines and a missing last newline are not a problem."""
    lines = '{"role": "user", "content": "Fever."}\n\n{"role": "assistant", "content": "JIA?", "created_at": 17}'
    imported = read(write(tmp_path / "Ward-7.jsonl", lines))
    assert said(imported) == {"case-ward-7": [("supervisor", "Fever."), ("doctor0", "JIA?")]}
    assert imported.notices == ("case-ward-7: only some messages have times; the others keep none",)
    assert [item.time_basis for item in imported.traces[0].messages] == ["none", "complete"]


def test_times_are_kept_as_the_file_gives_them(tmp_path: Path) -> None:
    """A time alone is when the message was there; start and end are both ends; a stream is its chunks."""
    lines = [
        {"case_id": 1, "name": "a", "role": "user", "content": "Fever.", "t_ms": 40},
        {"case_id": 1, "name": "b", "role": "user", "content": "JIA?", "start_ms": 50, "end_ms": 90},
        {"case_id": 1, "name": "a", "role": "user", "content": "Yes.", "stream": [[95, 1], [99, 3]]},
        {"case_id": 1, "name": "b", "role": "user", "content": "So.", "started_at": None, "start_ms": 120},
    ]
    [trace] = read(write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, lines)))).traces
    known = [(item.time_basis, item.t_rel_ms, item.end_t_rel_ms, item.stream) for item in trace.messages]
    assert known == [
        ("complete", None, 0, ()),
        ("recorded", 10, 50, ()),
        ("recorded", 55, None, ((55, 1), (59, 3))),
        ("assumed", 80, None, ()),
    ]


def test_dates_and_times_from_another_beginning_are_not_laid_on_one_clock(tmp_path: Path) -> None:
    """None of them is used, and the reader is told."""
    lines = [
        {"case_id": 1, "name": "a", "role": "user", "content": "Fever.", "t_ms": 40},
        {"case_id": 1, "name": "b", "role": "user", "content": "JIA?", "created_at": 17},
    ]
    imported = read(write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, lines))))
    assert {item.time_basis for item in imported.traces[0].messages} == {"none"}
    assert imported.notices == ("case-1: some times have dates and others do not, so none is used",)


def test_a_stream_that_does_not_add_up_is_damage(tmp_path: Path) -> None:
    """Chunks of another length than the text's are named by line and field."""
    line = {"case_id": 1, "name": "a", "role": "user", "content": "Fever.", "stream": [[0, 3]]}
    path = write(tmp_path / "a.jsonl", json.dumps(line))
    [problem] = problems_of(path)
    assert problem.startswith("a.jsonl:1: stream: is not a list of [t_ms, n_chars]")


def test_openai_problems_name_their_line(tmp_path: Path) -> None:
    """Instructions, unknown roles, missing speakers, refusals and counts that are none are named by line and field."""
    lines = [
        '{"case_id": 1, "role": "system", "content": "You are a doctor."}',
        '{"case_id": 1, "role": "critic", "content": "No."}',
        '{"case_id": 1, "content": "Who says this?"}',
        '{"case_id": 1, "role": "assistant", "content": null, "refusal": "I cannot."}',
        '{"case_id": 1, "role": "assistant", "content": "Yes.", "usage": {"completion_tokens": -1}}',
        '{"role": "assistant", "content": "Of which case?"}',
        '{"case_id": [1], "role": "assistant", "content": {"text": "?"}}',
    ]
    assert problems_of(write(tmp_path / "a.jsonl", "\n".join(lines))) == [
        "a.jsonl:1: a system message is not speech of an agent",
        "a.jsonl:2: the role 'critic' is unknown",
        "a.jsonl:3: name: neither a name nor a role says who speaks",
        "a.jsonl:4: refusal: a refusal is not text",
        "a.jsonl:5: -1 is not a count of tokens",
        "a.jsonl:6: no case id",
        "a.jsonl:7: case_id: a list is not a case id",
        "a.jsonl:7: content: an object where text must stand",
    ]


def test_langchains_classes_and_parts(tmp_path: Path) -> None:
    """Constructors of every module path, chunks and parts are read; tools and reasoning are reported."""

    def made(kind: str, **kwargs: Any) -> dict[str, Any]:
        return {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", kind], "kwargs": kwargs}

    messages = [
        made("SystemMessage", content="You are a doctor."),
        made("HumanMessage", content=["Fever ", {"type": "text", "text": "and rash."}]),
        made(
            "AIMessageChunk", content="JIA?", name="triage", response_metadata={"token_usage": {"completion_tokens": 3}}
        ),
        made("AIMessage", content="", tool_calls=[{"name": "search"}], additional_kwargs={"tool_calls": [{"id": 1}]}),
        made("ToolMessage", content="3 hits", name="search"),
        made(
            "AIMessage",
            content=[{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "Yes."}],
            name="triage",
        ),
        made("RemoveMessage", content="", id="x"),
    ]
    lines = ",\n".join(json.dumps(message) for message in messages)
    path = write(tmp_path / "thread.json", '{"messages": [\n' + lines + "]}")
    assert problems_of(path) == [
        "thread.json:2: messages[0].kwargs: a system message is not speech of an agent",
        "thread.json:5: messages[3].kwargs.tool_calls: a tool call is not text",
        "thread.json:6: messages[4].kwargs: a tool message is not speech of an agent",
        "thread.json:7: messages[5].kwargs.content[0]: a part of type 'reasoning' is not text",
        "thread.json:8: messages[6]: a message of type 'remove' is unknown",
    ]
    imported = read(path, skip=True)
    assert said(imported) == {
        "case-thread": [("supervisor", "Fever and rash."), ("doctor0", "JIA?"), ("doctor0", "Yes.")]
    }
    assert [item.provider_token_count for item in imported.traces[0].messages] == [None, 3, None]
    assert imported.left_out.total() == 5


def test_tables_take_cells_as_text(tmp_path: Path) -> None:
    """A formula is what somebody said; other delimiters, a byte-order mark, stamps and interleaved cases are read."""
    text = (
        "\ufeffCase_ID;Agent;content;timestamp\r\n"
        'A;House;"=1+1; ""quoted""\nnext line";2025-01-31T09:00:00+01:00\r\n'
        "b;House;Fever.;2025-01-31T08:00:00Z\r\n"
        "A;Wilson;@home;2025-01-31T08:00:02.5Z\r\n"
    )
    imported = read(write(tmp_path / "t.csv", text))
    assert said(imported) == {
        "case-a": [("supervisor", '=1+1; "quoted"\nnext line'), ("doctor0", "@home")],
        "case-b": [("supervisor", "Fever.")],
    }
    assert [item.end_t_rel_ms for item in imported.traces[0].messages] == [0, 2500]
    assert imported.traces[0].epoch == "2025-01-31T08:00:00.000Z"
    assert imported.undated == ()


def test_table_problems_name_their_line(tmp_path: Path) -> None:
    """A row that spans lines counts as many; a spreadsheet's error, empty cells and unknown columns are reported."""
    text = (
        'case_id,agent,content,mood\na,House,"two\nlines",glum\na,House,#NAME?,glum\na,,Hm.,\n,House,Hm.,\na,House, ,\n'
    )
    path = write(tmp_path / "t.csv", text)
    assert problems_of(path) == [
        "t.csv:4: content: #NAME? is a spreadsheet's error in place of what was said",
        "t.csv:5: agent: is empty",
        "t.csv:6: no case id",
        "t.csv:7: content: is empty",
    ]
    assert read(path, skip=True).notices == (f"{path}: columns that mean nothing here: 'mood'",)


def test_more_speakers_than_agents_are_named(tmp_path: Path) -> None:
    """Five speakers do not fit; the error names them and asks for a mapping, which may leave some out."""
    text = "case_id,agent,content\n" + "".join(f"a,{name},Hm.\n" for name in ("Ann", "Bob", "Cyd", "Doctor1", "Eve"))
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(DataError, match=r"5 agents speak \('Ann', 'Bob', 'Cyd', 'Doctor1', 'Eve'\).*--agents"):
        read(path)
    casting = Casting(
        {"Ann": "supervisor", "Bob": "doctor0", "Cyd": "doctor0", "Doctor1": "doctor1", "Eve": None}, True
    )
    imported = read(path, casting=casting)
    assert [agent for agent, _ in said(imported)["case-a"]] == ["supervisor", "doctor0", "doctor0", "doctor1"]
    assert imported.silenced == 1
    assert "left out by the mapping: 1 messages" in imported.note


def test_a_mapping_is_complete_or_says_what_it_lacks(tmp_path: Path) -> None:
    """With a mapping nobody is cast by appearance, and a system message may be given to an agent on purpose."""
    path = write(tmp_path / "a.jsonl", '{"role": "system", "content": "Case."}\n{"role": "user", "content": "Hm."}')
    with pytest.raises(DataError, match=r"a\.jsonl:2: the speaker 'user' is not in the mapping"):
        read(path, casting=Casting({"system": "supervisor"}, explicit=True))
