"""Stage 00 on recordings of MAC's calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checking import Change, found_after, found_in
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.traces.mac.recording import Call, Outcome, RecordedRun, Recording, SaidAt

NAME = "mac-mas-0123456789abcdef.jsonl.gz"


@pytest.fixture
def records(tmp_path: Path) -> list[dict[str, Any]]:
    """Return a sound recording of two cases."""
    path = tmp_path / NAME
    run = RecordedRun("mas-0123456789abcdef", "2024-12-19T12:00:00Z", "0" * 40, "gpt-4o-mini")
    with Recording(path, run) as recording:
        for text in ("x", "y"):
            request = {"model": "m", "messages": [{"role": "user", "content": text}]}
            recording.add_call(Call("case-a", sha256_structure(request), 0, request, {"choices": [text]}, 7))
        digest = f"sha256:{'0' * 64}"
        recording.add_outcome("case-a", Outcome(1, messages=(SaidAt(digest, 0), SaidAt(digest, 9))))
        recording.add_outcome("case-b", Outcome(3, failure_reason="no"))
    assert found_in(path) == []
    return read_jsonl(path)


@pytest.mark.parametrize(
    ("change", "line", "named"),
    [
        (lambda r: r[1]["request"].update(model="n"), 2, "request_sha256 is not the hash of request"),
        (lambda r: r[1].update(latency_ms="fast"), 2, "latency_ms"),
        (lambda r: r.insert(2, r[1]), 3, "the same call is a duplicate"),
        (lambda r: r.pop(1), 2, "call_index is 1, and must be 0"),
        (lambda r: r.pop(0), 1, "must be mac_run"),
        (lambda r: r[2].update(mas_run_id="mas-fedcba9876543210"), 3, "a record of mas-fedcba9876543210"),
        (lambda r: r[3]["messages"].reverse(), 4, "t_rel_ms must begin at 0"),
        (lambda r: r[3].update(messages=[]), 4, "messages belong to successful cases"),
        (lambda r: r[4].update(status="success"), 5, "failure_reason belongs to failed cases"),
        (lambda r: r.append(r[4]), 6, "case-b comes to an end twice"),
    ],
)
def test_damage_is_named(tmp_path: Path, records: list[dict[str, Any]], change: Change, line: int, named: str) -> None:
    """Whatever a replay would stumble over, or quietly take for something else, is found with its line."""
    found = found_after(tmp_path / NAME, records, change)
    assert any(at == line and named in what for at, what in found), found
