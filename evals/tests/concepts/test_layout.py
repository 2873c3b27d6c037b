"""What a note says by its layout: answers, signs, check boxes, sections; with what must not be taken for them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.concepts import AnnotatingExtractor, Extractor, layout

_PIECES = [
    *("fam hx", "F/Hx", "fmhx", "known allerg", "ADRs", "strict return", "Discharge ins", "PATIENT ed", "home ins"),
    *("red flag", "when to", "Reasons to", "vacc\u0131n", "\u0130mmuni", "home in\u017f"),
    *("no", "x: no", "(neg)", "[ ]", "☑"),
    *(" ", "\n", ". ", ":", "- ", "*", "|", "?", "(", ")", "+", "é"),
]


def surfaces(lexicon: Extractor, text: str) -> list[str]:
    """What a text affirms of the patient, as it writes it."""
    return [text[one.start : one.end] for one in lexicon.mentions([text])[0]]


@pytest.mark.parametrize(
    ("text", "affirmed"),
    [
        # Answers.
        ("rash: no", []),
        ("Seizures: none. Fever: negative. Cough: yes.", ["Cough"]),
        ("Fever: No, Cough: Yes, Rash: No", ["Cough"]),
        ("fever: no\ncough: yes\nrash: n", ["cough"]),
        ("Fever: N  Cough: Y", ["Cough"]),
        ("Fever - absent", []),
        ("Fever = no; cough = yes", ["cough"]),
        ("Fever: +, Cough: -, Rash: +", ["Fever", "Rash"]),
        ("Fever/chills: no. Night sweats, weight loss: no.", []),
        ("Known for asthma, fever: no", ["asthma"]),
        ("Fever (at night): no", []),
        ("Pain: 0/10. Jaundice: nil.", []),
        ("Allergies: NKDA", []),
        ("Do you have asthma? Yes. Do you have fever or chills? No.", ["asthma"]),
        ("Doctor: Any fever?\nPatient: No.\nDoctor: Any cough?\nPatient: Yes.", ["cough"]),
        # Not answers: they go on, or count something.
        ("Edema: no better with diuretics.", ["Edema"]),
        ("Fever: 0.5 degrees less. Fever: n/a", ["Fever", "Fever"]),
        ("Rash: no itching", ["Rash"]),
        # Tables.
        ("| Finding | Present |\n|---|---|\n| Fever | no |\n| Cough | yes |\n| Rash | - |", ["Cough"]),
        ("Fever\tno\nCough\tyes", ["Cough"]),
        # Signs.
        ("Vomiting (-), cough (+), rash (neg)", ["cough"]),
        ("Chest: (+) dyspnea (-) cough, wheezing (+) rales", ["dyspnea", "rales"]),
        ("+cough, -fever, -rash", ["cough"]),
        ("GI: + nausea, - vomiting", ["nausea"]),
        ("Icterus -, pallor +", ["pallor"]),
        ("no asthma, no rash, +fever", ["fever"]),
        ("Symptoms:\n-fever\n-cough", ["fever", "cough"]),
        # Check boxes.
        ("[ ] fever / [x] cough", ["cough"]),
        ("☐ Fever\n☑ Cough\n☒ Rash", ["Cough", "Rash"]),
        ("Fever [ ] Cough [x]", ["Cough"]),
    ],
)
def test_answers_signs_and_boxes(lexicon: Extractor, text: str, affirmed: list[str]) -> None:
    """A denial by form denies what it belongs to, and nothing else."""
    assert surfaces(lexicon, text) == affirmed


@pytest.mark.parametrize(
    ("text", "affirmed"),
    [
        ("Family history: breast cancer.", []),
        ("FHx: asthma, mother with diabetes.", []),
        ("FH: epilepsy. PMH: asthma.", ["asthma"]),
        ("FAMILY HISTORY\nBreast cancer\nMother: asthma\n\nEXAM\nJaundice", ["Jaundice"]),
        ("Family History:\n- Father - gout\n- Asthma: brother\nSocial history: alcoholism.", ["alcoholism"]),
        ("Family history: stroke.\nPresented with fever.", ["fever"]),
        ("Family history: father had gout. He had a stroke at 50. The patient has fever.", ["fever"]),
        ("Family history: none. She has seizures.", ["seizures"]),
        ("Family h/o ovarian cancer. Her sister's asthma is mild.", []),
        ("Mom: asthma. MGM with gout. Dad had a stroke.", []),
        ("Past medical history: asthma, gout.", ["asthma", "gout"]),
        ("Allergies: codeine (rash). Medications: metformin.", ["Allergies", "rash", "metformin"]),
        ("Allergic to codeine. Ibuprofen allergy. Takes aspirin.", ["Allergic", "allergy", "aspirin"]),
        ("Return precautions: fever, vomiting.\nMedications: aspirin", ["aspirin"]),
        ("Immunizations: influenza, measles. Exam: jaundice.", ["jaundice"]),
        ("Vaccinated against measles. Screening for diabetes was done, and she has asthma.", ["asthma"]),
        ("If you develop fever or rash, take aspirin. Return if vomiting.", ["aspirin"]),
        ("Call if the headache goes on. If gout explains the fever, we wait.", ["headache", "gout", "fever"]),
    ],
)
def test_sections_and_suppositions(lexicon: Extractor, text: str, affirmed: list[str]) -> None:
    """What stands under a heading, or is warned of, is not the patient's; the section ends where it ends."""
    assert surfaces(lexicon, text) == affirmed


@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=2), max_size=5).map("".join))
def test_a_quick_look_sees_what_the_patterns_find(text: str) -> None:
    """Texts that are not searched for answers, signs or headings hold none, in any letters."""
    patterns = (layout._ANSWER, layout._SIGN, layout._MAY_HAVE_SECTION)
    found = any(pattern.search(part) for pattern in patterns for part in (text, f"\n{text}"))
    assert layout.has_layout(text) == (found or any(mark in text for mark in layout._MARKS))


def test_a_section_marks_and_drops_nothing(lexicon: AnnotatingExtractor) -> None:
    """What a family has is shown, as somebody else's."""
    (found,) = lexicon.annotate(["Family history: gout. Exam: fever."])
    assert [one.experiencer for one in found] == ["other", "patient"]


@pytest.mark.parametrize(
    "piece", ["fever (-) ", "fever: no ", "[ ] fever ", "FH: fever. ", "+ ", " " * 9, ".\t", "? \n"]
)
def test_time_grows_with_the_text(lexicon: AnnotatingExtractor, piece: str) -> None:
    """No mark that notes are laid out with makes a long text slow, on one line or many."""
    text = "Fever. " + piece * 3000
    began = time.process_time()
    lexicon.annotate([text])
    assert time.process_time() - began < 30
