"""A run log's file: what contradicts itself or its trace is refused by name, and nothing broken is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.errors import CaseFailedError, DataError
from exaid_evals.replay.clock import require_within
from exaid_evals.replay.run_log import read_run, write_run
from exaid_evals.traces.model import from_records
from factories import Record, run_records, trace_records

TRACE = trace_records()
# The log's lines: 1 run_meta, 2–5 flushes, 6–9 decisions, 10–11 summaries.


def put(line: int, **fields: Any) -> Callable[[list[Record]], None]:
    """Change fields of the record in a line."""
    return lambda records: records[line - 1].update(fields)


def alone(lines: int, **fields: Any) -> Callable[[list[Record]], None]:
    """Keep the first lines only, and change fields of the first."""

    def change(records: list[Record]) -> None:
        del records[lines:]
        records[0].update(fields)

    return change


def written(folder: Path, change: Callable[[list[Record]], None]) -> Path:
    """Write a changed run log and return its file."""
    records = run_records(TRACE)
    change(records)
    path = folder / "case-1000.jsonl.gz"
    write_jsonl(path, records)
    return path


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (put(10, flush_indices=[9999]), ":10: there is no flush 9999"),
        (put(6, flush_index=4), ":6: there is no flush 4"),
        (put(3, flush_index=7), ":3: flush_index is 7, and must be 1"),
        (put(11, event_index=0), ":11: event_index is 0, and must be 1"),
        (put(10, summary_ctu=1), ":10: summary_ctu is 1, and rendered_text has"),
        (put(10, semantics_text="other"), ":10: semantics_text is not that of summary_content"),
        (put(1, config={"variant": {}}), ":1: config.stream.chars_per_second must be"),
        (put(1, config={"stream": {"chars_per_second": 0}}), ":1: config.stream.chars_per_second must be"),
        (put(1, config={"stream": {"chars_per_second": "fast"}}), ":1: config.stream.chars_per_second must be"),
        (put(1, config={"stream": {"chars_per_second": True}}), ":1: config.stream.chars_per_second must be"),
        (put(4, t_ms=7.0, ctu=9.0), ":4: ctu: 9.0 is not a whole number"),
        (alone(2, status="skipped_failed_trace"), ":2: gate_flush in a run without a replay: it has run_meta alone"),
        (alone(2, status="failed", failure_reason="x"), ":2: gate_flush in a run without a replay"),
        (alone(1, status="failed"), ":1: failure_reason must say why the run failed"),
        (lambda records: records.reverse(), ": must open with its only run_meta"),
    ],
)
def test_a_log_that_contradicts_itself_is_refused(
    tmp_path: Path, change: Callable[[list[Record]], None], what: str
) -> None:
    """The error names file, line and field, and what to do."""
    path = written(tmp_path, change)
    with pytest.raises(DataError) as caught:
        read_run(path)
    assert str(caught.value).startswith(f"{path}{what}")
    assert str(caught.value).endswith("; run `exaid-evals run-variants --force`")


def test_a_record_that_breaks_its_schema_is_named_by_its_line(tmp_path: Path) -> None:
    """Lines are counted from 1."""
    path = written(tmp_path, put(3, reason=7))
    with pytest.raises(DataError) as caught:
        read_run(path)
    assert str(caught.value).startswith(f"{path}:3: reason: 7")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (put(5, end_seq=500), "gate_flush 3 covers"),
        (put(2, end_char=10_000), "gate_flush 0 covers"),
        (put(2, start_char=9, end_char=3), "gate_flush 0 covers"),
        (put(11, end_seq=500), "summary 1 covers messages"),
        (put(11, end_seq=len(TRACE)), "summary 1 covers messages"),
        (put(11, start_seq=2, end_seq=1), "summary 1 covers messages"),
    ],
)
def test_a_range_beyond_the_trace_is_refused(tmp_path: Path, change: Callable[[list[Record]], None], what: str) -> None:
    """Ranges are held against the trace, and the file is named."""
    log = read_run(written(tmp_path, change))
    with pytest.raises(DataError, match=f"^here: {what}"):
        require_within(from_records(TRACE, where=""), log, where="here")


def test_a_sound_log_is_read_and_written_again(tmp_path: Path) -> None:
    """Nothing is held against what the contracts allow, and the bytes come back: a summary of one message is sound."""
    path = written(tmp_path, put(11, start_seq=1, end_seq=1))
    log = read_run(path)
    require_within(from_records(TRACE, where=""), log, where="here")
    write_run(tmp_path / "again.jsonl.gz", log)
    assert (tmp_path / "again.jsonl.gz").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("speed", [0.5, 1, 345])
def test_any_speed_above_0_is_one(tmp_path: Path, speed: float) -> None:
    """Half a character a second is slow, and no contradiction."""
    read_run(written(tmp_path, put(1, config={"stream": {"chars_per_second": speed}})))


@pytest.mark.parametrize(
    ("line", "fields", "what"),
    [
        (2, {"reason": 7}, "V3: gate message failed on case-1000: reason: 7"),
        (6, {"decision": "perhaps"}, 'V3: trigger llm failed on case-1000: decision: "perhaps"'),
        (10, {"latency_ms": -1}, "V3: summarizer structured failed on case-1000: latency_ms: -1"),
    ],
)
def test_what_breaks_the_schema_is_not_written(tmp_path: Path, line: int, fields: Record, what: str) -> None:
    """The part that made it is named, with the case, and what to do."""
    log = read_run(written(tmp_path, lambda _: None))
    group, index = {2: ("flushes", 0), 6: ("decisions", 0), 10: ("summaries", 0)}[line]
    events = list(getattr(log, group))
    events[index] = replace(events[index], **fields)
    with pytest.raises(CaseFailedError) as caught:
        write_run(tmp_path / "broken.jsonl.gz", replace(log, **{group: tuple(events)}))
    assert str(caught.value).startswith(what)
    assert str(caught.value).endswith("; correct the part")
    assert not (tmp_path / "broken.jsonl.gz").exists()
