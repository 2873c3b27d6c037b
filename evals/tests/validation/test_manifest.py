"""The manifest: every id and hash in it is recomputed, and every file beside it is held against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checking import Change, found_after, found_in, found_in_campaign, rewrite
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.manifest import from_record, write_manifest
from exaid_evals.cases.registry import case_list_hash
from exaid_evals.cases.registry import mas_run_id as mas_run_id_of
from exaid_evals.config.campaign import Campaign
from factories import canonical, case_ids, failed_trace_records, manifest_record, sha256, trace_records

CASES = case_ids(2)
TRACES = {case_id: trace_records(case_id, cases=CASES) for case_id in CASES}
MANIFEST = manifest_record(TRACES)
CONFIG = MANIFEST["mas_generation_config"]


def put_config(**fields: object) -> Change:
    """Change fields of the generation's description."""
    return lambda records: records[0].update(mas_generation_config={**CONFIG, **fields})


def put_traces(entries: list[object]) -> Change:
    """List other traces, with the hash that belongs to them."""
    return lambda records: records[0].update(traces=entries, trace_dataset_hash=sha256(canonical(entries)))


LIES: dict[str, tuple[Change, list[str]]] = {
    "unsorted": (
        put_config(ordered_case_list=CASES[::-1]),
        [
            "case_list_hash is not the hash of ordered_case_list",
            "mas_run_id is {mas}, and commit, model and cases make {other}",
            "ordered_case_list is not sorted",
            "traces does not list the cases of ordered_case_list, each once and in its order",
        ],
    ),
    "a number too small": (
        put_config(n_cases_selected=1),
        ["n_cases_selected is 1, and ordered_case_list has 2"],
    ),
    "more than there are": (put_config(n_cases_available=1), ["n_cases_selected exceeds n_cases_available"]),
    "another list hash": (
        put_config(case_list_hash=sha256("x")),
        ["case_list_hash is not the hash of ordered_case_list"],
    ),
    "another model": (
        put_config(base_model="gpt"),
        ["mas_run_id is {mas}, and commit, model and cases make {other}"],
    ),
    "another data set hash": (
        lambda records: records[0].update(trace_dataset_hash=sha256("x")),
        ["trace_dataset_hash is not the hash of traces"],
    ),
    "a trace less": (
        put_traces(MANIFEST["traces"][:1]),
        ["traces does not list the cases of ordered_case_list, each once and in its order"],
    ),
    "a hash of nothing": (lambda records: records[0].pop("traces"), ["trace_dataset_hash without traces"]),
}


@pytest.mark.parametrize(("lie", "expected"), LIES.values(), ids=LIES)
def test_a_lie_is_named(tmp_path: Path, lie: Change, expected: list[str]) -> None:
    """Each tampering gives exactly the findings that follow from it."""
    found = found_after(tmp_path / "m.jsonl", [dict(MANIFEST)], lie)
    record = read_jsonl(tmp_path / "m.jsonl")[0]["mas_generation_config"]
    other = mas_run_id_of(
        mac_commit=record["mac_commit"], model=record["base_model"], cases=record["ordered_case_list"]
    )
    assert found == [(1, text.format(mas=CONFIG["mas_run_id"], other=other)) for text in expected]


def test_the_formulas_are_those_that_the_cases_are_selected_with() -> None:
    """The validator has its own copy of the formulas, and so have these tests; all three agree."""
    made = mas_run_id_of(mac_commit=CONFIG["mac_commit"], model=CONFIG["base_model"], cases=CASES)
    assert (made, case_list_hash(CASES)) == (CONFIG["mas_run_id"], CONFIG["case_list_hash"])


def test_a_manifest_of_version_1_0_0_is_sound(tmp_path: Path) -> None:
    """Older manifests list no files, so there is nothing to hold against them."""
    older = {key: value for key, value in MANIFEST.items() if key not in ("traces", "trace_dataset_hash", "stub")}
    write_jsonl(tmp_path / "manifests" / "m.jsonl", [older | {"schema_version": "1.0.0"}])
    assert found_in(tmp_path / "manifests" / "m.jsonl") == []


def test_a_second_record_is_refused(tmp_path: Path) -> None:
    """Two manifests in a file would leave open which one froze the traces."""
    write_jsonl(tmp_path / "m.jsonl", [MANIFEST, MANIFEST])
    assert found_in(tmp_path / "m.jsonl") == [(2, "a second record: a manifest has one")]


def test_a_list_in_records_of_its_own_is_checked_as_a_whole(tmp_path: Path) -> None:
    """Sound as one record is; cut, it no longer has the cases that it counts; a case needs a head before it."""
    path = tmp_path / "m.jsonl"
    write_manifest(path, replace(from_record(MANIFEST, where=""), layout="shards"))
    assert found_in(path) == []
    records = read_jsonl(path)
    write_jsonl(path, records[:-1])
    assert (1, "n_cases_selected is 2, and ordered_case_list has 1") in found_in(path)
    write_jsonl(path, records[1:])
    assert found_in(path) == [(line, "a case without the record that heads a manifest") for line in (1, 2)]


def _put_text(records: list[dict[str, object]]) -> None:
    content = str(records[0]["content"]).replace("e", "3")
    records[0] |= {"content": content, "content_sha256": sha256(content)}


@pytest.mark.parametrize("together", [True, False], ids=["with the traces", "alone"])
def test_every_file_is_held_against_its_hash(campaign: Campaign, together: bool) -> None:
    """Changed, missing, extra and damaged traces are named, whether the traces are checked too or not.

    The changed one is consistent in itself: only the manifest can tell.
    """
    write_jsonl(campaign.trace_file("case-9999"), trace_records("case-9999"))
    rewrite(campaign.trace_file("case-1000"), _put_text)
    campaign.trace_file("case-1001").unlink()
    damaged = campaign.trace_file("case-1002")
    damaged.write_bytes(damaged.read_bytes()[:-4])
    (campaign.traces / ".case-1.jsonl.gz.tmp").write_bytes(b"")
    expected = [
        (1, "changed: traces/case-1000.jsonl.gz is not what was frozen"),
        (1, "damaged: traces/case-1002.jsonl.gz is not a sound trace"),
        (1, "extra, in no manifest: traces/case-9999.jsonl.gz"),
        (1, "missing: traces/case-1001.jsonl.gz"),
    ]
    if together:
        found = [(line, what) for name, line, what in found_in_campaign(campaign) if name == "dataset_manifest.jsonl"]
    else:
        found = found_in(campaign.manifest_file)
    assert found == expected


@pytest.mark.parametrize(
    ("field", "value", "actual"), [("n_records", 9, 4), ("text_units_ctu", 9, None), ("status", "failed", "success")]
)
def test_what_is_said_of_a_file_is_counted_again(campaign: Campaign, field: str, value: object, actual: object) -> None:
    """Number of records, CTU and status of a frozen file are what the file has."""

    def lie(records: list[dict[str, object]]) -> None:
        entries = [dict(entry) for entry in records[0]["traces"]]  # type: ignore[attr-defined]
        entries[0][field] = value
        put_traces(entries)(records)  # type: ignore[arg-type]

    if actual is None:
        actual = sum(record["text_units_ctu"] for record in read_jsonl(campaign.trace_file("case-1000")))
    rewrite(campaign.manifest_file, lie)
    assert found_in(campaign.manifest_file) == [
        (1, f"{field} of traces/case-1000.jsonl.gz is {value}, and the file has {actual}")
    ]


@pytest.mark.parametrize("path", ["/etc/passwd", "traces/../../secret.jsonl", "traces/case-1001.jsonl.gz"])
def test_a_path_that_leads_elsewhere_is_not_followed(campaign: Campaign, path: str) -> None:
    """A manifest of someone else's cannot make the validator read what it likes."""

    def lie(records: list[dict[str, object]]) -> None:
        entries = [dict(entry) for entry in records[0]["traces"]]  # type: ignore[attr-defined]
        entries[0]["path"] = path
        put_traces(entries)(records)  # type: ignore[arg-type]

    rewrite(campaign.manifest_file, lie)
    what = f"the trace of case-1000 is listed as {path}, not traces/case-1000.jsonl.gz"
    assert found_in(campaign.manifest_file) == [(1, what)]


def test_a_failed_case_is_frozen_like_any_other(tmp_path: Path) -> None:
    """Its file is listed, with CTU 0 and its status."""
    traces = {"case-1000": failed_trace_records()}
    campaign = Campaign(tmp_path)
    write_jsonl(campaign.manifest_file, [manifest_record(traces)])
    write_jsonl(campaign.trace_file("case-1000"), traces["case-1000"])
    assert found_in_campaign(campaign) == []
