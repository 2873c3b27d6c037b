"""What is said of relatives, supposed, or part of a test's name is left out; what only looks like it is kept."""

from __future__ import annotations

import pytest

from exaid_evals.concepts import Extractor


@pytest.mark.parametrize(
    ("text", "affirmed"),
    [
        # Somebody else's.
        ("Family history of seizures.", []),
        ("Her mother had epilepsy and migraine.", []),
        ("His father and two brothers also had hypertension.", []),
        ("Two siblings died of sepsis.", []),
        ("The rash was seen in two siblings.", []),
        ("One should ask the family about hearing loss.", []),
        ("Her mother had seizures, but she presented with fever.", ["fever"]),
        ("The mother, a woman of 29, suffered from arthritis.", []),
        ("Sister: asthma. Patient: fever.", ["fever"]),
        ("Maternal grandmother - asthma", []),
        ("Her brother, who has autism, came; she has epilepsy.", ["epilepsy"]),
        ("Born after maternal preeclampsia.", []),
        ("Paternal uniparental disomy was found.", ["uniparental disomy"]),
        ("He and his brother have ataxia. The girl and her mother have ptosis.", ["ataxia", "ptosis"]),
        ("The boy, whose sister died of leukemia, has anemia.", ["anemia"]),
        ("Her mother, who has gout, asthma, and eczema, brought him with fever.", ["fever"]),
        ("Her mother, who has noticed ataxia, came along.", ["ataxia"]),
        ("She lives with her mother and has asthma.", ["asthma"]),
        ("Her brother, who died of leukemia, had anemia. He lives with two sisters, who have asthma.", []),
        ("Her mother, who has gout, has noticed a rash.", ["rash"]),
        # Supposed.
        ("Rule out meningitis. R/o sepsis. Tested for gout.", []),
        ("Should vomiting occur, stop the drug. Should I be worried about asthma?", ["asthma"]),
        ("Should his asthma get worse, come. Should he rest with his fever?", ["asthma", "fever"]),
        ("CT to exclude stroke in a man with gout. Rule out sepsis, pneumonia, given fever.", ["gout", "fever"]),
        (
            "Tested for gout because of arthritis. Admitted to rule out sepsis, he remains febrile.",
            ["arthritis", "febrile"],
        ),
        ("Tested for gout, cough present. Rule-out sepsis admission for fever.", ["cough", "fever"]),
        ("Tested for gout, asthma, and anemia present in his family.", []),
        ("?pneumonia. CT: ? stroke. Is there more ataxia? Fever since Monday.", ["ataxia", "Fever"]),
        ("We were unable to rule out seizures, which nothing excluded.", ["seizures"]),
        ("He was tested for deafness and was affected. Screening for anemia was positive.", ["deafness", "anemia"]),
        ("Screened for anemia and positive for gout. Screening for asthma was not positive.", ["gout"]),
        # Relatives who report, bring or wait have nothing.
        ("Her mother noticed seizures.", ["seizures"]),
        ("The mother, who reported fever, was here.", ["fever"]),
        ("The parents reported fever and vomiting.", ["fever", "vomiting"]),
        ("Seizures worried the family.", ["Seizures"]),
        ("Brought in by his mother with fever and cough.", ["fever", "cough"]),
        ("The patient's mother has noticed a rash and has concerns about seizures.", ["rash", "seizures"]),
        ("Mother: he has had fever for two days.", ["fever"]),
        ("Mother: No, the seizures go on.", ["seizures"]),
        ("Family: worried about seizures in the patient.", ["seizures"]),
        ("Wife - reports fever. History from mother - cough.", ["fever", "cough"]),
        ("Sister: she has asthma. Brother - his stroke was mild.", []),
        # Against the facts.
        ("Had there been fever, we would have seen it.", []),
        ("Were there a rash, I would agree.", []),
        ("He had fever.", ["fever"]),
        # Part of another name.
        ("Serum tumor markers were ordered.", []),
        ("A seizure was seen.", ["seizure"]),
        # The speaker's own words about an argument.
        ("Beside the fever it gains weight.", ["fever"]),
        ("She gains weight.", ["gains weight"]),
    ],
)
def test_context_table(lexicon: Extractor, text: str, affirmed: list[str]) -> None:
    """Experiencer, counterfactuals and names of tests, with what must not be taken for them."""
    assert [text[m.start : m.end] for m in lexicon.mentions([text])[0]] == affirmed


@pytest.mark.parametrize(
    ("text", "affirmed"),
    [
        ("Nobody reports seizures.", []),
        ("No one noticed fever.", []),
        ("I would look for a rash, and that is not described.", []),
        ("I would look for chest pain, and that is not described.", []),
        ("Fever, which was not seen, would help.", []),
        ("I still see no better explanation than sepsis.", ["sepsis"]),
        ("One cannot set aside the fever.", ["fever"]),
        ("Sepsis does not cover the rash.", ["Sepsis", "rash"]),
        # A definite finding is there, unless the sentence says that it was not.
        ("Neither the fever nor the rash can prove it.", ["fever", "rash"]),
        ("Neither the fever nor the rash was seen.", []),
        ("Neither fever nor rash can prove it.", []),
    ],
)
def test_arguments_deny_less_than_they_seem_to(lexicon: Extractor, text: str, affirmed: list[str]) -> None:
    """Words of denial that weigh a finding affirm it; absent reporters and referring pronouns deny it."""
    assert [text[m.start : m.end] for m in lexicon.mentions([text])[0]] == affirmed


@pytest.mark.slow
def test_nothing_is_left_out_where_negation_is_off(lexicon: Extractor) -> None:
    """With `negation: false` what is denied or said of others is found like anything else."""
    from exaid_evals.concepts import load_extractor

    everything = load_extractor("lexicon", {"negation": False}, stop_entities=frozenset())
    text = "No fever. Her mother had seizures. Had there been a rash, we would know."
    assert len(everything.mentions([text])[0]) == 3
    assert lexicon.mentions([text]) == [()]


@pytest.mark.parametrize(
    ("plain", "learned"),
    [
        ("an enlarged heart", "cardiomegaly"),
        ("inflamed pericardium", None),
        ("muscle pain", "myalgia"),
        ("pain in the chest", "chest pain"),
        ("low potassium", "hypokalemia"),
        ("high serum calcium", "hypercalcemia"),
        ("low platelet count", "thrombocytopenia"),
        ("blood in the urine", "hematuria"),
        ("small jaw", "micrognathia"),
        ("overactive thyroid", "hyperthyroidism"),
        ("difficulty swallowing", "dysphagia"),
        ("impaired hearing", "hearing impairment"),
        ("heart failure", "cardiac failure"),
        ("growth delay", "growth retardation"),
        ("coughing", "cough"),
    ],
)
def test_plain_english_means_what_the_learned_name_means(lexicon: Extractor, plain: str, learned: str | None) -> None:
    """Lay synonyms, parts of the body in English and Latin, word order; what no vocabulary has is not found."""
    (found,) = lexicon.mentions([plain])
    (expected,) = lexicon.mentions([learned]) if learned else ((),)
    assert {mention.concept_id for mention in found} == {mention.concept_id for mention in expected}
    assert bool(found) == bool(learned)


@pytest.mark.parametrize(
    ("text", "affirmed"),
    [
        ("She does not talk.", ["Absent speech"]),
        ("He does not speak English.", []),
        ("Patient is not talking to her mother.", []),
        ("Severe ID with autism.", ["Autism", "Intellectual disability, severe"]),
        ("Severely retarded growth.", ["Growth delay"]),
        ("FIB-4 score 2.1; he told a fib.", []),
        ("Urine is pale yellow.", []),
        ("She is pale and tired.", ["Fatigue", "Pallor"]),
        ("TOF ratio 0.9.", []),
        ("s/p TOF repair.", ["Tetralogy of Fallot"]),
        ("Brought to the ED, vomiting.", ["Vomiting"]),
        ("Urine is dark. Urine protein 30.", ["Dark urine"]),
        ("Any other symptoms ?Yes, headache.", ["Headache"]),
        ("I have a query about my headache.", ["Headache"]),
        ("Query sepsis.", []),
        ("Return if fever, vomiting or worse headache.", []),
        ("Chest pain- radiating to the arm. Dyspnea+", ["Chest pain", "Dyspnea", "Pain"]),
        ("fever- chills- headache+", ["Headache"]),
    ],
)
def test_common_speech_is_no_finding(lexicon: Extractor, text: str, affirmed: list[str]) -> None:
    """Wordings, short forms and signs count only where what stands around them does not make them something else."""
    assert sorted(map(lexicon.name_of, lexicon.concept_sets([text])[0])) == affirmed


def test_what_else_a_text_is_about_changes_no_measure(lexicon: Extractor) -> None:
    """Names within longer ones are shown or not by the whole text; what measures count is the same either way."""
    note = "He is 6 years old with a chronic cough and bilateral renal agenesis."
    article = f"{note} The syndrome affects patients of several families with mutations in a gene."
    assert len(lexicon.annotate([article])[0]) > len(lexicon.annotate([note])[0])
    assert lexicon.mentions([article]) == lexicon.mentions([note])
    assert lexicon.concept_sets([article]) == lexicon.concept_sets([note])
