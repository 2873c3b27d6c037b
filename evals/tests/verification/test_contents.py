"""Files as records with fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.verification.sides import (
    STAGES,
    chosen_stages,
    files_of,
    flattened,
    has_parts,
    in_order,
    made_from,
    read_parts,
    stage_of,
)


def test_records_are_named_by_what_they_are(tmp_path: Path) -> None:
    """A reader finds the record by line, type and number or ids."""
    path = tmp_path / "case-1.jsonl.gz"
    records = [
        {"record_type": "run_meta", "case_id": "case-1", "variant_id": "V0"},
        {"record_type": "gate_flush", "flush_index": 4},
        {"sequence_num": 2, "case_id": "case-1"},
        {"record_type": "comparison", "variant_id": "V0", "against": "V3", "measure": "coverage"},
        {},
    ]
    write_jsonl(path, records)
    assert [part.name for part in read_parts(path)] == [
        "line 1 (run_meta case-1 V0)",
        "line 2 (gate_flush 4)",
        "line 3 (message 2)",
        "line 4 (comparison V0 V3 coverage)",
        "line 5",
    ]


def test_a_damaged_line_is_a_record_that_differs(tmp_path: Path) -> None:
    """One line that is not a record does not hide the others."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"a":1}\n{"a":\n{"a":3}\n')
    assert [dict(part.fields).get("a") for part in read_parts(path)] == [1, None, 3]


def test_rows_of_a_table_are_named_by_their_first_cell(tmp_path: Path) -> None:
    """A CSV's header is a record too, and what lies beyond it still has a place."""
    path = tmp_path / "main.csv"
    path.write_text("variant,coverage_mean\nV0,0.5\nV3,0.75,9\n")
    header, first, second = read_parts(path)
    assert header.fields == {"column 1": "variant", "column 2": "coverage_mean"}
    assert (first.name, first.fields) == ("row 1 (V0)", {"variant": "V0", "coverage_mean": "0.5"})
    assert second.fields["column 3"] == "9"


def test_structures_are_flattened_to_leaves() -> None:
    """Lists of plain values stay whole; those of records are numbered; what is empty is a leaf."""
    assert flattened({"a": {"b": [1, 2]}, "c": [{"d": 1}, {"d": 2}], "e": [], "f": {}}) == {
        "a.b": [1, 2],
        "c[0].d": 1,
        "c[1].d": 2,
        "e": [],
        "f": {},
    }


def test_pictures_have_no_records() -> None:
    """A PNG or PDF counts as a whole."""
    assert not has_parts("metrics/figures/x.png")
    assert not has_parts("metrics/figures/x.pdf")
    assert has_parts("metrics/figures/x.csv")


def test_every_folder_of_a_stage_has_it_as_its_origin() -> None:
    """A file's stage follows from its folder; what no stage makes has none."""
    for stage in STAGES:
        for folder in stage.folders:
            assert stage_of(f"{folder}/x") is stage
    assert stage_of(".state/report.jsonl") is None
    assert stage_of("calibration/report.md") is None


def test_what_is_made_from_something_comes_behind_it() -> None:
    """In the order of the files no file stands before one that it is made from."""
    paths = [
        "exports/exported_summary.json",
        "metrics/figures/a.png",
        "metrics/tables/main.csv",
        "metrics/comparisons.metrics.jsonl",
        "metrics/V0.metrics.jsonl",
        "metrics/V9.metrics.jsonl",
        "runs/V0/case-1.jsonl.gz",
        "manifests/dataset_manifest.jsonl",
        "traces/case-1.jsonl.gz",
        "cases/synthetic.jsonl",
    ]
    ordered = in_order(paths)
    assert ordered[0] == "cases/synthetic.jsonl"
    for place, path in enumerate(ordered):
        assert not any(made_from(path, later) for later in ordered[place:])
    assert made_from("runs/V3/case-1.jsonl.gz", "traces/case-1.jsonl.gz")
    assert not made_from("runs/V3/case-1.jsonl.gz", "traces/case-2.jsonl.gz")


@pytest.mark.parametrize("name", ["02", "2", "run-variants"])
def test_stages_go_by_number_or_verb(name: str) -> None:
    """`--stages` takes what people write."""
    assert [stage.verb for stage in chosen_stages([name])] == ["run-variants"]


def test_what_was_logged_is_no_result(tmp_path: Path) -> None:
    """An export says with the time of day what it did; that is neither missing nor extra in a verification."""
    for name in ("exports/exported_summary.json", "exports/logs/export-20241219T120000Z.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert files_of(tmp_path.resolve(), STAGES) == ["exports/exported_summary.json"]


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("x.csv", "a\n" + "b" * 200_000, "(no CSV)"),
        ("x.json", '{"a":' + DEEP, "(no JSON)"),
        ("x.json", '{"a":' * 600 + "1" + "}" * 600, "(no JSON)"),
        ("x.json", "", "(no JSON)"),
        ("x.jsonl", '{"a":' + DEEP + "\n", "(no record)"),
    ],
)
def test_what_cannot_be_parsed_differs_as_a_whole(tmp_path: Path, name: str, content: str, field: str) -> None:
    """A file that is hostile or cut is a difference, and no error of the comparison."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert [list(part.fields) for part in read_parts(tmp_path / name)] == [[field]]


def test_columns_of_one_name_are_all_compared(tmp_path: Path) -> None:
    """The second goes by its number, so that what differs in the first is not lost."""
    (tmp_path / "x.csv").write_text("a,a\n1,2\n", encoding="utf-8")
    assert read_parts(tmp_path / "x.csv")[1].fields == {"a": "1", "column 2": "2"}
