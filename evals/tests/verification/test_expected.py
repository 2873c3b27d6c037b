"""What is kept of a campaign: valid records, read back whole, refused when damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import violations
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.verification.compare import compare, same
from exaid_evals.verification.expected import (
    CAMPAIGN_FILE,
    FIELDS_FILE,
    ExpectedSide,
    note_configuration,
    noted_configuration,
    read_expected,
    settings_that_differ,
    write_expected,
)
from exaid_evals.verification.sides import STAGES, FolderSide, Part

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.text(max_size=80), st.lists(st.integers())
)


def write(folder: Path, campaign: Campaign) -> None:
    """Keep a campaign."""
    write_expected(
        folder,
        FolderSide(campaign.root, "made", STAGES),
        cases=["case-t00", "case-t01"],
        case_source="small_cases:load",
        seed=42,
        variants=["V0", "V3"],
        configuration=noted_configuration(campaign),
        packages={"numpy": "1.26.4"},
    )


def test_records_are_valid_and_bytes_are_the_same_again(pristine: Campaign, tmp_path: Path) -> None:
    """Every record keeps its schema; writing it twice gives the same bytes."""
    write(tmp_path / "a", pristine)
    write(tmp_path / "b", pristine)
    for name in (CAMPAIGN_FILE, FIELDS_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        for record in read_jsonl(tmp_path / "a" / name):
            assert list(violations(record)) == []


def test_what_is_read_is_what_was_kept(pristine: Campaign, tmp_path: Path) -> None:
    """Hashes of every file, its stages, and of every record each field."""
    write(tmp_path, pristine)
    side = FolderSide(pristine.root, "made", STAGES)
    expected = read_expected(tmp_path)
    assert expected.hashes == dict(side.files())
    assert [stage.number for stage in expected.stages] == ["01", "02", "03", "04"]
    kept = ExpectedSide(expected, STAGES)
    for path in ("runs/V3/case-t00.jsonl.gz", "metrics/tables/main.tex", "metrics/V0.metrics.jsonl"):
        pairs = zip(kept.parts(path), side.parts(path), strict=True)
        assert all(
            one.name == other.name
            and one.fields.keys() == other.fields.keys()
            and all(same(one.fields[name], other.fields[name]) for name in one.fields)
            for one, other in pairs
        )


def test_only_the_chosen_stages_count(pristine: Campaign, tmp_path: Path) -> None:
    """Files of later stages are neither missing nor extra."""
    write(tmp_path, pristine)
    files = ExpectedSide(read_expected(tmp_path), STAGES[:2]).files()
    assert {path.partition("/")[0] for path in files} <= {"cases", "traces", "manifests", "runs"}


def test_a_cut_file_is_refused(pristine: Campaign, tmp_path: Path) -> None:
    """A record less than the first one promises is an error, not fewer comparisons."""
    write(tmp_path, pristine)
    path = tmp_path / CAMPAIGN_FILE
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    with pytest.raises(DataError, match="must open with its campaign"):
        read_expected(tmp_path)


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    """The remedy names the command."""
    with pytest.raises(DataError, match="--write-expected"):
        read_expected(tmp_path)


def test_a_file_that_no_campaign_has_is_refused(pristine: Campaign, tmp_path: Path) -> None:
    """A path is one inside a folder of a stage."""
    write(tmp_path, pristine)
    campaign, *files = read_jsonl(tmp_path / CAMPAIGN_FILE)
    for path in ("cases", ".state/report.jsonl", "/etc/passwd"):
        write_jsonl(tmp_path / CAMPAIGN_FILE, [campaign, {**files[0], "path": path}, *files[1:]])
        with pytest.raises(DataError, match="names no file of a campaign"):
            read_expected(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_damaged_fields_end_a_comparison(pristine: Campaign, tmp_path: Path, damage: str) -> None:
    """They are held against their hash, and what is wrong with them is not said of the user's file."""
    write(tmp_path, pristine)
    fields = read_jsonl(tmp_path / FIELDS_FILE)
    fields[0]["names"].append("one more")
    if damage == "cut":
        write_jsonl(tmp_path / FIELDS_FILE, fields)
    else:
        (tmp_path / FIELDS_FILE).unlink()
    expected = read_expected(tmp_path)
    another = replace(expected, hashes=dict.fromkeys(expected.hashes, f"sha256:{'0' * 64}"))
    with pytest.raises(DataError, match=FIELDS_FILE):
        compare(ExpectedSide(another, STAGES), FolderSide(pristine.root, "here", STAGES))


@given(VALUES)
def test_a_value_is_known_again_however_long_it_is(value: object) -> None:
    """Kept as it is or hashed, a value is the same as itself and no other."""
    from exaid_evals.verification.expected import Hashed, _packed

    packed = _packed([Part("x", {"v": value})])
    [values], [hashes] = packed["values"], packed["hashes"]
    kept = values["v"] if "v" in values else Hashed(hashes["v"])
    assert same(kept, value)
    assert not same(kept, f"{value} and more")


def test_settings_that_differ_are_named_by_file_key_and_values() -> None:
    """A threshold by its place in the list, a stop word by itself, and each by the first stage that reads it."""
    then = {
        "02": {"stop_entities.txt": ["condition", "disease"], "variants/V3.yaml": {"gate": {"min_words": 60}}},
        "03": {"metrics.yaml": {"tau_list": [0.85, 0.9]}, "stop_entities.txt": ["condition", "disease"]},
    }
    now = {
        "02": {"stop_entities.txt": ["disease", "illness"], "variants/V3.yaml": {"gate": {"min_words": 70}}},
        "03": {"metrics.yaml": {"tau_list": [0.85, 0.91]}, "stop_entities.txt": ["disease", "illness"]},
    }
    found = [(one.stage, one.file, one.key, one.expected, one.found) for one in settings_that_differ(then, now)]
    assert found == [
        ("02", "stop_entities.txt", "", "'condition'", "nothing"),
        ("02", "stop_entities.txt", "", "nothing", "'illness'"),
        ("02", "variants/V3.yaml", "gate.min_words", "60", "70"),
        ("03", "metrics.yaml", "tau_list[1]", "0.9", "0.91"),
    ]
    assert settings_that_differ(then, then) == []


def test_what_a_stage_notes_is_kept_beside_what_it_noted_before(tmp_path: Path) -> None:
    """A second call for another variant does not forget the first; a damaged note is not a note."""
    campaign = Campaign(tmp_path)
    note_configuration(campaign, "02", {"variants/V0.yaml": {"history_k": 0}})
    note_configuration(campaign, "02", {"variants/V3.yaml": {"history_k": 3}})
    assert sorted(noted_configuration(campaign)["02"]) == ["variants/V0.yaml", "variants/V3.yaml"]
    for damaged in ("[", "[" * 100_000, '{"02":' * 500, '{"02":[]}', ""):
        (campaign.state / "configuration.json").write_text(damaged, encoding="utf-8")
        assert noted_configuration(campaign) == {}


def test_lists_of_anything_can_differ() -> None:
    """A configuration that others have written may hold mappings where ours holds words."""
    then, now = ({"02": {"parts.yaml": [{"kind": kind}, 1]}} for kind in ("a", "b"))
    assert [(one.key, one.expected, one.found) for one in settings_that_differ(then, now)] == [
        ("[0].kind", '"a"', '"b"')
    ]
