"""Where cases come from: MAC's file, the synthetic ones, and which of both `auto` takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exaid_evals.cases import mac
from exaid_evals.cases.base import Case, SourceContext, content_of, from_record, require_unique, to_record
from exaid_evals.cases.registry import load_cases
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import DatasetConfig
from exaid_evals.errors import ConfigError, DataError

SECTIONS = {"Basic Information": "A 3-year-old girl.", "Clinical Presentation": "She had fever."}


def mac_file(folder: Path, urls: list[object]) -> Path:
    """Write a data file of MAC's shape."""
    text = json.dumps(json.dumps(SECTIONS, indent=2))
    cases = [
        {"Type": "Cardiac ", "Case URL": url, "Final Name": "X  disease"}
        | {"Initial Presentation": text, "Follow-up Presentation": text}
        for url in urls
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / mac.FILE_NAME
    path.write_text(json.dumps({"Name": "n", "Time": "t", "Cases": cases}), encoding="utf-8")
    return path


def context(folder: Path, mac_dir: Path | None, source: str = "auto") -> SourceContext:
    """Return what a source is given."""
    return SourceContext(DatasetConfig(source=source), Campaign(folder / "data"), mac_dir)


def test_every_presentation_of_mac_parses(mac_dir: Path, tmp_path: Path) -> None:
    """All 302 cases have the same sections in the same order."""
    cases = mac.load(context(tmp_path, mac_dir))
    initial = {tuple(case.initial_presentation) for case in cases}
    expected = (
        "Basic Information",
        "Clinical Presentation",
        "Physical Examination",
        "Past Medical History",
        "Initial Test Results",
    )
    assert initial == {expected}
    assert {tuple(case.follow_up_presentation) for case in cases} == {(*expected, "Further Diagnostic Tests")}
    assert not any("restructured" in text for case in cases for text in case.initial_presentation.values())


@pytest.mark.parametrize(
    ("raw", "sections"),
    [
        (json.dumps(json.dumps(SECTIONS)), SECTIONS),
        (json.dumps(SECTIONS), SECTIONS),
        (json.dumps("Here is the JSON:\n\n" + json.dumps(SECTIONS)), SECTIONS),
        ('"{\\"A\\": \\"one\ntwo\\"}"', {"A": "one\ntwo"}),
        ("A girl {with} fever", {"Presentation": "A girl {with} fever"}),
        (json.dumps(json.dumps({"A": ["list"]})), {"Presentation": '{"A": ["list"]}'}),
        (json.dumps("{} trailing words"), {"Presentation": "{} trailing words"}),
    ],
)
def test_presentations_parse_or_stay_whole(raw: str, sections: dict[str, str]) -> None:
    """JSON in a string, JSON itself, and JSON behind a preamble parse; anything else stays one section, whole."""
    assert mac.parse_presentation(raw) == sections


@pytest.mark.parametrize("folder", [".", "dataset"])
def test_data_file_lies_in_dataset_or_at_the_top(tmp_path: Path, folder: str) -> None:
    """Both places are found."""
    path = mac_file(tmp_path / "mac" / folder, [1, "PMC9"])
    assert mac.data_file(tmp_path / "mac") == path
    cases = mac.load(context(tmp_path, tmp_path / "mac"))
    assert [case.case_id for case in cases] == ["case-1", "case-pmc9"]
    assert (cases[0].category, cases[0].diagnosis) == ("cardiac", "X disease")


def test_repeated_ids_are_refused_by_name(tmp_path: Path) -> None:
    """Ids that differ in case only are the same id."""
    mac_file(tmp_path, ["PMC9", "pmc9", 3])
    with pytest.raises(DataError, match="case-pmc9"):
        mac.load(context(tmp_path, tmp_path))


def test_damaged_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    """A file that is not a data file of MAC's is never an empty data set."""
    (tmp_path / mac.FILE_NAME).write_text('{"Cases": [{}]}', encoding="utf-8")
    with pytest.raises(DataError, match=mac.FILE_NAME):
        mac.load(context(tmp_path, tmp_path))


def test_auto_takes_mac_where_present_and_says_why(tmp_path: Path) -> None:
    """`auto` finds MAC's file."""
    mac_file(tmp_path, [1])
    found = load_cases(context(tmp_path, tmp_path))
    assert (found.source, len(found.cases)) == ("mac (modified)", 1)
    assert mac.FILE_NAME in found.reason
    assert "not the pinned MAC data (1 cases, not 302)" in found.reason


def test_the_pinned_file_is_known(mac_dir: Path, tmp_path: Path) -> None:
    """MAC's own file at the pinned commit is `mac`; the same number of other cases is not."""
    assert load_cases(context(tmp_path, mac_dir, source="mac")).source == "mac"
    content = (mac.data_file(mac_dir) or Path()).read_bytes()
    (tmp_path / mac.FILE_NAME).write_bytes(content.replace(b"fever", b"cough"))
    found = load_cases(context(tmp_path, tmp_path, source="mac"))
    assert (found.source, found.reason) == ("mac (modified)", "not the pinned MAC data (the same number of cases)")


def test_every_unusable_field_of_mac_is_named(tmp_path: Path) -> None:
    """One error lists all fields that cannot be used, by case."""
    path = mac_file(tmp_path, [None, "", True, 4, 5, 6, 7])
    data = json.loads(path.read_text(encoding="utf-8"))
    data["Cases"][3] |= {"Type": None, "Final Name": " "}
    data["Cases"][4]["Initial Presentation"] = ""
    data["Cases"][5]["Follow-up Presentation"] = json.dumps(json.dumps({"A": "half \ud83d"}))
    data["Cases"][6] = "no case"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        mac.load(context(tmp_path, tmp_path))
    named = [line.strip("- ") for line in str(caught.value).splitlines() if line.startswith("  - ")]
    assert [line.rsplit(": ", 1)[0] for line in named] == [
        "Cases[0]: Case URL",
        "Cases[1]: Case URL",
        "Cases[2]: Case URL",
        "Cases[3]: Type",
        "Cases[3]: Final Name",
        "Cases[4]: Initial Presentation",
        "Cases[5]: Follow-up Presentation",
        "Cases[6]",
    ]


def test_a_named_folder_without_data_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the user names must be there, unless the source does not read it."""
    command = ["make-traces", "--stub", "--limit", "1", "--data-dir", str(tmp_path / "data"), "--dry-run"]
    assert run([*command, "--mac-dir", str(tmp_path / "none")]) == 2
    assert "rare_disease_302.json" in capsys.readouterr().err
    assert run([*command, "--mac-dir", str(tmp_path / "none"), "--source", "synthetic"]) == 0


def test_auto_falls_back_to_synthetic_and_says_why(tmp_path: Path) -> None:
    """Without MAC's file `auto` takes the synthetic cases, and names what is missing."""
    found = load_cases(context(tmp_path, tmp_path / "empty"))
    assert (found.source, len(found.cases)) == ("synthetic", 302)
    assert "holds no rare_disease_302.json" in found.reason


def test_named_mac_never_falls_back(tmp_path: Path) -> None:
    """`source: mac` without the file is a configuration error with three ways out."""
    with pytest.raises(ConfigError, match="submodule"):
        load_cases(context(tmp_path, tmp_path, source="mac"))


def test_unknown_source_names_near_ones(tmp_path: Path) -> None:
    """A misspelt source is a configuration error."""
    with pytest.raises(ConfigError, match="did you mean `synthetic`"):
        load_cases(context(tmp_path, None, source="sinthetic"))


def own_cases(_context: SourceContext) -> tuple[Case, ...]:
    """Stand for a source of somebody else's."""
    return (Case("case-own", "", "renal", "Y", SECTIONS, SECTIONS),)


def test_own_source_by_module_and_attribute(tmp_path: Path) -> None:
    """A source of one's own is `module:attribute`, and its cases say where they came from."""
    found = load_cases(context(tmp_path, None, source=f"{__name__}:own_cases"))
    assert [case.source for case in found.cases] == [f"{__name__}:own_cases"]


def test_records_keep_a_case() -> None:
    """A case survives its record, the order of its sections included."""
    (case,) = own_cases(context(Path(), None))
    back = from_record(to_record(case))
    assert back == case
    assert list(back.initial_presentation) == list(case.initial_presentation)


def test_order_of_sections_counts() -> None:
    """Two cases that differ in the order of their sections only are not the same input."""
    (case,) = own_cases(context(Path(), None))
    turned = Case("case-own", "", "renal", "Y", dict(reversed(SECTIONS.items())), SECTIONS)
    assert content_of(case) != content_of(turned)


def test_unique_ids_pass() -> None:
    """Different ids are not an error."""
    require_unique(["case-a", "case-b"], where="here")
