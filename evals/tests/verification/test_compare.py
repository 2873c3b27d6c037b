"""Fault injections: each is named by file, record and field, with both values and the stage that introduced it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from exaid_evals.artifacts.atomic import writing
from exaid_evals.config.campaign import Campaign
from exaid_evals.verification.compare import Comparison, Difference, compare, first_place, hash_digits, same
from exaid_evals.verification.expected import ExpectedSide, read_expected, write_expected
from exaid_evals.verification.sides import STAGES, FolderSide, Hashed, Part, Side, stages_with_files
from stub_campaigns import change_byte, change_record, repack

Reference = Callable[[], Side]


@pytest.fixture(scope="session")
def kept(pristine: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what is kept of the pristine campaign."""
    folder = tmp_path_factory.mktemp("expected")
    write_expected(
        folder,
        FolderSide(pristine.root, "made", STAGES),
        cases=["case-t00", "case-t01"],
        case_source="small_cases:load",
        seed=42,
        variants=["V0"],
        configuration={"03": {"metrics.yaml": {"tau_list": [0.9]}}},
        packages={"numpy": "1.26.4"},
    )
    return folder


@pytest.fixture(params=["campaign", "expected"])
def reference(request: pytest.FixtureRequest, pristine: Campaign, kept: Path) -> Side:
    """Return what a spoilt campaign is compared with: the whole campaign, or only what is kept of it."""
    if request.param == "campaign":
        return FolderSide(pristine.root, "expected", STAGES)
    return ExpectedSide(read_expected(kept), STAGES)


def found_in(reference: Side, spoilt: Campaign) -> Comparison:
    """Compare a spoilt campaign."""
    return compare(reference, FolderSide(spoilt.root, "here", STAGES))


def only(comparison: Comparison) -> Difference:
    """Return the one difference."""
    assert len(comparison.differences) == 1, comparison.differences
    return comparison.differences[0]


def a_trace(campaign: Campaign) -> Path:
    """Return the first trace."""
    return min(campaign.traces.iterdir())


def test_what_is_untouched_is_the_same(reference: Side, spoilt: Campaign) -> None:
    """A copy differs in nothing, and all its files were looked at."""
    comparison = found_in(reference, spoilt)
    assert comparison.differences == ()
    assert comparison.introduced_by is None
    assert comparison.n_files > 25


def test_a_lock_is_no_result(reference: Side, spoilt: Campaign) -> None:
    """Neither that of an export under way nor what is left of one that was killed."""
    with writing(spoilt.exports):
        assert found_in(reference, spoilt).differences == ()


def test_one_byte_of_a_trace_is_named(reference: Side, spoilt: Campaign) -> None:
    """File, message, field and the place in the text; the stage is 01."""
    path = a_trace(spoilt)
    change_byte(path, b'"content":"', b'"content":"Q')
    difference = only(found_in(reference, spoilt))
    assert (difference.path, difference.stage.number, difference.kind) == (spoilt.relative(path), "01", "differs")
    assert difference.place is not None
    assert (difference.place.record, difference.place.n_records) == ("line 1 (message 0)", 1)
    assert difference.place.field.startswith("content")
    assert difference.place.found.startswith('"Q')


def test_a_field_of_a_run_log_is_named_with_both_values(reference: Side, spoilt: Campaign) -> None:
    """A short value is known on both sides, also where only the expected hashes are kept."""
    path = spoilt.run_file("V3", "case-t00")
    before: list[int] = []

    def later(record: dict[str, int]) -> None:
        before.append(record["t_ms"])
        record["t_ms"] += 1

    change_record(path, 3, later)
    difference = only(found_in(reference, spoilt))
    place = difference.place
    assert place is not None
    assert (difference.path, difference.stage.number) == ("runs/V3/case-t00.jsonl.gz", "02")
    assert place.record.startswith("line 3 (gate_flush")
    assert (place.field, place.expected, place.found) == ("t_ms", str(before[0]), str(before[0] + 1))


def test_a_table_that_was_edited_is_named(reference: Side, spoilt: Campaign) -> None:
    """The row, the column, and both texts."""
    path = spoilt.tables / "main.csv"
    change_byte(path, b"\nV3,", b"\nV5,")
    place = only(found_in(reference, spoilt)).place
    assert place is not None
    assert place.record.startswith("row ")
    assert (place.field, place.expected, place.found) == ("variant", '"V3"', '"V5"')


def test_a_latex_table_is_named_by_line(reference: Side, spoilt: Campaign) -> None:
    """A text has lines and columns."""
    change_byte(spoilt.tables / "main.tex", b"\\centering", b"\\raggedright")
    place = only(found_in(reference, spoilt)).place
    assert place is not None
    assert place.record == "line 3"
    assert "raggedright" in place.found


def test_missing_and_extra_files_are_named(reference: Side, spoilt: Campaign) -> None:
    """A run that is gone, and one that nobody made."""
    gone = spoilt.run_file("V1", "case-t01")
    shutil.copy(gone, spoilt.run_file("V1", "case-t99"))
    gone.unlink()
    kinds = {difference.path: difference.kind for difference in found_in(reference, spoilt).differences}
    assert kinds == {"runs/V1/case-t01.jsonl.gz": "missing", "runs/V1/case-t99.jsonl.gz": "extra"}


def test_a_truncated_file_is_damaged_and_not_a_crash(reference: Side, spoilt: Campaign) -> None:
    """Half a gzip is reported as such."""
    path = a_trace(spoilt)
    path.write_bytes(path.read_bytes()[:-20])
    difference = only(found_in(reference, spoilt))
    assert difference.kind == "damaged"
    assert "truncated" in difference.problem


def test_a_picture_counts_by_its_pixels(reference: Side, spoilt: Campaign) -> None:
    """One pixel differs: the figure does."""
    from PIL import Image

    path = spoilt.figures / "coverage_vs_budget.png"
    with Image.open(path) as image:
        image.putpixel((0, 0), (1, 2, 3, 255))
        image.save(path)
    difference = only(found_in(reference, spoilt))
    assert (difference.path, difference.place) == ("metrics/figures/coverage_vs_budget.png", None)


def test_packing_does_not_count(reference: Side, spoilt: Campaign) -> None:
    """A .gz of another level, time and header, and a PNG packed otherwise, hold the same."""
    from PIL import Image

    for path in [*spoilt.traces.iterdir(), *spoilt.runs.rglob("*.gz")]:
        before = path.read_bytes()
        repack(path)
        assert path.read_bytes() != before
    with Image.open(spoilt.figures / "coverage_vs_budget.png") as image:
        image.save(spoilt.figures / "coverage_vs_budget.png", compress_level=1)
    assert found_in(reference, spoilt).differences == ()


def test_differences_that_follow_are_distinguished(reference: Side, spoilt: Campaign) -> None:
    """A changed trace introduces it; the run of that case follows, the run of another case does not."""
    change_byte(a_trace(spoilt), b'"content":"', b'"content":"Q')
    for case in ("case-t00", "case-t01"):
        change_record(spoilt.run_file("V3", case), 2, lambda record: record.update(t_ms=1))
    comparison = found_in(reference, spoilt)
    assert comparison.introduced_by is STAGES[0]
    follows = {difference.path: difference.follows for difference in comparison.differences}
    assert follows == {
        "traces/case-t00.jsonl.gz": None,
        "runs/V3/case-t00.jsonl.gz": "traces/case-t00.jsonl.gz",
        "runs/V3/case-t01.jsonl.gz": None,
    }


def test_another_spelling_of_the_same_records_is_reported_as_such(pristine: Campaign, spoilt: Campaign) -> None:
    """Spaces make another file and no other field."""
    path = spoilt.metrics_file("V0")
    path.write_text(path.read_text(encoding="utf-8").replace('":', '": ', 1), encoding="utf-8")
    difference = only(found_in(FolderSide(pristine.root, "expected", STAGES), spoilt))
    assert (difference.kind, difference.place) == ("differs", None)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 1.0, False),
        (True, 1, False),
        ("a", "a", True),
        (Hashed(hash_digits("long " * 20)), "long " * 20, True),
        (Hashed(hash_digits("long " * 20)), "long " * 21, False),
        (Hashed("a"), Hashed("a"), True),
    ],
)
def test_values_are_the_same_only_as_a_file_has_them(left: object, right: object, *, expected: bool) -> None:
    """1, 1.0 and true are three values; a hashed value is compared by its hash."""
    assert same(left, right) is expected


def test_the_first_differing_record_is_named_and_the_others_are_counted() -> None:
    """Also where one side has more records."""

    def parts(values: Sequence[Mapping[str, int]]) -> list[Part]:
        return [Part(f"line {number}", value) for number, value in enumerate(values, start=1)]

    place = first_place(parts([{"a": 1}, {"a": 2}, {"a": 3}]), parts([{"a": 1}, {"a": 9}]))
    assert place is not None
    assert (place.record, place.field, place.expected, place.found, place.n_records) == ("line 2", "a", "2", "9", 2)
    extra = first_place(parts([]), parts([{"a": 1}]))
    assert extra is not None
    assert (extra.record, extra.expected, extra.found) == ("line 1", "no such record", "a record with 1 fields")


def test_an_export_of_other_runs_is_no_result_of_the_campaign(spoilt: Campaign) -> None:
    """Only the campaign's own export is compared."""
    assert [stage.number for stage in stages_with_files(spoilt)] == ["01", "02", "03", "04"]
    path = spoilt.exports / "exported_summary.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    summary["runs"][0]["run"] = "seed-42"
    path.write_text(json.dumps(summary), encoding="utf-8")
    assert [stage.number for stage in stages_with_files(spoilt)] == ["01", "02", "03"]


@pytest.mark.parametrize(("left", "right"), [([1], [True]), ([1], [1.0]), ({"a": 1}, {"a": True}), ([[0]], [[False]])])
def test_values_of_other_types_are_others_at_any_depth(left: object, right: object) -> None:
    """They are one in Python, and two in a file; each is the same as itself."""
    assert not same(left, right)
    assert same(left, left)
    place = first_place([Part("x", {"v": left})], [Part("x", {"v": right})])
    assert place is not None
    assert place.expected != place.found
