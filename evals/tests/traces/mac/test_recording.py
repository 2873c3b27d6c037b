"""The file of recorded calls: what it survives, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.errors import DataError
from exaid_evals.traces.mac.recording import Call, Outcome, RecordedRun, Recording, SaidAt, read_recording

RUN = RecordedRun("mas-0123456789abcdef", "2024-12-19T12:00:00Z", "0" * 40, "gpt-4o-mini")


def call(case_id: str, text: str, repeat: int = 0) -> Call:
    """Return a call."""
    request = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return Call(case_id, sha256_structure(request), repeat, request, {"choices": [text, repeat]}, latency_ms=7)


def recorded(path: Path) -> None:
    """Record two cases, out of order."""
    with Recording(path, RUN) as recording:
        for item in (call("case-b", "x"), call("case-a", "y"), call("case-a", "x"), call("case-a", "x", 1)):
            recording.add_call(item)
        recording.add_outcome("case-a", Outcome(1, failure_reason="no"))
        recording.add_outcome("case-a", Outcome(2, messages=(SaidAt("sha256:" + "0" * 64, 5),)))


def test_found_again_and_sorted(tmp_path: Path) -> None:
    """Answers are found by case, request and repeat; the file tells cases in order, calls in theirs, the last word."""
    path = tmp_path / "r.jsonl.gz"
    recorded(path)
    with Recording(path, RUN, read_only=True) as recording:
        for item in (call("case-b", "x"), call("case-a", "x"), call("case-a", "x", 1)):
            answer = recording.find(item.case_id, item.request_sha256, item.repeat)
            assert answer is not None
            assert answer.response == item.response
        assert recording.find("case-b", call("case-a", "y").request_sha256, 0) is None
        assert recording.outcome("case-a") == Outcome(2, messages=(SaidAt("sha256:" + "0" * 64, 5),))
    order = [(r["record_type"], r.get("case_id"), r.get("call_index")) for r in read_jsonl(path)]
    assert order == [
        ("mac_run", None, None),
        *(("mac_call", "case-a", index) for index in range(3)),
        ("mac_case", "case-a", None),
        ("mac_call", "case-b", 0),
    ]


def test_every_torn_end_is_mended(tmp_path: Path) -> None:
    """Wherever a kill cuts the last record off, those before it stay, and more can be added."""
    path = tmp_path / "r.jsonl.gz"
    recording = Recording(path, RUN)
    recording.add_call(call("case-a", "x"))
    whole = path.stat().st_size
    recording.add_call(call("case-a", "y"))
    data = path.read_bytes()
    for cut in range(whole + 1, len(data), 7):
        path.write_bytes(data[:cut])
        # Where only the checksum is cut off, the record itself is whole.
        n_whole = len(read_recording(path)[0]) - 1
        assert n_whole == 1 + (cut >= len(data) - 8)
        with Recording(path, RUN) as again:
            again.add_call(call("case-a", "z"))
        assert [r["call_index"] for r in read_jsonl(path)[1:]] == list(range(n_whole + 1))


def test_what_was_changed_is_refused(tmp_path: Path) -> None:
    """An answer under another request, a stranger's record and another generation are named, not used."""
    path = tmp_path / "r.jsonl.gz"
    recorded(path)
    records = read_jsonl(path)

    def refused(change: Any, named: str) -> None:
        changed = [dict(record) for record in records]
        change(changed)
        write_jsonl(path, changed)
        with pytest.raises(DataError, match=named):
            Recording(path, RUN)

    refused(lambda r: r[1].update(request={"model": "n"}), "not the hash of request")
    refused(lambda r: r[1].update(mas_run_id="mas-fedcba9876543210"), "another generation")
    refused(lambda r: r.pop(0), "mac_run")
    refused(lambda r: r[1].update(latency_ms=-1), "latency_ms")
    write_jsonl(path, records)
    with pytest.raises(DataError, match="is the recording of mas-0123456789abcdef"):
        Recording(path, RecordedRun("mas-fedcba9876543210", RUN.created_at, RUN.mac_commit, RUN.model))


def test_nothing_is_added_after_the_end(tmp_path: Path) -> None:
    """An answer that comes when the file is in order again does not disturb it; nor does a replay touch it."""
    path = tmp_path / "r.jsonl.gz"
    with Recording(path, RUN) as recording:
        recording.add_call(call("case-a", "x"))
    before = path.read_bytes()
    recording.add_call(call("case-a", "y"))
    with Recording(path, RUN, read_only=True) as reading:
        reading.add_call(call("case-a", "y"))
    assert path.read_bytes() == before
