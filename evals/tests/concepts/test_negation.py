"""What a text denies is left out, and nothing else."""

from __future__ import annotations

import pytest

from exaid_evals.concepts import Extractor


@pytest.mark.parametrize(
    ("text", "affirmed"),
    [
        ("No fever.", []),
        ("The patient denies chest pain.", []),
        ("without hepatomegaly", []),
        ("Fever was absent.", []),
        ("Pneumonia was ruled out.", []),
        ("Pneumonia has been ruled out.", []),
        ("negative for tuberculosis", []),
        ("Tuberculosis is unlikely.", []),
        ("lack of edema", []),
        ("free of pain", []),
        ("absence of seizures", []),
        ("Fever has not been observed.", []),
        ("Neither fever nor cough was seen.", []),
        ("She doesn't have fever.", []),
        ("She doesn’t have seizures, and vomiting persists.", ["vomiting"]),
        ("No evidence of sarcoidosis or tuberculosis.", []),
        ("rather than pneumonia", []),
        # An enumeration is denied to its end, and no further.
        ("No fever, cough, or rash, but vomiting.", ["vomiting"]),
        ("No fever, cough, or rash was noted.", []),
        ("Denies headache, chest pain, vomiting and diarrhea.", []),
        ("No fever, abdominal pain was severe.", ["abdominal pain"]),
        ("There was no fever; cough was present.", ["cough"]),
        ("no history of seizures, presented with fever", ["fever"]),
        ("No hepatomegaly. Splenomegaly.", ["Splenomegaly"]),
        ("No fever\nCough", ["Cough"]),
        ("MRI ruled out stroke and showed hydrocephalus.", ["hydrocephalus"]),
        ("no fever although he had seizures", ["seizures"]),
        ("No ascites; however, edema.", ["edema"]),
        # What precedes is affirmed.
        ("fever without cough or headache", ["fever"]),
        ("Fever, cough and rash were absent.", []),
        ("He had fever, and cough was absent.", ["fever"]),
        ("He had fever and the cough was absent.", ["fever"]),
        # Pseudo-negation denies nothing.
        ("No change in fever.", ["fever"]),
        ("Not only fever but also cough.", ["fever", "cough"]),
        ("We cannot rule out pneumonia.", ["pneumonia"]),
        ("Pneumonia cannot be excluded.", ["Pneumonia"]),
        ("Sepsis must be ruled out.", ["Sepsis"]),
        ("The rash did not improve.", ["rash"]),
        ("without delay for seizures", ["seizures"]),
        ("gram-negative pneumonia", ["pneumonia"]),
        # A trigger inside a concept's name is part of the finding.
        ("Absent septum pellucidum", ["Absent septum pellucidum"]),
        ("No absent septum pellucidum", []),
    ],
)
def test_negation_table(lexicon: Extractor, text: str, affirmed: list[str]) -> None:
    """Triggers before and after, their scope, its terminators, and pseudo-triggers."""
    assert [text[m.start : m.end] for m in lexicon.mentions([text])[0]] == affirmed


def test_an_affirmed_mention_survives_a_denied_one(lexicon: Extractor) -> None:
    """Denying a concept in one place removes that mention, not the concept's other mentions."""
    text = "No fever at night. Fever by day."
    assert [m.start for m in lexicon.mentions([text])[0]] == [text.index("Fever")]


@pytest.mark.parametrize("before", ["No", "NO", "no", "No\u00a0"])
def test_triggers_match_in_any_case(lexicon: Extractor, before: str) -> None:
    """Capitals and odd spaces do not disarm a trigger."""
    assert lexicon.mentions([f"{before} fever"]) == [()]
