"""A run log's file: what contradicts itself or its trace is refused by name, and nothing broken is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.errors import DataError
from exaid_evals.replay.run_log import read_run, write_run
from exaid_evals.replay.windows import require_within
from exaid_evals.traces.model import from_records
from factories import Record, run_records, trace_records

TRACE = trace_records()
# The log's lines: 1 run_meta, 2–5 flushes, 6–9 decisions, 10–11 summaries.


def put(line: int, **fields: Any) -> Callable[[list[Record]], None]:
    """Change fields of the record in a line."""
    return lambda records: records[line - 1].update(fields)


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
    ],
)
def test_a_log_that_contradicts_itself_is_refused(
    tmp_path: Path, change: Callable[[list[Record]], None], what: str
) -> None:
    """The error names file, line and field."""
    path = written(tmp_path, change)
    with pytest.raises(DataError) as caught:
        read_run(path)
    assert f"{path}{what}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (put(5, end_seq=500), "gate_flush 3 covers"),
        (put(2, end_char=10_000), "gate_flush 0 covers"),
        (put(2, start_char=9, end_char=3), "gate_flush 0 covers"),
        (put(11, end_seq=500), "summary 1 covers messages"),
    ],
)
def test_a_range_beyond_the_trace_is_refused(tmp_path: Path, change: Callable[[list[Record]], None], what: str) -> None:
    """Ranges are held against the trace, and the file is named."""
    log = read_run(written(tmp_path, change))
    with pytest.raises(DataError, match=f"^here: {what}"):
        require_within(from_records(TRACE, where=""), log, where="here")


def test_a_sound_log_is_read_and_written_again(tmp_path: Path) -> None:
    """Nothing is held against what the contracts allow, and the bytes come back."""
    path = written(tmp_path, lambda _: None)
    log = read_run(path)
    require_within(from_records(TRACE, where=""), log, where="here")
    write_run(tmp_path / "again.jsonl.gz", log)
    assert (tmp_path / "again.jsonl.gz").read_bytes() == path.read_bytes()
