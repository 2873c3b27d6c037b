"""Traces: every number in them is recomputed, and each lie is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checking import Change, found_after, found_in
from exaid_evals.artifacts.jsonl import write_jsonl
from factories import failed_trace_records, sha256, trace_records


def put(number: int, **fields: Any) -> Change:
    """Change fields of a record."""
    return lambda records: records[number].update(fields)


def put_metadata(number: int, **fields: Any) -> Change:
    """Change fields of a record's metadata."""
    return lambda records: records[number]["metadata"].update(fields)


def rename_case(number: int, case_id: str) -> Change:
    """Let a record speak of another case, with the trace_id that belongs to it."""
    return put(number, case_id=case_id, trace_id=f"trc-{case_id.removeprefix('case-')}-{number:03d}")


def as_version_1_0_0(records: list[Any]) -> None:
    """Take away what 1.1.0 and 1.2.0 added."""
    for record in records:
        record["schema_version"] = "1.0.0"
        for name in ("t_rel_ms", "stream", "content_sha256"):
            del record[name]
        for name in ("stub", "gold_concepts"):
            del record["metadata"][name]


TIMES = [record["t_rel_ms"] for record in trace_records()]
UNITS = [record["text_units_ctu"] for record in trace_records()]
CHARS = [len(record["content"]) for record in trace_records()]

LIES: dict[str, tuple[Change, list[tuple[int, str]]]] = {
    "a gap": (
        lambda records: records.pop(1),
        [(2, "sequence_num is 2, and must be 1"), (3, "sequence_num is 3, and must be 2")],
    ),
    "a message twice": (
        lambda records: records.append(records[-1]),
        [(5, "sequence_num is 3, and must be 4")],
    ),
    "another id": (put(2, trace_id="trc-1000-009"), [(3, "trace_id is trc-1000-009, and must be trc-1000-002")]),
    "a second case": (
        rename_case(1, "case-1001"),
        [(2, "a second case in the file"), (2, "case-1001 in the file of case-1000")],
    ),
    "CTU": (
        put(0, text_units_ctu=UNITS[0] + 1),
        [(1, f"text_units_ctu is {UNITS[0] + 1}, and the content has {UNITS[0]}")],
    ),
    "a changed text": (
        put(3, content="x" * CHARS[3]),
        [(4, "content_sha256 is not the content's hash: the text was changed")],
    ),
    "a stream too short": (
        put(1, stream=[[TIMES[1], 5]]),
        [(2, f"the stream's chunks have 5 characters, and the content {CHARS[1]}")],
    ),
    "a stream that turns back": (
        put(1, stream=[[TIMES[1], 5], [TIMES[1] + 9, 5], [TIMES[1] + 8, CHARS[1] - 10]]),
        [(2, f"the stream goes back in time, from {TIMES[1] + 9} to {TIMES[1] + 8} ms")],
    ),
    "a stream that starts late": (
        put(1, stream=[[TIMES[1] + 1, CHARS[1]]]),
        [(2, f"the stream starts at {TIMES[1] + 1} ms, and t_rel_ms is {TIMES[1]}")],
    ),
    "a late start": (
        lambda records: [record.update(t_rel_ms=record["t_rel_ms"] + 5, stream=[]) for record in records[:1]],
        [
            (1, "t_rel_ms is 5, and the first message's must be 0"),
            (1, "t_rel_ms is 5, and the time stamps lie 0 ms apart"),
        ],
    ),
    "two clocks": (
        lambda records: [record.pop("stream") for record in records] + [records[3].update(t_rel_ms=TIMES[3] + 2)],
        [(4, f"t_rel_ms is {TIMES[3] + 2}, and the time stamps lie {TIMES[3]} ms apart")],
    ),
    "time goes back": (
        lambda records: (
            [record.pop("stream") for record in records]
            + [records[2].update(t_rel_ms=0, timestamp=records[0]["timestamp"])]
        ),
        [
            (3, f"t_rel_ms goes back from {TIMES[1]} to 0"),
            (3, "timestamp 2024-12-19T12:00:00.000Z is before the message above"),
        ],
    ),
    "no such second": (
        put(1, timestamp="2024-12-31T23:59:60Z"),
        [(2, "'2024-12-31T23:59:60Z' is not an RFC 3339 time stamp")],
    ),
    "another model": (put_metadata(1, model="gpt"), [(2, "metadata.model differs from the first message's")]),
    "half a stub": (
        put_metadata(2, stub=False),
        [
            (3, "metadata.gold_concepts in a trace that is not a stub"),
            (3, "metadata.stub differs from the first message's"),
        ],
    ),
    "a label beyond the text": (
        put_metadata(1, gold_mentions=[{"kind": "negated", "concept_id": None, "start": 9, "end": 10**6}]),
        [
            (2, "gold_concepts are not the concepts that gold_mentions state"),
            (2, f"the gold mention 9–1000000 is empty, or beyond the content's {CHARS[1]} characters"),
        ],
    ),
    "a failure among successes": (
        lambda records: records.append(
            failed_trace_records()[0]
            | {"sequence_num": 0, "timestamp": records[-1]["timestamp"], "t_rel_ms": TIMES[-1]}
        ),
        [
            (5, "a failed case has exactly one record"),
            (5, "metadata.status differs from the first message's"),
            (5, "sequence_num is 0, and must be 4"),
        ],
    ),
}


@pytest.mark.parametrize(("lie", "expected"), LIES.values(), ids=LIES)
def test_a_lie_is_named_and_no_bystander_is(tmp_path: Path, lie: Change, expected: list[tuple[int, str]]) -> None:
    """Each tampering gives exactly the findings that follow from it, at its line."""
    assert found_after(tmp_path / "case-1000.jsonl.gz", trace_records(), lie) == expected


@pytest.mark.parametrize(
    "change",
    [
        list,
        as_version_1_0_0,
        lambda records: records[1].update(stream=[]),
        lambda records: [record.update(timestamp=record["timestamp"][:19] + "Z") for record in records],
    ],
    ids=["current", "version 1.0.0", "no stream", "time stamps of whole seconds"],
)
def test_a_sound_trace_has_no_findings(tmp_path: Path, change: Change) -> None:
    """What the contracts allow is let pass: older versions, messages without a stream, coarse time stamps."""
    assert found_after(tmp_path / "case-1000.jsonl.gz", trace_records(), change) == []


def test_a_failed_trace_is_sound(tmp_path: Path) -> None:
    """One record of `_system` with CTU 0."""
    write_jsonl(tmp_path / "case-1000.jsonl", failed_trace_records())
    assert found_in(tmp_path / "case-1000.jsonl") == []


def test_characters_are_code_points(tmp_path: Path) -> None:
    """Beyond the basic plane a character counts once, in CTU and in streams."""
    content = "😀é–" * 5
    records = trace_records(n_messages=1)
    records[0] |= {"content": content, "content_sha256": sha256(content), "text_units_ctu": 4, "stream": [[0, 15]]}
    write_jsonl(tmp_path / "case-1000.jsonl", records)
    assert found_in(tmp_path / "case-1000.jsonl") == []


def test_the_file_is_named_after_its_case(tmp_path: Path) -> None:
    """A renamed trace would be replayed as another case."""
    write_jsonl(tmp_path / "case-7.jsonl", failed_trace_records())
    assert found_in(tmp_path / "case-7.jsonl") == [(1, "case-1000 in the file of case-7")]


def test_a_broken_line_does_not_accuse_its_neighbours(tmp_path: Path) -> None:
    """The messages around a line that is not a record keep their places and are not said to be out of order."""
    path = tmp_path / "case-1000.jsonl"
    write_jsonl(path, trace_records())
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"{"
    path.write_bytes(b"\n".join(lines))
    assert [line for line, _ in found_in(path)] == [2]
