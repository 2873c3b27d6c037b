"""The lexicon finds what a text affirms, where it says so, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaid_evals.concepts import (
    CachedExtractor,
    Extractor,
    Mention,
    concept_ids,
)

STOP_ENTITIES = Path(__file__).parents[2] / "configs" / "stop_entities.txt"

NAMES = (
    "ventricular septal defect", "Seizures", "enlarged kidney", "anaemia", "hepatomegaly", "type 2 diabetes",
    "vitamin D deficiency", "β-thalassemia", "Crohn's disease", "prednisolone", "low-set ears", "hepatitis B",
)  # fmt: skip
GLUE = (
    ". ",
    ", ",
    " and ",
    " (",
    ") ",
    "; ",
    "\n",
    "\n\n",
    " with ",
    " no ",
    " the ",
    " – ",
    " SLE ",
    " 3.5 mg ",
    " é ",
    "\u00a0",
)
TEXTS = st.lists(st.sampled_from(NAMES + GLUE), max_size=14).map("".join) | st.text(max_size=60)


def surfaces(lexicon: Extractor, text: str) -> list[str]:
    """The mentions of a text as it writes them."""
    return [text[mention.start : mention.end] for mention in lexicon.mentions([text])[0]]


def ids(lexicon: Extractor, text: str) -> frozenset[str]:
    """The concepts of a text."""
    return concept_ids(lexicon.mentions([text])[0])


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Seizure", "HP:0001250"),
        ("recurring seizures", "HP:0001250"),
        ("ventricular septal defects", "HP:0001629"),
        ("septal defect, ventricular", "HP:0001629"),
        ("Kidneys: kidney enlarged", "HP:0000105"),
        ("enlarged kidneys", "HP:0000105"),
        ("enlargement of the kidney", "HP:0000105"),
        ("microcytic anaemia", "HP:0001935"),
        ("low–set ears", "HP:0000369"),
        ("low set ears", "HP:0000369"),
        ("haematuria", "HP:0000790"),
        ("oesophageal varices", "HP:0002040"),
        ("raised circulating creatinine", "HP:0003259"),
        ("elevated serum creatinine level", "HP:0003259"),
        ("Tachypnoea", "HP:0002789"),
        ("prednisolone", "DRUGBANK:DB00860"),
        ("aspirin", "DRUGBANK:DB00945"),  # though there is aspirin-induced asthma
        ("insulin", "NHS:insulin"),  # though its level is measured
        ("typical absence seizures", "HP:0011147"),
        ("absence of the septum pellucidum", "HP:0001331"),
        ("post-axial polydactyly", "HP:0100259"),
        ("pre-auricular pits", "HP:0004467"),
        ("arthrogryposis", "HP:0002804"),
        ("odontogenic keratocysts", "HP:0010603"),
        ("raised liver enzymes", "HP:0002910"),
        ("GTCS", "HP:0002069"),
        ("he is deaf", "HP:0000365"),
    ],
)
def test_spellings_reach_their_concept(lexicon: Extractor, text: str, concept: str) -> None:
    """Inflection, word order, hyphens, British spelling, measuring words and clinical wordings make no difference."""
    assert ids(lexicon, text) == {concept}


@pytest.mark.parametrize(
    "text",
    [
        "The patient, a 42 year old man, may be seen by all of us; water was given on 3 May.",
        "This disease is a syndrome; the diagnosis rests on tests and symptoms.",
        "Whole exome sequencing showed c.247C>T in intron 27 of APC.",
        "Write to seizure@fever.org or see https://example.org/fever",
        "PCR and CT were done, IL-6 was 12 pg/ml, glucose 5.1 mmol/l, oxygen saturation 98%.",
        "It was a cat. He is in it. As if. To be or not to be.",
        "",
        " \n\t ",
    ],
)
def test_prose_without_findings_yields_nothing(lexicon: Extractor, text: str) -> None:
    """Ordinary words, tests, addresses and measurements are not concepts, whatever dictionaries list them."""
    assert surfaces(lexicon, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "The bones of the nose and the humerus bone were tender.",  # HPO has "bone humerus" for a fracture of it
        "Her thyroid-stimulating hormone level was normal.",  # not "inappropriately normal"
        "low-density lipoprotein 132 mg/dl, high-density lipoprotein 45 mg/dl, phosphorus 1.1 mmol/l",
        "She uses eye drops.",
        "a deletion on the short arm of chromosome 5",
        "shaped ears and developed lungs",  # of "abnormally shaped", "poorly developed"
    ],
)
def test_a_part_of_a_name_that_says_nothing_is_none(lexicon: Extractor, text: str) -> None:
    """What is left of a name without the word that says what is wrong is no name, whatever vocabularies list."""
    assert not any(one.startswith("HP:") for one in ids(lexicon, text)), surfaces(lexicon, text)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("cochlear hypoplasia", "HP:0008586"),
        ("a dysplastic hip", "HP:0001385"),
        ("plantar pitting", "HP:0010612"),
        ("The child was tachypneic.", "HP:0002789"),
        ("The skin was erythematous.", "HP:0010783"),
        ("comedones", "HP:0025249"),
        ("She was drowsy.", "HP:0002329"),
        ("He was found hypertensive.", "HP:0000822"),
        ("She looked cachectic.", "HP:0004326"),
        ("He was cirrhotic.", "HP:0001394"),
        ("Her spine was kyphotic.", "HP:0002808"),
        ("His father was blind.", "HP:0000618"),
        ("He is hyperactive.", "HP:0000752"),
        ("sensitive to light", "HP:0000613"),
        ("She is diabetic.", "HP:0000819"),
        ("hypospadia", "HP:0000047"),
        ("myoclonias", "HP:0001336"),
        ("an antepositioned anus", "HP:0001545"),
        ("bloody stools", "HP:0002573"),
        ("type two diabetes", "HP:0005978"),
        ("an erythematous patch on the arm", "HP:0010783"),
        ("dental issues", "HP:0000164"),
        ("a motor developmental delay", "HP:0001270"),
        ("ear pits", "HP:0004467"),  # HPO's own synonym goes before a similar name of another concept
        ("auricular pits", "HP:0030025"),
        ("ear anomalies", "HP:0000598"),  # HPO has it for the outer ear too, which is more than the words say
    ],
)
def test_words_of_one_stem_and_names_that_two_concepts_share(lexicon: Extractor, text: str, concept: str) -> None:
    """An adjective names what its noun does; of concepts that share a name the more general one is meant."""
    assert {one for one in ids(lexicon, text) if one.startswith("HP:")} == {concept}


@pytest.mark.parametrize("text", ["protein S deficiency", "PROTEIN S DEFICIENCY", "a deficiency of protein S"])
def test_a_letter_is_part_of_a_name(lexicon: Extractor, text: str) -> None:
    """Protein S is not any protein, and the S of a genitive in capitals is no letter."""
    assert "HP:0004855" in ids(lexicon, text)
    assert "HP:0004855" not in ids(lexicon, "protein deficiency")
    assert ids(lexicon, "CROHN'S DISEASE") == ids(lexicon, "Crohn's disease")


def test_longest_name_wins(lexicon: Extractor) -> None:
    """A specific name hides the general one inside it."""
    assert surfaces(lexicon, "iron deficiency anemia, then anemia") == ["iron deficiency anemia", "anemia"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cough, chronic bronchitis", ["cough", "chronic bronchitis"]),
        ("broad thumb, clinodactyly", ["broad thumb", "clinodactyly"]),
        ("an infected kidney. Enlarged spleen", ["Enlarged spleen"]),
        ("ataxia - tremor", ["ataxia", "tremor"]),
    ],
)
def test_enumerations_are_not_inverted_names(lexicon: Extractor, text: str, found: list[str]) -> None:
    """Word order is free inside a phrase, not across the members of a list or across sentences."""
    assert surfaces(lexicon, text) == found


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("ear and kidney anomalies", {"HP:0000598", "HP:0000077"}),
        ("short stature and limbs", {"HP:0004322", "HP:0009826"}),
        ("anomalies of the ribs and spine", {"HP:0000772", "HP:0003468"}),
        ("cleft lip and palate", {"HP:0410030", "HP:0000175"}),
        ("hypotonia and facial weakness", {"HP:0001252", "HP:0030319"}),
        ("a short sternum and small facial bones", {"HP:0000879"}),
        ("renal dysplasia and anomalies", {"HP:0000110"}),
        ("branchial fistulas and/or cysts", {"HP:0009795", "HP:0009796"}),
        ("fistula secondary to an abscess and vesicoureteral reflux", {"HP:0000076"}),
        ("APGAR scores were 7 and 10 at 1 and 5 minutes", set()),
    ],
)
def test_coordinations_share_what_they_leave_open(lexicon: Extractor, text: str, concepts: set[str]) -> None:
    """Each part has its own concept; a part that is a concept by itself lends nothing, nor does a number."""
    found = ids(lexicon, text)
    assert concepts <= found
    assert "HP:0030008" not in found
    if not concepts:
        assert found == concepts


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("undescended testes on both sides", "HP:0000028"),
        ("bilateral undescended testes", "HP:0008689"),
        ("serum creatine kinase was markedly elevated", "HP:0003236"),
        ("mentally retarded", "HP:0001249"),
        ("his ears were very low-set", "HP:0000369"),
        ("hypoplastic corpus callosum", "HP:0002079"),
        ("microcephalic", "HP:0000252"),
        ("malformed ears", "HP:0000377"),
        ("a mentally retarded boy", "HP:0001249"),
        ("He cannot walk.", "HP:0002540"),
        ("elevated methionine", "HP:0003235"),
        ("generalized tonic-clonic seizures", "HP:0002069"),
        ("aggression", "HP:0000718"),
        ("SOB on exertion", "HP:0002094"),
        ("elevated creatine kinase", "HP:0003236"),
        ("highly elevated creatine kinase", "HP:0030234"),
        ("decreased muscle tone", "HP:0001252"),
        ("pain in the abdominal region", "HP:0002027"),
        ("her pain was chronic progressive", "HP:0012532"),
    ],
)
def test_other_words_for_a_phenotype(lexicon: Extractor, text: str, concept: str) -> None:
    """Synonyms, adjectives for nouns, synonyms within the names of kinds, copulas and adverbs between words."""
    assert concept in ids(lexicon, text)


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("The liver and spleen were not enlarged.", set()),
        ("Liver tests were normal, with no inflammation seen.", set()),
        ("a disease with liver failure", {"HP:0001399"}),
        ("hip, knee, and ankle with swollen joints and pain", {"HP:0001386", "HP:0012531", "HP:0001785"}),
        ("a long face, curly hair, or prominent ears", {"HP:0000276", "HP:0002212", "HP:0000411"}),
        ("She paused, and he had a tremor.", {"HP:0001337"}),
        ("nausea, vomiting", {"HP:0002018", "HP:0002013"}),
        ("nausea and vomiting", {"HP:0002017"}),
        ("The renal pelvis was seen.", set()),  # no pelvic kidney
        ("a left-to-right shunt", {"HP:0012382"}),
        ("shunting from right to left", {"HP:0001694"}),
    ],
)
def test_a_name_lies_in_what_belongs_together(lexicon: Extractor, text: str, concepts: set[str]) -> None:
    """Words with a denial or a complete finding between them are no name, nor are they in another order."""
    found = {one for one in ids(lexicon, text) if one.startswith("HP:")}
    assert found == concepts


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("atypical chest pain", {"HP:0100749"}),
        ("ears with small lobes", set()),
        ("a round face with broad forehead", {"HP:0000311", "HP:0000337"}),
        ("the facies with short upper lip", {"HP:0000188"}),
        ("a chest with short ribs", {"HP:0000773"}),
        ("abnormal fetal heartbeat", set()),
        ("low platelets and high body weight", {"HP:0001873", "HP:0004324"}),
    ],
)
def test_an_adjective_describes_the_noun_behind_it(lexicon: Extractor, text: str, concepts: set[str]) -> None:
    """Words in any order make a name, but not with an adjective of the next noun."""
    assert ids(lexicon, text) == concepts


@pytest.mark.parametrize(
    "text",
    [
        "poor visual contact",
        "abnormalities affecting the family",
        "a small hand narrowed it down",
        "a disorder that affects both",
        "the oral route",
        "the tarsal bones",
        "He lives alone.",
    ],
)
def test_adjectives_and_verbs_of_something_else_name_nothing(lexicon: Extractor, text: str) -> None:
    """The stem alone is not enough."""
    assert ids(lexicon, text) <= ids(lexicon, "small hand")


@pytest.mark.parametrize(
    ("text", "found"),
    [("protein in the urine", {"HP:0000093"}), ("urine protein", set()), ("high blood sugar", {"HP:0003074"})],
)
def test_a_test_is_no_finding(lexicon: Extractor, text: str, found: set[str]) -> None:
    """What is looked for in a specimen is named behind it."""
    assert ids(lexicon, text) == found


def test_a_name_two_sources_share_has_one_id(lexicon: Extractor) -> None:
    """HPO's Seizure and MeSH's Seizures, with all of MeSH's names for it, count once, as HPO's."""
    assert ids(lexicon, "seizure. seizures. Convulsions.") == {"HP:0001250"}


def test_introduced_abbreviations_are_resolved_in_their_text(lexicon: Extractor) -> None:
    """Long form (SF) and SF (long form) define SF for that text, before the definition too, and for no other text."""
    text = "VSD? A ventricular septal defect (VSD) was seen. VSDs often close."
    assert surfaces(lexicon, text) == ["VSD", "ventricular septal defect", "VSD", "VSDs"]
    assert ids(lexicon, text) == {"HP:0001629"}
    assert ids(lexicon, "VHX (ventricular hypertrophy)") <= ids(lexicon, "ventricular hypertrophy")
    assert ids(lexicon, "TGFK persists") == frozenset()


def test_a_redefined_acronym_loses_its_usual_meaning(lexicon: Extractor) -> None:
    """An acronym that the text introduces as something unknown is not looked up in the vocabulary."""
    assert ids(lexicon, "PTSD was considered.") != frozenset()
    assert ids(lexicon, "A perfectly timed standard dose (PTSD) was used. PTSD converged.") == frozenset()


def test_acronyms_match_in_capitals_only(lexicon: Extractor) -> None:
    """AIDS is a disease, aids are not."""
    assert ids(lexicon, "AIDS was excluded before; he has AIDS") != frozenset()
    assert ids(lexicon, "hearing aids help") == frozenset()


@given(TEXTS)
@settings(max_examples=250, deadline=None)
def test_offsets_are_mentions(lexicon: Extractor, text: str) -> None:
    """Mentions are ordered, in bounds, non-empty and without white space at their ends."""
    (mentions,) = lexicon.mentions([text])
    position = 0
    for mention in mentions:
        assert position <= mention.start < mention.end <= len(text)
        surface = text[mention.start : mention.end]
        assert surface == surface.strip()
        position = mention.start


@given(TEXTS, TEXTS)
@settings(max_examples=150, deadline=None)
def test_paragraphs_are_independent(lexicon: Extractor, one: str, two: str) -> None:
    """Behind a full stop and an empty line a text means what it means alone, but for abbreviations it introduces."""
    glue = ".\n\nX. "
    joined = one + glue + two
    if "(" in joined or ")" in joined or joined.count("SLE"):
        return
    shift = len(one) + len(glue)
    first, second, both = lexicon.mentions([one, two, joined])
    moved = tuple(Mention(m.concept_id, m.start + shift, m.end + shift) for m in second)
    assert both == first + moved


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_case_makes_no_difference_to_names(lexicon: Extractor, names: list[str]) -> None:
    """Names in lower case, title case and capitals give the same concepts."""
    text = "; ".join(names)
    found = ids(lexicon, text)
    assert found
    assert ids(lexicon, text.lower()) == found
    assert ids(lexicon, text.upper()) == found


def test_batches_and_repetition_change_nothing(lexicon: Extractor) -> None:
    """A text's mentions do not depend on the texts beside it or asked before it."""
    texts = ["fever", "no fever", "ventricular septal defect (VSD)", "VSD", "fever"]
    assert lexicon.mentions(texts) == [lexicon.mentions([text])[0] for text in reversed(texts)][::-1]


def test_the_cached_extractor_asks_once(lexicon: Extractor) -> None:
    """Each distinct text reaches the inner extractor once, and results and id are the inner one's."""
    asked: list[str] = []

    class Counting:
        id = lexicon.id

        def mentions(self, texts: list[str]) -> list[tuple[Mention, ...]]:
            asked.extend(texts)
            return lexicon.mentions(texts)

    cached = CachedExtractor(Counting())
    texts = ["fever", "cough", "fever"]
    assert cached.mentions(texts) == lexicon.mentions(texts)
    assert cached.mentions(texts) == lexicon.mentions(texts)
    assert cached.concepts("fever") == ids(lexicon, "fever")
    assert asked == ["fever", "cough"]
    assert cached.id == lexicon.id
