"""Run logs: no reference dangles, nothing knows the future, and each lie is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checking import Change, found_after, found_in, rewrite
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.config.campaign import Campaign
from factories import failed_trace_records, run_records, sha256, trace_records
from strategies import json_values, places

TRACE = trace_records(n_messages=6)
LOG = run_records(TRACE)
FLUSHES = [record for record in LOG if record["record_type"] == "gate_flush"]
SUMMARIES = [record for record in LOG if record["record_type"] == "summary"]
# The log's lines: 1 run_meta, 2–7 flushes, 8–13 decisions, 14–16 summaries.
EVENT = "case-1000-V3-se-{:03d}".format


def put(line: int, **fields: Any) -> Change:
    """Change fields of the record in a line."""
    return lambda records: records[line - 1].update(fields)


LIES: dict[str, tuple[Change, list[tuple[int, str]]]] = {
    "no run_meta": (
        lambda records: records.pop(0),
        [(0, "has no run_meta"), (1, "opens with gate_flush, and must open with run_meta")],
    ),
    "run_meta twice": (
        lambda records: records.insert(1, records[0]),
        [(2, "a second run_meta: a run log has exactly one")],
    ),
    "another order of types": (
        lambda records: records.append(records.pop(12)),
        [
            (15, "no decision to summarize after flush 5 belongs to it"),
            (16, "trigger_decision after summary: the types are out of order"),
        ],
    ),
    "an index left out": (
        put(4, flush_index=7),
        [
            (4, "flush_index is 7, and must be 2"),
            (5, "flush_index is 3, and must be 8"),
            (10, "there is no flush 2"),
            (15, "there is no flush 2"),
        ],
    ),
    "another configuration": (
        put(1, config={"variant": "other", "stream": {"chars_per_second": 120}}),
        [(1, "config_hash is not the hash of config")],
    ),
    "no speed of the stream": (
        put(1, config={}, config_hash=sha256("{}")),
        [(1, "config.stream.chars_per_second must be a number above 0")],
    ),
    "a text that is not of the fields": (
        put(16, semantics_text="other"),
        [(16, "semantics_text is not that of summary_content")],
    ),
    "a flush that turns round": (
        put(3, start_char=9, end_char=4),
        [(3, "the flush ends at (1, 4), before it starts at (1, 9)")],
    ),
    "flushes that overlap": (
        put(4, start_seq=1, start_char=0, reason="silence"),
        [
            (4, f"the flush starts at (1, 0), before the end of another at (1, {FLUSHES[1]['end_char']})"),
            (15, "covers messages 2–3, its flushes 1–3"),
        ],
    ),
    "a flush that ends within another": (
        lambda records: (
            put(3, start_char=5)(records),
            put(4, start_seq=1, start_char=0, end_seq=1, end_char=9)(records),
            put(15, start_seq=1)(records),
        ),
        [(4, "the flush ends at (1, 9), behind the start of another at (1, 5)")],
    ),
    "flushes of messages that overlap, which are as they should be": (
        lambda records: (
            put(3, start_char=5)(records),
            put(4, start_seq=1, start_char=0, end_seq=1, end_char=5)(records),
            put(15, start_seq=1)(records),
        ),
        [],
    ),
    "a flush before the last": (
        put(4, t_ms=0),
        [(4, f"t_ms goes back from {FLUSHES[1]['t_ms']} to 0")],
    ),
    "a decision about nothing": (
        put(13, flush_index=77),
        [
            (13, "there is no flush 77"),
            (16, "no decision to summarize after flush 5 belongs to it"),
        ],
    ),
    "a decision before its flush": (
        put(8, t_ms=FLUSHES[0]["t_ms"] + 49),
        [(8, f"t_ms is {FLUSHES[0]['t_ms'] + 49}, before flush 0 and the latency allow it")],
    ),
    "a flush decided twice": (put(10, flush_index=1), [(10, "flush 1 is decided after flush 1")]),
    "a summary that nobody decided": (
        put(13, decision="hold"),
        [
            (0, "has 3 summaries and 2 decisions to summarize"),
            (16, "no decision to summarize after flush 5 belongs to it"),
        ],
    ),
    "a decision without its summary": (
        lambda records: records.pop(),
        [(0, "has 2 summaries and 3 decisions to summarize")],
    ),
    "a summary without flushes": (
        put(16, flush_indices=[4, 9]),
        [
            (16, "flush_indices do not follow one another"),
            (16, "no decision to summarize after flush 9 belongs to it"),
            (16, "there is no flush 9"),
        ],
    ),
    "a flush summarised twice": (
        put(15, flush_indices=[1, 2, 3], start_seq=1),
        [(15, "flush 1 stands in an earlier summary too")],
    ),
    "another window": (put(15, start_seq=0), [(15, "covers messages 0–3, its flushes 2–3")]),
    "a summary before its window": (
        put(14, t_ms=FLUSHES[1]["t_ms"]),
        [(14, f"t_ms is {FLUSHES[1]['t_ms']}, before its last flush and the latency allow it")],
    ),
    "another event id": (
        put(16, event_id=EVENT(7)),
        [(16, f"event_id is {EVENT(7)}, and must be {EVENT(2)}")],
    ),
    "CTU of a summary": (
        put(16, summary_ctu=1),
        [(16, f"summary_ctu is 1, and rendered_text has {SUMMARIES[2]['summary_ctu']}")],
    ),
    "an error that is none": (
        put(16, schema_error="odd"),
        [(16, "schema_error must be given where schema_ok is false, and only there")],
    ),
    "a failed summary with content": (
        put(16, schema_ok=False, schema_error="too long"),
        [(16, "a failed summary with summary_content")],
    ),
    "another latest": (
        put(16, latest_summary_event_id=EVENT(0)),
        [(16, f"latest_summary_event_id is {EVENT(0)}, and the one before is {EVENT(1)}")],
    ),
    "a history of the future": (
        put(14, history_event_ids=[EVENT(1)]),
        [(14, f"history names {EVENT(1)}, which is not an earlier summary")],
    ),
    "a history out of order": (
        put(16, history_event_ids=[EVENT(1), EVENT(0)]),
        [(16, "history_event_ids are not in order, each once")],
    ),
    "a history too long": (
        put(1, history_k=1),
        [(16, "2 summaries of history, and history_k is 1")],
    ),
    "a history that was not emitted yet": (
        put(14, t_ms=SUMMARIES[1]["t_ms"] - 99),
        [(15, f"history names {EVENT(0)}, which was not emitted yet at {SUMMARIES[1]['t_ms'] - 100} ms")],
    ),
    "a history that failed": (
        put(14, schema_ok=False, schema_error="too long", summary_content=None),
        [(15, f"history names {EVENT(0)}, which failed"), (16, f"history names {EVENT(0)}, which failed")],
    ),
    "events of a skipped case": (
        lambda records: (records[0].update(status="skipped_failed_trace"), records.__delitem__(slice(2, None))),
        [(2, "gate_flush in a run that was skipped: it has run_meta alone")],
    ),
}


@pytest.mark.parametrize(("lie", "expected"), LIES.values(), ids=LIES)
def test_a_lie_is_named_and_no_bystander_is(tmp_path: Path, lie: Change, expected: list[tuple[int, str]]) -> None:
    """Each tampering gives exactly the findings that follow from it, at its line."""
    records = json.loads(json.dumps(LOG))
    assert found_after(tmp_path / "case-1000.jsonl.gz", records, lie) == expected


def test_a_whole_number_may_be_written_with_a_point(tmp_path: Path) -> None:
    """To JSON Schema 0.0 is an integer."""

    def change(records: list[dict[str, Any]]) -> None:
        for record in records:
            record.update({name: float(record[name]) for name in ("flush_index", "event_index") if name in record})

    assert found_after(tmp_path / "case-1000.jsonl.gz", LOG, change) == []


def test_a_sound_log_has_no_findings(tmp_path: Path) -> None:
    """A replayed case, and a skipped one with run_meta alone."""
    write_jsonl(tmp_path / "case-1000.jsonl.gz", LOG)
    assert found_in(tmp_path / "case-1000.jsonl.gz") == []
    write_jsonl(tmp_path / "case-1000.jsonl.gz", run_records(failed_trace_records()))
    assert found_in(tmp_path / "case-1000.jsonl.gz") == []


@pytest.mark.parametrize("line", range(2, len(LOG) + 1))
def test_a_broken_line_does_not_accuse_its_neighbours(tmp_path: Path, line: int) -> None:
    """Whichever record of a sound log is lost, only its own line is reported."""
    path = tmp_path / "case-1000.jsonl"
    write_jsonl(path, LOG)
    lines = path.read_bytes().split(b"\n")
    lines[line - 1] = b"rubbish"
    path.write_bytes(b"\n".join(lines))
    assert [number for number, _ in found_in(path)] == [line]


def test_a_log_belongs_to_its_folder_and_its_campaign(campaign: Campaign) -> None:
    """Variant and case are those of the path, traces and their hashes those of the manifest."""
    path = campaign.run_file("V3", "case-1000")
    assert found_in(path) == []
    rewrite(
        path,
        lambda records: records[0].update(
            mas_run_id="mas-" + "0" * 16, trace_sha256=sha256("x"), trace_dataset_hash=sha256("y"), stub=False
        ),
    )
    found = found_in(path)
    assert [line for line, _ in found] == [1, 1, 1, 1]
    assert [what.split(" is ")[0] for _, what in found] == ["mas_run_id", "stub", "trace_dataset_hash", "trace_sha256"]


def test_a_log_in_anothers_place_is_named(campaign: Campaign) -> None:
    """A copied file is found by its name: of another variant, of another case, of a case that nobody froze."""
    origin = campaign.run_file("V3", "case-1000")
    other_case, other_variant = campaign.run_file("V3", "case-1001"), campaign.run_file("V0", "case-1000")
    for path in (other_case, other_variant):
        path.write_bytes(origin.read_bytes())
    assert found_in(other_case) == [(1, "case-1000 in the file of case-1001")]
    assert found_in(other_variant) == [(1, "variant V3 in the folder of V0")]
    unknown = campaign.run_file("V3", "case-77")
    write_jsonl(unknown, run_records(failed_trace_records("case-77")))
    assert "the manifest knows no case-77" in [what for _, what in found_in(unknown)]


@given(st.data())
def test_no_valid_record_makes_the_check_fail(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever stands in the fields, the checker answers with findings and never with an error of its own.

    Records that still fit their schema after a change are the dangerous ones: they reach the arithmetic.
    """
    records = json.loads(json.dumps(data.draw(st.sampled_from([LOG, TRACE]))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.sampled_from(places(records)))
        parent: Any = records
        for part in place[:-1]:
            parent = parent[part]
        odd = st.sampled_from([0, 1.0, 2.0**63, 1e300, 2**63, -1, True, [], None, "case-1000", EVENT(0), ""])
        parent[place[-1]] = data.draw(st.one_of(odd, json_values))
    path = tmp_path_factory.mktemp("run") / "case-1000.jsonl"
    path.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in records))
    assert all(what for _, what in found_in(path))
