"""A trace's file: what cannot be replayed is refused with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.errors import DataError
from exaid_evals.metrics.records import read_variant
from exaid_evals.replay.run_log import read_run
from exaid_evals.traces.model import from_records, read_trace
from factories import case_record, trace_records

LENGTH = len(trace_records()[2]["content"])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"stream": [[9000, 3]]}, f"3 characters, and the content {LENGTH}"),
        ({"t_rel_ms": 5, "stream": []}, "its time is 5 ms, before the message above"),
        ({"stream": [[90_000, 5], [80_000, LENGTH - 5]]}, "its times go back"),
        ({"stream": [[0, LENGTH]]}, "its times go back"),
        ({"stream": [[9000.0, LENGTH]]}, "9000.0 where a whole number"),
        ({"t_rel_ms": 1734609600000, "stream": []}, "longer than a conversation may last"),
    ],
)
def test_a_message_that_cannot_be_replayed_is_named(tmp_path: Path, change: dict[str, Any], what: str) -> None:
    """Streams that do not add up, times that run back, and times that are none: file, line and reason."""
    records = trace_records()
    records[2].update(change)
    path = tmp_path / "case-1000.jsonl"
    write_jsonl(path, records)
    with pytest.raises(DataError, match=rf"case-1000\.jsonl:3: .*{what}"):
        # Canonical files round 9000.0 to an integer's text on their way out; other writers do not.
        from_records(records, where=str(path)) if "9000.0" in what else read_trace(path)


def test_a_sound_trace_is_read(tmp_path: Path) -> None:
    """Nothing is held against what the contracts allow."""
    write_jsonl(tmp_path / "case-1000.jsonl", trace_records())
    assert len(read_trace(tmp_path / "case-1000.jsonl").messages) == 4


@pytest.mark.parametrize("read", [read_trace, read_run, read_manifest, read_variant])
def test_records_of_another_kind_are_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """Each is valid, and none what the reader of traces, runs, manifests or metrics asks for."""
    write_jsonl(tmp_path / "V0.metrics.jsonl", [case_record()])
    with pytest.raises(DataError, match=r"V0\.metrics\.jsonl:1: a record of exaid\.case where one of"):
        read(tmp_path / "V0.metrics.jsonl")
