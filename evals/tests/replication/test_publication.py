"""Files in upstream's layout are read whole, or named by file and line."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publications import lines_of, publish, run, trace, write

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.replication.published import Publication, read_published_run, read_published_trace


def test_turns_overlap_and_late_deltas_are_kept(tmp_path: Path) -> None:
    """A delta after its turn's end belongs to the turn; the hash is that of the text until then; -500 ms is kept."""
    write(tmp_path / "case-1.trace.jsonl.gz", trace("case-1"))
    found = read_published_trace(tmp_path / "case-1.trace.jsonl.gz")
    assert [turn.text for turn in found.turns] == ["Seizure and", " ataxia."]
    assert [(turn.agent_id, turn.start_ms) for turn in found.turns] == [("unknown", -500), ("doctor0", 60)]


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("trace", lambda lines: lines[:-1], r":1: total_turns is 2|: turn 2 does not end"),
        ("trace", lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], r":2: seq is 1, and must be 0"),
        ("trace", lambda lines: [*lines[:3], lines[2], *lines[3:]], r":4: seq is 1, and must be 2"),
        ("trace", lambda lines: [lines[0], *lines], r":2: a second trace_meta"),
        ("trace", lambda lines: [line.replace("zure", "zuro") for line in lines], r":6: content_hash"),
        ("trace", lambda lines: [line.replace('"t_rel_ms":40', '"t_rel_ms":"40"') for line in lines], r":4: t_rel_ms"),
        ("trace", lambda lines: lines[1:], r":1: a trace must open with its trace_meta"),
        ("run", lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], r":3: flush_index is 2, and must be 1"),
        ("run", lambda lines: [*lines, lines[-1]], r":9: event_index is 2, and must be 3"),
        ("run", lambda lines: [*lines[:-2], lines[-1]], r":7: event_index is 2, and must be 1"),
        ("run", lambda lines: [line.replace('"variant_id":"V0"', '"variant_id":"V9"', 1) if "event" in line else line
                               for line in lines], r"variant_id is 'V9', in a run of V0"),
        ("run", lambda lines: [*lines[:-1], lines[-1][:40]], "half a line"),
        ("run", lambda lines: lines[:-1], r":7: timestamp_derivation counts 7 records.*holds 6: it was"),
        ("run", lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], r":6: a buffer_decision behind a summ"),
        ("run", lambda lines: [line.replace("T22:23:21.000Z", "T22:23") for line in lines], r":3: timestamp is '2025"),
    ],
)  # fmt: skip
def test_what_was_cut_moved_or_repeated_is_named_by_line(tmp_path: Path, name: str, edit: object, message: str) -> None:
    """Cut, reordered, duplicated and repeated lines are errors with a place, never other numbers."""
    path = tmp_path / "case-1.trace.jsonl.gz"
    write(path, trace("case-1") if name == "trace" else run("case-1", "V0", "full_exaid"))
    path.write_bytes(gzip.compress("".join(edit(lines_of(path))).encode()))  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        (read_published_trace if name == "trace" else read_published_run)(path)


@given(data=st.data())
def test_any_edit_of_the_lines_is_read_the_same_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is done to the order of a trace's lines: it is refused, unless it was no change."""
    path = tmp_path_factory.mktemp("fuzz") / "case-1.trace.jsonl.gz"
    write(path, trace("case-1"))
    lines = lines_of(path)
    original = read_published_trace(path)
    picked = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=len(lines) + 2))
    path.write_bytes(gzip.compress("".join(lines[index] for index in picked).encode()))
    if picked == list(range(len(lines))):
        assert read_published_trace(path) == original
    else:
        with pytest.raises(DataError, match=re.escape(str(path))):
            read_published_trace(path)


@given(data=st.data())
def test_any_edit_of_a_run_logs_lines_is_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Cut at any line, moved, duplicated or repeated: refused with its place, unless it was no change."""
    path = tmp_path_factory.mktemp("fuzz") / "case-1.trace.jsonl.gz"
    write(path, run("case-1", "V0", "full_exaid"))
    lines = lines_of(path)
    original = read_published_run(path)
    picked = data.draw(
        st.lists(st.integers(0, len(lines) - 1), max_size=len(lines) + 2) | st.permutations(range(len(lines)))
    )
    path.write_bytes(gzip.compress("".join(lines[index] for index in picked).encode()))
    if list(picked) == list(range(len(lines))):
        assert read_published_run(path) == original
    else:
        with pytest.raises(DataError, match=re.escape(str(path))):
            read_published_run(path)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_damaged_bytes_are_named_by_file(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    """A packed file that ends too early, or in which a byte is another, is refused by name or holds the same."""
    path = tmp_path_factory.mktemp("fuzz") / "case-1.trace.jsonl.gz"
    write(path, trace("case-1"))
    original, whole = read_published_trace(path), path.read_bytes()
    at = place % len(whole)
    for damaged in (whole[:at], whole[:at] + bytes([value]) + whole[at + 1 :]):
        path.write_bytes(damaged)
        try:
            found, problem = read_published_trace(path), ""
        except DataError as error:
            found, problem = None, str(error)
        assert found == original or path.name in problem


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"record_type": "trace_entry", "case_id": "case-1"}] * 2, r":2: case-1 is a duplicate"),
        ([{"record_type": "trace_entry", "case_id": "case-1"}, {"record_type": "summary", "total_cases": 2}],
         r":2: total_cases is 2, and the file holds 1 traces: it was cut"),
    ],
)  # fmt: skip
def test_lines_of_the_manifest_are_counted(tmp_path: Path, entries: list[dict[str, object]], message: str) -> None:
    """A trace that is listed twice, or fewer than are said to be there."""
    publication = Publication(publish(tmp_path))
    (tmp_path / "manifests").mkdir()
    sha256 = sha256_file(publication.trace_files["case-1"])
    lines = [json.dumps({**entry, "sha256": sha256}) + "\n" for entry in entries]
    (tmp_path / "manifests" / "d.manifest.jsonl").write_text("".join(lines))
    with pytest.raises(DataError, match=r"d\.manifest\.jsonl" + message):
        publication.check_manifest()


def test_the_case_list_counts(tmp_path: Path) -> None:
    """A case that was cut out of it is named by its line."""
    publication = Publication(publish(tmp_path))
    (tmp_path / "manifests").mkdir()
    path = tmp_path / "manifests" / "d.case_list.jsonl"
    path.write_text('{"case_id": "case-1", "index": 0}\n{"case_id": "case-2", "index": 2}\n')
    with pytest.raises(DataError, match=r"d\.case_list\.jsonl:2: index is 2, and must be 1"):
        publication.check_manifest()


def test_a_trace_that_is_another_is_named(tmp_path: Path) -> None:
    """The manifest's hash is of the content; a trace with another is not the one that was published."""
    folder = publish(tmp_path)
    entry = {"record_type": "trace_entry", "case_id": "case-1", "sha256": "sha256:" + "0" * 64}
    write(folder / "manifests" / "d.manifest.jsonl.gz", [entry])
    unpacked = gzip.decompress((folder / "manifests" / "d.manifest.jsonl.gz").read_bytes())
    (folder / "manifests" / "d.manifest.jsonl").write_bytes(unpacked)
    with pytest.raises(DataError, match=r"d\.manifest\.jsonl:1: case-1\.trace\.jsonl\.gz is another file"):
        Publication(folder).check_manifest()


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    """The message says what is missing and which folder is meant."""
    with pytest.raises(ConfigError, match="no traces and no runs here; name the folder"):
        Publication(tmp_path)
