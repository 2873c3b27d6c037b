"""Statements against what had been said: made-up consultations, each with one thing changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.factuality.reference import Comparison, Verdict, judge

DIALOGUE = """Doctor: Good morning. How old are you?
Patient: I am forty two years old.
Doctor: What is the matter?
Patient: My left knee hurts, and I throw up every morning. I smoke ten cigarettes a day.
Doctor: Any fever?
Patient: No.
Doctor: Any shortness of breath?
Patient: Yes, on the stairs.
Doctor: Your mother had asthma. You take metformin, five hundred milligrams twice a day. We recommend an E K G."""


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("42-year-old patient.", Verdict.SUPPORTED),
        ("The patient is 52 years old.", Verdict.CONTRADICTED),
        ("Left knee pain.", Verdict.SUPPORTED),
        ("Right knee pain.", Verdict.CONTRADICTED),
        ("No fever.", Verdict.SUPPORTED),
        ("Fever.", Verdict.CONTRADICTED),
        ("Dyspnea on exertion.", Verdict.NOT_FOUND),
        ("Dyspnea.", Verdict.SUPPORTED),
        ("Denies dyspnea.", Verdict.CONTRADICTED),
        ("A smoker.", Verdict.SUPPORTED),
        ("Metformin 0.5 g.", Verdict.SUPPORTED),
        ("Metformin 850 mg.", Verdict.CONTRADICTED),
        ("Lisinopril.", Verdict.NOT_FOUND),
        ("An EKG was performed.", Verdict.CONTRADICTED),
        ("An EKG is recommended.", Verdict.SUPPORTED),
        ("Maternal asthma.", Verdict.SUPPORTED),
        ("His mother has asthma.", Verdict.SUPPORTED),
        ("Asthma.", Verdict.CONTRADICTED),
        ("Diabetic retinopathy on both sides.", Verdict.NOT_FOUND),
    ],
)
def test_each_kind_of_disagreement_is_reported(comparison: Comparison, statement: str, verdict: Verdict) -> None:
    """Numbers, units, sides, denials, answers to questions, synonyms and plans decide as a reader would."""
    judged = judge(comparison.read(statement), [comparison.read(DIALOGUE)])
    assert [one.verdict for one in judged] == [verdict], [one.reason for one in judged]


@pytest.mark.parametrize(
    ("statement", "source", "verdicts"),
    [
        ("Pneumonia.", "She may have pneumonia.", [Verdict.CONTRADICTED]),
        ("That was not seen.", "She has pneumonia.", []),
        ("Pneumonia.", "May be pneumonia.", [Verdict.CONTRADICTED]),
        ("Pneumonia.", "She has had pneumonia since May.", [Verdict.SUPPORTED]),
        ("Chest pain.", "Call as soon as possible about the chest pain.", [Verdict.SUPPORTED]),
        ("Pneumonia is suspected.", "She may have pneumonia.", [Verdict.SUPPORTED]),
        ("Pneumonia is suspected.", "She has pneumonia.", [Verdict.SUPPORTED]),
        ("NKDA.", "No known drug allergies.", [Verdict.SUPPORTED]),
        ("No known drug allergies.", "NKDA", [Verdict.SUPPORTED]),
        ("Hypertension.", "PMH: HTN", [Verdict.SUPPORTED]),
        ("BP 140/90.", "Her blood pressure is 140 over 90.", [Verdict.SUPPORTED]),
        ("BP 150/90.", "Her blood pressure is 140 over 90.", [Verdict.CONTRADICTED]),
        ("HR 88.", "The heart rate is 88.", [Verdict.SUPPORTED]),
        ("Diabetes.", "Her sister has diabetes. She has diabetes too.", [Verdict.SUPPORTED]),
        ("He smokes.", "His father smokes.", [Verdict.CONTRADICTED]),
        ("His father smokes.", "His father smokes.", [Verdict.SUPPORTED]),
        ("Pneumonia.", "May I ask about your pneumonia?", [Verdict.SUPPORTED]),
        ("Drug allergy.", "Not NKDA.", [Verdict.SUPPORTED]),
        ("Temperature 38.5 °C.", "Her temperature is 101.3 °F.", [Verdict.SUPPORTED]),
        ("Temperature 39.5 C.", "Her temperature is 101.3 degrees Fahrenheit.", [Verdict.CONTRADICTED]),
        ("Weight 69.9 kg.", "Her weight is 154 pounds.", [Verdict.SUPPORTED]),
    ],
)
def test_short_and_guarded_words_are_read(
    comparison: Comparison, statement: str, source: str, verdicts: list[Verdict]
) -> None:
    """What clinicians shorten is what it stands for, a supposition is not a finding, and blood pressure one value."""
    judged = judge(comparison.read(statement), [comparison.read(source)])
    assert [one.verdict for one in judged] == verdicts, [one.reason for one in judged]


SUPPORTED, CONTRADICTED = Verdict.SUPPORTED, Verdict.CONTRADICTED


@pytest.mark.parametrize(
    ("statement", "source", "verdict"),
    [
        ("The patient has seizures.", "The patient denies seizures. Her mother had seizures.", CONTRADICTED),
        ("The patient has seizures.", "Her mother had seizures. She may have seizures.", CONTRADICTED),
        ("Her mother had seizures.", "The patient denies seizures. Her mother had seizures.", SUPPORTED),
        ("No seizures.", "The patient denies seizures. Her mother had seizures.", SUPPORTED),
        ("Started on metoprolol.", "Stopped metoprolol.", CONTRADICTED),
        ("Stopped metoprolol.", "We started metoprolol.", CONTRADICTED),
        ("Metoprolol.", "Stopped metoprolol.", SUPPORTED),
        ("Started on metoprolol.", "Metoprolol 50 mg daily.", SUPPORTED),
        ("Started metoprolol.", "Started metoprolol in May. Stopped metoprolol in June.", SUPPORTED),
        ("Stopped metoprolol.", "Metoprolol was started on Monday and stopped on Tuesday.", SUPPORTED),
        ("Started metoprolol.", "Stopped metoprolol and started lisinopril.", CONTRADICTED),
        ("The patient has diabetes.", "If the patient has diabetes, stop. Rule out diabetes.", CONTRADICTED),
        ("Fever.", "Call us if you get a fever.", CONTRADICTED),
        ("Rule out diabetes.", "Rule out diabetes.", SUPPORTED),
        ("Knee pain.", "The knee feels as if it was burning, and there is pain.", SUPPORTED),
        ("Pain.", "It hurts when I walk.", SUPPORTED),
        ("Gout.", "We call it gout.", SUPPORTED),
    ],
)
def test_one_place_agrees_in_everything(comparison: Comparison, statement: str, source: str, verdict: Verdict) -> None:
    """One sentence's patient and another's finding are no finding; a beginning is no end, and a condition no fact."""
    judged = judge(comparison.read(statement), [comparison.read(source)])
    assert [one.verdict for one in judged] == [verdict], [one.reason for one in judged]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("Temperature was taken.", "no Temperature"),
        ("Fever.", "denied there: Fever"),
        ("Metformin 850 mg.", "another number there than 850 mg"),
    ],
)
def test_reasons_have_whole_words(comparison: Comparison, statement: str, reason: str) -> None:
    """A reader is shown the statement's words, and not the stems that they are compared by."""
    (judged,) = judge(comparison.read(statement), [comparison.read(DIALOGUE)])
    assert judged.reason.startswith(reason)


def test_an_enumeration_is_several_statements(comparison: Comparison) -> None:
    """Each finding of a list is judged by itself, and carries the list's denial."""
    judged = judge(comparison.read("No fever, cough or rash."), [comparison.read(DIALOGUE)])
    assert [(one.statement.text, one.verdict) for one in judged] == [
        ("No fever", Verdict.SUPPORTED),
        ("cough", Verdict.NOT_FOUND),
        ("rash", Verdict.NOT_FOUND),
    ]


def test_a_text_supports_itself(comparison: Comparison) -> None:
    """Nothing that was said is contradicted by its saying, nor missing from it."""
    text = "58-year-old man, no rash. Right renal mass of 3.5 cm. Creatinine 1.4 mg/dL on 03/04/2021. CT is planned."
    judged = judge(comparison.read(text), [comparison.read(text)])
    assert {one.verdict for one in judged} == {Verdict.SUPPORTED}
    assert judge(comparison.read("Fever."), [])[0].verdict is Verdict.NOT_FOUND


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_read(comparison: Comparison, text: str, source: str) -> None:
    """Hostile text gives statements that stand in it, each with one verdict, in order."""
    content = comparison.read(text)
    judged = judge(content, [comparison.read(source)])
    assert [one.statement for one in judged] == list(content.statements)
    assert all(text[one.start :].startswith(one.text) for one in content.statements)
    assert [one.start for one in content.statements] == sorted(one.start for one in content.statements)
