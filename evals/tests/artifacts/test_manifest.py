"""The manifest's record: valid, complete, and checked against itself when it is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.artifacts.manifest import (
    LISTED_INLINE,
    Generation,
    Manifest,
    TraceEntry,
    assembled,
    from_record,
    read_manifest,
    to_record,
    to_records,
    write_manifest,
)
from exaid_evals.artifacts.schemas import violations
from exaid_evals.errors import DataError

HASH = "sha256:" + "0" * 64
MANIFEST = Manifest(
    created_at="2024-12-19T12:00:00Z",
    config_hash=HASH,
    generation=Generation(
        mas_run_id="mas-" + "0" * 16,
        mac_commit="0" * 40,
        base_model="stub-x",
        decoding_note="",
        selection_mode="all",
        selection_seed=42,
        n_cases_available=9,
        case_list_hash=HASH,
        ordered_case_list=("case-a", "case-b"),
        case_source="mac",
        case_content_hash=HASH,
        generation_seed=42,
    ),
    traces=(
        TraceEntry("case-a", "traces/case-a.jsonl.gz", HASH, 9, 900, "success"),
        TraceEntry("case-b", "traces/case-b.jsonl.gz", HASH, 1, 0, "failed"),
    ),
    stub=True,
)


def test_record_is_valid_and_comes_back() -> None:
    """A manifest survives its record, which its schema accepts."""
    record = to_record(MANIFEST)
    assert list(violations(record)) == []
    assert from_record(record, where="here") == MANIFEST
    assert record["experiment_id"] == "exp-mac-traces-20241219-120000"
    assert record["mas_generation_config"]["n_cases_selected"] == 2
    assert record["trace_dataset_hash"] == sha256_structure(record["traces"])


def test_file_comes_back(tmp_path: Path) -> None:
    """What is written is what is read."""
    path = tmp_path / "manifests" / "dataset_manifest.jsonl"
    write_manifest(path, MANIFEST)
    assert read_manifest(path) == MANIFEST
    assert read_manifest(path).failed_cases == ("case-b",)


def test_altered_entries_are_refused(tmp_path: Path) -> None:
    """An entry that was edited by hand no longer fits the hash over all of them."""
    record = to_record(MANIFEST)
    record["traces"][0]["sha256"] = "sha256:" + "1" * 64
    path = tmp_path / "m.jsonl"
    path.write_bytes(canonical_bytes(record) + b"\n")
    with pytest.raises(DataError, match="trace_dataset_hash"):
        read_manifest(path)


def test_wrong_count_is_refused() -> None:
    """The number of cases must be the length of the list."""
    record = to_record(MANIFEST)
    record["mas_generation_config"]["n_cases_selected"] = 3
    with pytest.raises(DataError, match="n_cases_selected"):
        from_record(record, where="here")


def test_version_1_0_0_is_read_but_freezes_nothing() -> None:
    """An old manifest has no hashes: it can be read, and asking for its entries says what to do."""
    record = json.loads(canonical_bytes(to_record(MANIFEST)))
    for name in ("traces", "trace_dataset_hash", "stub"):
        del record[name]
    for name in ("case_source", "case_content_hash", "generation_seed"):
        del record["mas_generation_config"][name]
    record["schema_version"] = "1.0.0"
    assert list(violations(record)) == []
    old = from_record(record, where="here")
    assert old.traces is None
    with pytest.raises(DataError, match=r"1\.0\.0"):
        _ = old.entries


def test_absent_and_doubled_manifests_are_errors(tmp_path: Path) -> None:
    """No manifest says which command makes one; two records are one too many."""
    with pytest.raises(DataError, match="make-traces"):
        read_manifest(tmp_path / "none.jsonl")
    path = tmp_path / "two.jsonl"
    path.write_bytes((canonical_bytes(to_record(MANIFEST)) + b"\n") * 2)
    with pytest.raises(DataError, match="2 records"):
        read_manifest(path)


def test_dataset_hash_depends_on_every_entry() -> None:
    """Another file in the freeze is another data set."""
    fewer = replace(MANIFEST, traces=(MANIFEST.traces or ())[:1])
    assert fewer.trace_dataset_hash != MANIFEST.trace_dataset_hash


LARGE = replace(
    MANIFEST,
    generation=replace(MANIFEST.generation, ordered_case_list=tuple(f"case-{n:05d}" for n in range(LISTED_INLINE + 1))),
    traces=tuple(
        TraceEntry(f"case-{n:05d}", f"traces/case-{n:05d}.jsonl.gz", HASH, 9, 900, "success")
        for n in range(LISTED_INLINE + 1)
    ),
)


@pytest.mark.slow
def test_many_cases_are_records_of_their_own(tmp_path: Path) -> None:
    """Above 10,000 cases no line grows with them; the file comes back, with the hash that one record would have."""
    path = tmp_path / "m.jsonl"
    write_manifest(path, LARGE)
    lines = path.read_bytes().splitlines()
    assert len(lines) == LISTED_INLINE + 2
    assert max(map(len, lines)) < 2000
    records = list(to_records(LARGE))
    assert all(not any(violations(record)) for record in (records[0], records[1], records[-1]))
    assert records[0]["trace_dataset_hash"] == sha256_structure(to_record(LARGE)["traces"])
    assert read_manifest(path) == LARGE


def test_up_to_10_000_cases_the_manifest_is_as_published() -> None:
    """One record of version 1.1.0; in shards it says so, and is of the version that can."""
    [record] = to_records(MANIFEST)
    assert record["schema_version"] == "1.1.0"
    head, *cases = to_records(replace(MANIFEST, layout="shards"))
    assert (head["schema_version"], head["layout"], len(cases)) == ("1.3.0", "shards", 2)
    assert from_record(assembled([head, *cases]), where="") == replace(MANIFEST, layout="shards")


def test_a_list_that_was_cut_is_refused(tmp_path: Path) -> None:
    """A manifest whose last cases are gone is not a manifest of fewer cases."""
    path = tmp_path / "m.jsonl"
    write_manifest(path, replace(MANIFEST, layout="shards"))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match="n_cases_selected"):
        read_manifest(path)


def test_a_case_without_a_head_is_refused(tmp_path: Path) -> None:
    """The head comes first, once."""
    head, *cases = to_records(replace(MANIFEST, layout="shards"))
    for records in ([*cases, head], [head, head, *cases], cases, []):
        write_jsonl(tmp_path / "m.jsonl", records)
        with pytest.raises(DataError, match="one must stand"):
            read_manifest(tmp_path / "m.jsonl")
