"""`exaid-evals agreement`: raters against one another, and measures against raters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from exaid_evals.cli.notes import agreement_command as command
from exaid_evals.errors import DataError

WIDE = "item,ann,bob\n" + "\n".join(f"n{i},{i % 5 + 1},{(i + (i % 7 == 0)) % 5 + 1}" for i in range(30))
LONG = "\n".join(
    json.dumps(
        {"item": f"n{i}", "rater": rater, "rating": ["supported", "absent"][(i + (rater == "bob" and i < 2)) % 2]}
    )
    for i in range(20)
    for rater in ("ann", "bob", "eve")
)


def agreement(folder: Path, human: str, *arguments: str) -> str:
    """Write the ratings and return what the verb prints."""
    (folder / "human").write_text(human, encoding="utf-8")
    found = CliRunner().invoke(
        command, ["--human", str(folder / "human"), "--resamples", "200", *arguments], catch_exceptions=False
    )
    assert found.exit_code == 0, found.output
    return found.output


def test_numbers_of_two_raters(tmp_path: Path) -> None:
    """A wide table: weighted κ, Spearman, α at interval level, confusion, and where they differ."""
    shown = agreement(tmp_path, WIDE)
    assert shown.startswith("30 items, 2 raters, interval level\nKrippendorff's alpha  0.")
    assert "ann down, bob across" in shown
    assert shown.splitlines()[-6] == "raters differ most on"
    assert shown.splitlines()[-5] == "  n14: ann 5, bob 1"
    found = json.loads(agreement(tmp_path, WIDE, "--json"))
    assert sum(map(sum, found["pairs"][0]["confusion"]["counts"])) == 30
    assert found["pairs"][0]["agreeing"] == pytest.approx(25 / 30)
    assert found["disagreements"][0] == {"item": "n14", "difference": 4.0, "ratings": {"ann": 5.0, "bob": 1.0}}
    assert found["alpha"]["ci95_low"] < found["alpha"]["value"] < found["alpha"]["ci95_high"]


def test_words_of_three_raters(tmp_path: Path) -> None:
    """A rating a line: nominal level, κ of each pair, no correlation of words; the same bytes each time."""
    found = json.loads(agreement(tmp_path, LONG, "--json"))
    assert (found["level"], len(found["pairs"])) == ("nominal", 3)
    assert found["pairs"][1]["raters"] == ["ann", "eve"]
    assert found["pairs"][1]["kappa"]["value"] == 1
    assert "spearman" not in found["pairs"][0]
    assert {one["item"] for one in found["disagreements"]} == {"n0", "n1"}
    assert agreement(tmp_path, LONG, "--json") == agreement(tmp_path, LONG, "--json")


def test_measures_are_held_against_the_mean_rating(tmp_path: Path) -> None:
    """What `notes` writes is read as it is; a measure without numbers is left out, one that falls is negative."""
    lines = [{"id": f"n{i}", "measures": {"up": i % 5, "down": -(i % 5), "none": None}} for i in range(30)]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = json.loads(agreement(tmp_path, WIDE, "--json", "--measures", str(tmp_path / "m.jsonl")))["measures"]
    assert set(found) == {"up", "down"}
    assert found["up"]["value"] == pytest.approx(-found["down"]["value"])
    assert (found["up"]["n"], found["up"]["value"] > 0.7) == (30, True)


def test_two_items_have_no_correlation(tmp_path: Path) -> None:
    """Any two points lie on a line: what two raters or a measure say of two items is undefined, and not 1."""
    (tmp_path / "m.csv").write_text("id,m\n1,0.5\n2,0.7\n", encoding="utf-8")
    human = "id,a,b\n1,1,2\n2,4,5\n"
    found = json.loads(agreement(tmp_path, human, "--json", "--measures", str(tmp_path / "m.csv")))
    assert (found["measures"]["m"]["value"], found["pairs"][0]["spearman"]["value"]) == (None, None)


def test_missing_ratings_count_for_nothing(tmp_path: Path) -> None:
    """An empty field is not a rating, and no disagreement."""
    found = json.loads(agreement(tmp_path, "id;a;b\n1;2;2\n2;3;\n3;NA;4\n4;5;5", "--json"))
    assert (found["pairs"][0]["items"], found["disagreements"]) == (2, [])


@pytest.mark.parametrize("mark", [";", "\t"])
def test_decimal_commas_are_numbers(tmp_path: Path, mark: str) -> None:
    """Between semicolons or tabs ratings and measures are the numbers that points would make; items stay names."""
    table = "item;anna;ben\n1,1;4,5;4\n1,2;3;3,5\n1,3;1;2\n1,4;4;4,5\n"
    (tmp_path / "m.csv").write_text("item;m\n1,1;0,5\n1,2;0,4\n1,3;,1\n1,4;0,6\n".replace(";", mark), encoding="utf-8")
    arguments = ("--json", "--measures", str(tmp_path / "m.csv"))
    commas = json.loads(agreement(tmp_path, table.replace(";", mark), *arguments))
    assert (commas["level"], commas["measures"]["m"]["n"]) == ("interval", 4)
    assert commas["alpha"]["value"] == pytest.approx(0.860, abs=5e-4)
    assert commas["disagreements"][0] == {"item": "1,3", "difference": 1.0, "ratings": {"anna": 1.0, "ben": 2.0}}


def test_the_ratings_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    """Those among numbers, and not the numbers."""
    with pytest.raises(DataError, match=r"--level: good, so-so: not numbers.*write numbers for good, so-so, or"):
        agreement(tmp_path, "item,a,b\n1,1,2\n2,good,3\n3,so-so,4\n", "--level", "interval")


@pytest.mark.parametrize(
    ("human", "reported"),
    [
        ("item,ann\n1,2", "ratings of one rater, and needs those of two"),
        ("name,ann,bob\n1,2,3", "names no item"),
        ("item,ann,bob\n1,2", "another number of fields"),
        ("item,ann,bob\n1,2,2\n1,3,3", "duplicate rating of '1' by 'ann'"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, human: str, reported: str) -> None:
    """The line, what is wrong, and the remedy."""
    with pytest.raises(DataError, match=reported):
        agreement(tmp_path, human)
    with pytest.raises(DataError, match="no ordinal level"):
        agreement(tmp_path, LONG, "--level", "ordinal")
    (tmp_path / "m.csv").write_text("id,m\nn0,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="--measures: ratings are words"):
        agreement(tmp_path, LONG, "--measures", str(tmp_path / "m.csv"))


@pytest.mark.parametrize("line", ["n1,1", "n1,1,2,3", f"n1,1,{'9' * 200_000}"], ids=["short", "long", "huge"])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    """By file and line, also where a field is larger than a table may hold."""
    with pytest.raises(DataError, match=r"human:2: .*correct the line"):
        agreement(tmp_path, f"item,ann,bob\n{line}\n")
