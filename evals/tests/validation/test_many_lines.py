"""Many lines checked at once: what is found is what is found line by line, whatever is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts import jsonl
from exaid_evals.validation import file
from exaid_evals.validation.base import Surroundings
from exaid_evals.validation.file import FileReport, check_file
from exaid_evals.validation.targets import Target
from factories import case_record, metrics_records, run_records, trace_records
from strategies import json_values, places

TRACE = trace_records(n_messages=6)
FILES = {
    "traces/case-1000.jsonl": TRACE,
    "runs/V3/case-1000.jsonl": run_records(TRACE),
    "metrics/V3.metrics.jsonl": metrics_records(),
    "cases/mine.jsonl": [case_record(), case_record("case-1001")],
}


def spaced(line: bytes) -> bytes:
    """Write a line as another program may, which is no fault."""
    return line.replace(b'":', b'": ')


def key_twice(line: bytes) -> bytes:
    """Give a line a key twice."""
    return line.replace(b"{", b'{"schema_name":"exaid.run",', 1)


def with_points(line: bytes) -> bytes:
    """Write the small numbers of a line as 1.0, which JSON Schema takes for integers."""
    return line.replace(b":0,", b":0.0,").replace(b":1,", b":1.0,").replace(b":2,", b":2.0,")


RAW = {
    "spaces": spaced,
    "a key twice": key_twice,
    "points": with_points,
    "a huge integer": lambda line: line.replace(b":1,", b":100000000000000000000000,"),
    "half": lambda line: line[: len(line) // 2],
    "nothing": lambda line: line[:0],
    "a list": lambda line: b"[" + line + b"]",
    "NaN": lambda line: line.replace(b":1,", b":NaN,"),
    "two in a line": lambda line: line + b"," + line,
    "no schema": lambda line: line.replace(b'"schema_name"', b'"schema"'),
    "another version": lambda line: line.replace(b'"1.', b'"9.', 1),
    "no text": lambda line: line.replace(b'"schema_version":"', b'"schema_version":["', 1).replace(b'",', b'"],', 1),
}


@st.composite
def changed_lines(draw: st.DrawFn, records: list[dict[str, Any]]) -> list[bytes]:
    """Draw the lines of a file in which a few things are wrong."""
    lines = [orjson.dumps(record, option=orjson.OPT_SORT_KEYS) for record in records]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        what = draw(st.sampled_from(["value", "absent", "swap", "repeat", "drop", *RAW]))
        if what in RAW:
            lines[at] = RAW[what](lines[at])
        elif what == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif what == "repeat":
            lines.insert(at, lines[at])
        elif what == "drop" and len(lines) > 1:
            del lines[at]
        elif what in ("value", "absent") and at < len(records):
            record = orjson.loads(orjson.dumps(records[at]))
            *way, last = draw(st.sampled_from(list(places(record))))
            holder = record
            for step in way:
                holder = holder[step]
            if what == "absent":
                del holder[last]
            else:
                holder[last] = draw(json_values)
            lines[at] = jsonl.canonical_bytes(record)
    return lines


def one_by_one(_: object) -> None:
    """Say of any lines that they cannot be read at once."""


def report_of(path: Path) -> FileReport:
    """Check a file by itself."""
    return check_file(Target(str(path)), Surroundings(), keep=1000)


def assert_same(path: Path, lines: list[bytes]) -> None:
    """Check a file of these lines both ways."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    at_once = report_of(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "_all_records", one_by_one)
        assert at_once == report_of(path)


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
def test_at_once_is_as_one_by_one(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Findings, counts and kind are the same, in files with hidden, broken, misplaced and invalid lines."""
    assert_same(tmp_path_factory.getbasetemp() / "at-once" / name, data.draw(changed_lines(FILES[name])))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("wrong", RAW)
def test_each_fault_in_each_line(name: str, wrong: str, tmp_path: Path) -> None:
    """The same where one line alone has a fault, whichever it is."""
    lines = [orjson.dumps(record, option=orjson.OPT_SORT_KEYS) for record in FILES[name]]
    for at, line in enumerate(lines):
        assert_same(tmp_path / name, [*lines[:at], RAW[wrong](line), *lines[at + 1 :]])


def test_sound_lines_are_checked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above compares two ways: no line of a sound file is looked at by itself."""
    monkeypatch.setattr(file, "_is_sound", None)
    for name, records in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        jsonl.write_jsonl(path, records)
        assert report_of(path).n_records == len(records)


def test_two_values_that_share_their_lines_are_no_two_records(tmp_path: Path) -> None:
    """Lines that make as many values as there are lines only when they are joined are each refused."""
    (tmp_path / "x.jsonl").write_bytes(b'{"a":1},{"b":2}\n{"c":[1\n2]}\n')
    assert [line.value for line in jsonl.scan_jsonl(tmp_path / "x.jsonl")] == [None, None, None]


def test_a_file_of_many_faults_is_given_up_at_the_same_place(tmp_path: Path) -> None:
    """Ten thousand findings end the reading, also where lines are read at once."""
    log = run_records(TRACE)
    flush = next(record for record in log if record["record_type"] == "gate_flush")
    path = tmp_path / "case-1000.jsonl"
    jsonl.write_jsonl(path, [log[0], *[{**flush, "flush_index": 5}] * 20_000])
    at_once = report_of(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "_all_records", one_by_one)
        assert report_of(path) == at_once
    assert at_once.findings[-1].what == "flush_index is 5, and must be 6"
