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
        ("Fever: none reported. Measles: ruled out. Jaundice: not present; gout: excluded.", []),
        ("Fever — no", []),
        ("- **Fever:** no\n- *Rash*: no\n- **Cough:** yes", ["Cough"]),
        ('{"fever": false, "rash": "no", "cough": true}', ["cough"]),
        ("Is the headache gone? No. Has the fever resolved? Yes.", ["headache"]),
        ("Did the rash disappear? Not yet. Is the cough better? Yes.", ["rash", "cough"]),
        ("Is the cough better? No. Has the pain improved now? Not really.", ["cough", "pain"]),
        ("Are the seizures still there? No. Vomiting? Never.", []),
        ("Q: vomiting?\nA: none", []),
        ("Has gout?: N\nHas asthma?: Y", ["asthma"]),
        ("Influenza A: negative. HIV test: negative. Hepatitis B: non-reactive.", []),
        ("Fever → no; cough → yes", ["cough"]),
        ("ataxia: absent - tremor: present", ["tremor"]),
        # Not answers: they go on, or count something.
        ("Edema: no better with diuretics.", ["Edema"]),
        ("Fever: 0.5 degrees less. Fever: n/a. Fever: n.a.", ["Fever", "Fever", "Fever"]),
        ("Room no: 5, fever", ["fever"]),
        ("Rash: no itching", ["Rash"]),
        # Tables.
        ("| Finding | Present |\n|---|---|\n| Fever | no |\n| Cough | yes |\n| Rash | - |", ["Cough"]),
        ("Fever\tno\nCough\tyes", ["Cough"]),
        ("| Finding | Seen |\n|---|---|\n| Fever | never |\n| Cough | ✅ |\n| Rash | ❌ |", ["Cough"]),
        ("<tr><td>Fever</td><td>No</td></tr><tr><td>cough</td><td class='x'>Yes</td></tr>", ["cough"]),
        ("<section>No fever</section><section>Cough</section>", ["Cough"]),
        ('<p><b>Fever:</b> <span class="value">no</span></p><p><b>Cough:</b> <span>yes</span></p>', ["Cough"]),
        ("Head <p 3, seizures, height >p 97.", ["seizures"]),
        ("<ul><li>no rash</li><li>joint pain</li></ul><p>No <b>fever</b>.</p>", ["joint pain"]),
        ("BP <90 and fever, platelets <150", ["fever"]),
        ("Sign\tYes\tNo\tNote\nFever\tx\t\tno rash\nCough\t\tx\tpain at night", ["Fever", "pain"]),
        ("| Present | Absent |\n|---|---|\n| gout, ataxia | fever |\n\nCough", ["gout", "ataxia", "Cough"]),
        # Signs.
        ("cough- fever+ rash-", ["fever"]),
        ("pallor +\nicterus -\nFever - since Monday. CD4+ cells", ["pallor", "Fever"]),
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
        ("[x] No fever [x] Denies vomiting [x] Cough", ["Cough"]),
        ("[v] fever [ ] cough", ["fever"]),
        ("☑ No seizures\n☑ Rash", ["Rash"]),
        ("✗ fever ✓ cough", ["cough"]),
        ("Fever: ✗\nCough: ✔", ["Cough"]),
        ("( ) vomiting (x) fever", ["fever"]),
        ("Walks ✗ Seizures ✓\nVaccinated ✗, ataxia ✓, tremor ✗", ["Seizures", "ataxia"]),
        ("| Walks | ✗ |\n| Fever | ✗ |\n| Cough | ✓ |", ["Cough"]),
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
        ("FAMILY HISTORY\nStroke\nEXAMINATION\nJaundice", ["Jaundice"]),
        ("FAMILY HISTORY\nStroke\nDIAGNOSIS\nJaundice\nLABS\nAnemia", ["Jaundice", "Anemia"]),
        ("Family History:\n- Father - gout\n- Asthma: brother\nSocial history: alcoholism.", ["alcoholism"]),
        ("Family history: stroke.\nPresented with fever.", ["fever"]),
        ("Family history: father had gout. He had a stroke at 50. The patient has fever.", ["fever"]),
        ("Family history: father with gout. She has fever.", ["fever"]),
        ("Family history: mother with gout. She had fever, too.", []),
        ("Family history: mother with gout. She presents with fever.", ["fever"]),
        ("Mother: she has asthma\nFather: he had gout", []),
        ("Mother: she has fever since Monday.", ["fever"]),
        ("GP: Hello.\nMother: She has a cough.\nMother: She is febrile.", ["cough", "febrile"]),
        ("Mother: she has a cough. Doctor: since when?", ["cough"]),
        ("Allergic to penicillin. PCN allergy. Took penicillin.", ["Allergic", "allergy", "penicillin"]),
        ("Family history: none. She has seizures.", ["seizures"]),
        ("Family history: unremarkable. Fever for 3 days. Cough.", ["Fever", "Cough"]),
        (
            "Family history: gout. Presents with fever. Family history: gout. Exam showed jaundice.",
            ["fever", "jaundice"],
        ),
        ("1. Family history: gout\n2. Fever\n3. Cough", ["Fever", "Cough"]),
        ("Family history: gout\n- mother: stroke\n- Father: asthma\n- Fever", ["Fever"]),
        ("Family h/o ovarian cancer. Her sister's asthma is mild.", []),
        ("Mom: asthma. MGM with gout. Dad had a stroke.", []),
        ("Past medical history: asthma, gout.", ["asthma", "gout"]),
        ("Allergies: codeine (rash). Medications: metformin.", ["Allergies", "rash", "metformin"]),
        ("Allergic to codeine. Ibuprofen allergy. Takes aspirin.", ["Allergic", "allergy", "aspirin"]),
        ("Doctor: Any allergies?\nPatient: Penicillin.\nDoctor: Any asthma?", ["allergies", "asthma"]),
        ("Allergies: none. Takes metformin.", ["metformin"]),
        (
            "Any allergies? No, I take metformin. Allergies? Penicillin, and I take aspirin.",
            ["metformin", "Allergies", "aspirin"],
        ),
        ("Allergies: shellfish. Metformin 500 mg daily.", ["Allergies", "Metformin"]),
        ("Allergies: codeine, aspirin; takes metformin", ["Allergies", "metformin"]),
        ("Discharge instructions:\nYou were admitted with gout.\nReturn if you develop fever.", ["gout"]),
        ("Immunizations: up to date. Fever since Monday.", ["Fever"]),
        ("Vaccinations: influenza, measles. Has asthma.", ["asthma"]),
        ("Return to clinic for gout follow-up in 3 months.", ["gout"]),
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
    patterns = (layout._ANSWER, layout._SIGN, layout._BOX, layout._PLUS)
    headed = any(layout._MAY_HAVE_SECTION.search(part) for part in (text, f"\n{text}"))
    found = headed or any(pattern.search(text) for pattern in patterns)
    assert layout.has_layout(text) == found


def test_a_section_marks_and_drops_nothing(lexicon: AnnotatingExtractor) -> None:
    """What a family has is shown, as somebody else's."""
    (found,) = lexicon.annotate(["Family history: gout. Exam: fever."])
    assert [one.experiencer for one in found] == ["other", "patient"]


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
@pytest.mark.parametrize("space", [" ", "\N{NO-BREAK SPACE}", "\N{THIN SPACE}"])
def test_line_ends_and_spaces_of_other_programs_say_the_same(
    lexicon: AnnotatingExtractor, line_end: str, space: str
) -> None:
    """A note written on Windows, or copied from a web page, denies what it denies elsewhere."""
    text = (
        "Fever: no\nCough: yes\nRash\t-\nDoctor: Any gout?\n\tPatient: No.\n"
        "Negative for jaundice.\n\nFamily history:\nMother: stroke\n\nExam:\nhepatomegaly"
    )
    said = [one[3:] for one in lexicon.annotate([text])[0]]
    assert [(no, whose) for no, whose, _ in said].count((True, "patient")) == 4
    copied = text.replace(" ", space).replace("\n", line_end)
    assert [one[3:] for one in lexicon.annotate([copied])[0]] == said


@pytest.mark.parametrize(
    "piece",
    [
        *("fever (-) ", "fever: no ", "[ ] fever ", "FH: fever. ", "+ ", " " * 9, ".\t", "? \n"),
        *("Allergies: x\n", "Vaccines: x, 5 mg\n", "allergic to codeine "),
    ],
)
def test_time_grows_with_the_text(lexicon: AnnotatingExtractor, piece: str) -> None:
    """No mark that notes are laid out with makes a long text slow, on one line or many: six times takes no fifteen."""

    def seconds(times: int) -> float:
        """Return the less of two, since another process may be in the way."""
        found = []
        for number in (1, 2):
            began = time.process_time()
            lexicon.annotate([f"Fever {number} {times}. " + piece * times])
            found.append(time.process_time() - began)
        return min(found)

    assert seconds(20_000) < 15 * max(seconds(3333), 0.05)
