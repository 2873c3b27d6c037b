"""Conversations that other frameworks recorded: `import-traces`."""

from __future__ import annotations

import json
from typing import Any

from remedies.rows import Content, Row, file

IMPORT = "import-traces {} --data-dir new --model m"
SKIP = "remove it, or leave out what does not map with --skip-unmapped"
CHAT = IMPORT.format("chat.json")
SKIPPED = f"{IMPORT.format('chat.json')} --skip-unmapped"
SAID = {"role": "assistant", "name": "doctor0", "content": "Fever."}
GOOD = json.dumps({"messages": [SAID]})
TABLE = "case_id,agent,content\nc1,doctor0,Fever.\n"


def chat(
    remedy: str, *messages: Any, then: Content = GOOD, command: str = IMPORT.format("chat.json"), **top: Any
) -> Row:
    """Return the row of messages as chat models exchange them, which are then corrected."""
    return file(remedy, command, "chat.json", json.dumps({"messages": list(messages), **top}), then)


def skipped(*messages: Any) -> Row:
    """Return the row of messages of which some do not map, and are left out."""
    return Row(SKIP, CHAT, SKIPPED, files={"chat.json": json.dumps({"messages": [SAID, *messages]})})


def table(remedy: str, wrong: str, right: str = TABLE) -> Row:
    """Return the row of a CSV table."""
    return file(remedy, IMPORT.format("--format csv t.csv"), "t.csv", wrong, right)


def lines(*records: Any) -> str:
    """Return JSON Lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


def timed(remedy: str, *times: Any, **right: Any) -> Row:
    """Return the row of messages with these times, and of the first with others."""
    wrong = [SAID | time for time in times]
    return chat(remedy, *wrong, then=json.dumps({"messages": [SAID | (right or {})]}))


def spans(*of: Any) -> str:
    """Return spans as OpenTelemetry exports them."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(of)}]}]})


def span(messages: Any = None, **more: Any) -> dict[str, Any]:
    """Return the span of a call with its output messages."""
    said = [{"role": "assistant", "parts": [{"type": "text", "content": "Fever."}]}] if messages is None else messages
    text = said if isinstance(said, str) else json.dumps(said)
    attributes = [
        {"key": "gen_ai.agent.name", "value": {"stringValue": "doctor0"}},
        {
            "key": "gen_ai.output.messages",
            "value": {"stringValue": text},
        },
    ]
    return {"traceId": "ab", "spanId": "cd", "attributes": attributes, **more}


def traced(remedy: str, wrong: str) -> Row:
    """Return the row of spans."""
    return file(remedy, IMPORT.format("spans.json"), "spans.json", wrong, spans(span()))


def nested(depth: int) -> Any:
    """Return an attribute's value with lists in lists."""
    value: Any = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


LANGCHAIN = [{"type": "ai", "content": "Fever.", "name": "doctor0"}]

ROWS = [
    file(
        "name it with --format: {}; or write CSV with the columns case_id, agent, content",
        CHAT,
        "chat.json",
        '[{"said": "Fever."}]',
        GOOD,
    ),
    file("save it as UTF-8", CHAT, "chat.json", GOOD.encode("utf-16"), GOOD),
    file("correct or export it again", CHAT, "chat.json", GOOD[:-1], GOOD),
    Row(
        "leave it out",
        IMPORT.format("--format openai no.json chat.json"),
        IMPORT.format("--format openai chat.json"),
        files={"no.json": "", "chat.json": GOOD},
    ),
    Row(
        "choose an empty data folder",
        IMPORT.format("chat.json").replace("new", "data"),
        IMPORT.format("chat.json"),
        files={"chat.json": GOOD},
        data=True,
    ),
    file("flatten it", IMPORT.format("--format openai chat.json"), "chat.json", "[" * 9999 + "]" * 9999, GOOD),
    file(
        "write null for what is undefined",
        IMPORT.format("chat.json"),
        "chat.json",
        GOOD.replace('"Fever."', "NaN"),
        GOOD,
    ),
    # Messages that are none, or say nothing.
    chat(SKIP, "Fever.", command=IMPORT.format("--format openai chat.json")),
    chat(SKIP, SAID | {"content": 5}),
    chat(SKIP, SAID | {"content": [{"type": "image_url"}]}),
    chat(SKIP, SAID | {"content": [5]}),
    chat(SKIP, {"content": "Fever."}, command=IMPORT.format("--format openai chat.json")),
    chat(SKIP, SAID | {"content": " "}),
    chat(SKIP, SAID | {"provider_token_count": "many"}),
    skipped("Fever."),
    skipped(SAID | {"tool_calls": [{"id": "1"}]}),
    Row(
        "correct them, or leave out what does not map with --skip-unmapped",
        IMPORT.format("chat.json"),
        SKIPPED,
        files={"chat.json": json.dumps({"messages": [SAID, SAID | {"content": ""}]})},
    ),
    chat("write text or a whole number", SAID, case_id=[1]),
    file("write or copy it again", IMPORT.format("--format openai chat.json"), "chat.json", '{"messages": 5}', GOOD),
    file(
        "write one message, or one object with `messages`, a line",
        IMPORT.format("--format openai chat.jsonl"),
        "chat.jsonl",
        lines(SAID, 5),
        lines(SAID),
    ),
    file("correct the files", IMPORT.format("--format openai chat.json"), "chat.json", '{"messages": 5}', GOOD),
    file(
        "damage is not skipped: correct the files",
        IMPORT.format("--format openai chat.json --skip-unmapped"),
        "chat.json",
        '{"messages": 5}',
        GOOD,
    ),
    Row(
        "leave it out with --skip-unmapped",
        IMPORT.format("chat.jsonl"),
        IMPORT.format("chat.jsonl --skip-unmapped"),
        files={"chat.jsonl": lines({"case_id": "a", "messages": [SAID]}, {"case_id": "b", "messages": []})},
    ),
    file(
        "add `case_id`",
        IMPORT.format("chat.jsonl"),
        "chat.jsonl",
        lines({"messages": [SAID]}, {"case_id": "b", "messages": [SAID]}),
        lines({"case_id": "a", "messages": [SAID]}, {"case_id": "b", "messages": [SAID]}),
    ),
    file(
        "import each case once",
        IMPORT.format("chat.jsonl"),
        "chat.jsonl",
        lines(*[{"case_id": "a", "messages": [SAID]}] * 2),
        lines({"case_id": "a", "messages": [SAID]}),
    ),
    file(
        "export the chat_history",
        IMPORT.format("--format autogen chat.json"),
        "chat.json",
        '{"chat_history": 5}',
        json.dumps({"chat_history": [SAID]}),
    ),
    file(
        "dump the list, or the graph's state",
        IMPORT.format("--format langchain chat.json"),
        "chat.json",
        '{"messages": 5}',
        json.dumps(LANGCHAIN),
    ),
    *(
        file(
            SKIP, IMPORT.format("--format langchain chat.json"), "chat.json", json.dumps([wrong]), json.dumps(LANGCHAIN)
        )
        for wrong in (5, LANGCHAIN[0] | {"type": "pirate", "data": {"content": "Fever."}})
    ),
    # Who speaks.
    Row(
        "say with --agents MAPPING.yaml who is {} and who is left out (null)",
        IMPORT.format("chat.json"),
        IMPORT.format("chat.json --agents who.yaml"),
        files={"chat.json": json.dumps({"messages": [SAID | {"name": name} for name in "abcde"]})},
        then={"who.yaml": "a: doctor0\nb: doctor1\nc: doctor2\nd: supervisor\ne: null\n"},
    ),
    *(
        Row(
            remedy,
            IMPORT.format("chat.json --agents who.yaml"),
            files={"chat.json": GOOD, "who.yaml": wrong},
            then={"who.yaml": "doctor0: doctor1\n"},
        )
        for remedy, wrong in [
            ("{}agents are {}, or null to leave the speaker out", "doctor0: doctor7\n"),
            ("write `name: doctor0` lines", "{}\n"),
            ("see what was left out, and map it with --agents", "doctor0: null\n"),
        ]
    ),
    # Times.
    timed("write whole milliseconds", {"start_ms": "soon"}, start_ms=5),
    timed("write it like 2024-12-19T12:00:00.000Z", {"timestamp": "soon"}, timestamp="2024-12-19T12:00:00.000Z"),
    timed("write each chunk's time and length, or leave `stream` out", {"stream": [[0, 3]]}, stream=[[0, 3], [5, 3]]),
    timed("write each chunk's time and length, or leave `stream` out", {"stream": [[0, 3]]}),
    timed(
        "put the messages in order, or leave out their times",
        {"start_ms": 9, "end_ms": 9},
        {"start_ms": 5, "end_ms": 6},
    ),
    timed(
        "correct the unit of the times, or give each conversation a case of its own",
        {"start_ms": 0, "end_ms": 1},
        {"start_ms": 10**13, "end_ms": 10**13 + 1},
    ),
    # Tables.
    table("columns are {} and perhaps {}", TABLE.replace("agent", "speaker")),
    table("quote cells that hold the delimiter or a newline", TABLE.replace("Fever.", "Fever, he says.")),
    table("quote cells, and double quotes inside them", TABLE.replace("Fever.", '"A "rash""x')),
    table("export the column as text", TABLE.replace("Fever.", "#NAME?")),
    table("correct the row, or leave out what does not map with --skip-unmapped", TABLE + "c1,,Rash.\n"),
    table("correct the row, or leave out what does not map with --skip-unmapped", TABLE + "c1,doctor0, \n"),
    # Spans.
    traced("export the spans as OTLP/JSON", json.dumps({"resourceSpans": 5})),
    traced("export the spans as OTLP/JSON", spans(5)),
    traced("export the spans as OTLP/JSON", spans(span() | {"attributes": [5]})),
    traced("flatten it", spans(span() | {"attributes": [{"key": "a", "value": nested(60)}]})),
    traced(
        "record message contents (gen_ai.input.messages, gen_ai.output.messages) and export again",
        spans({"traceId": "ab", "spanId": "cd"}),
    ),
    traced(SKIP, spans(span("[{"))),
    traced(SKIP, spans(span({"role": "assistant"}))),
    traced(SKIP, spans(span(["Fever."]))),
]
