"""Measures against a reference: ROUGE against its published program, the others by what they must and must not see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.factuality.reference import NAMES, Comparison, rouge
from exaid_evals.factuality.words import read_value

ORACLE = Path(__file__).parents[1] / "oracles" / "rouge.json"
NOTE = "Ataxia and dysarthria since childhood. No seizures. Valproate 500 mg daily since 04/15/2019."


@pytest.mark.parametrize(
    "pair", json.loads(ORACLE.read_text("utf-8"))["pairs"], ids=lambda pair: pair["candidate"][:20]
)
def test_rouge_is_that_of_rouge_score(pair: dict[str, dict[str, list[float]]]) -> None:
    """The oracle is Google's package; it gives 0 where there is nothing to count."""
    found = rouge(str(pair["candidate"]), str(pair["reference"]))
    assert {name: [one.precision or 0, one.recall or 0] for name, one in found.items()} == {
        name: pytest.approx(expected) for name, expected in pair["scores"].items()
    }


WORDS = st.lists(st.sampled_from("abcd"), max_size=9)


@given(WORDS, WORDS)
def test_longest_common_subsequence_is_that_of_the_table(one: list[str], other: list[str]) -> None:
    """Bits against the plain dynamic program."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    assert rouge(" ".join(one), " ".join(other))["rougeL"].matched == table[-1][-1]


def test_a_note_agrees_with_itself(comparison: Comparison) -> None:
    """Every measure is 1 for the reference itself, and undefined, not 0, where neither text says anything."""
    assert set(comparison.measures(NOTE, NOTE).values()) == {1.0}
    assert set(comparison.measures("", "").values()) == {None}
    assert len(comparison.measures(NOTE, NOTE)) == 3 * len(NAMES) + 1


@pytest.mark.parametrize(
    ("changed", "falls", "stays"),
    [
        (NOTE.replace("500", "250"), "value_recall", "concept_recall"),
        (NOTE.replace("2019", "2018"), "value_recall", "negation_agreement"),
        (NOTE.replace("No seizures", "Seizures"), "negation_agreement", "content_recall"),
        (NOTE.replace("Ataxia and d", "D"), "concept_recall", "concept_precision"),
        (NOTE + " Ptosis.", "concept_precision", "concept_recall"),
    ],
)
def test_each_measure_sees_its_own_kind_of_error(comparison: Comparison, changed: str, falls: str, stays: str) -> None:
    """A wrong dose, date, denial, omission and addition lower the measure that is meant for them, and not the other."""
    found = comparison.measures(changed, NOTE)
    assert found[falls] is not None
    assert found[falls] < 1  # type: ignore[operator]
    assert found[stays] == 1


def test_other_words_for_the_same_count(comparison: Comparison) -> None:
    """Lay and clinical words, spelled numbers, units and the order of words make no difference to content."""
    found = comparison.measures(
        "Smoker; ten milligrams of the drug on April 15, 2019; dyspnea.",
        "shortness of breath, tobacco use, medication 10 mg 04/15/19",
    )
    assert (found["concept_f1"], found["value_f1"], found["content_recall"]) == (
        1.0,
        1.0,
        pytest.approx(8 / 8, abs=0.13),
    )


@pytest.mark.parametrize(
    ("words", "number", "unit"),
    [
        ("two thousand five", "2005", ""),
        ("nineteen eighty four", "1984", ""),
        ("one hundred twenty two minutes", "122", "minute"),
        ("7.5 mmol / l", "0.0075", "mmol/ml"),
        ("1,200 mcg", "1.2", "mg"),
        ("500mg", "500", "mg"),
        ("5th", "5th", ""),
        ("2005 04 15", "2005-04-15", "date"),
        ("june 19 , 2007", "2007-06-19", "date"),
        ("13 / 40 / 2007", "13", ""),
    ],
)
def test_values_have_one_form(words: str, number: str, unit: str) -> None:
    """Numbers in words and digits, units by their base, dates by year, month and day."""
    given_words = words.split()
    value = read_value(given_words, 0, len(given_words))
    assert value is not None
    assert (value.number, value.unit) == (number, unit)
