"""Where in a case report a phenotype belongs, which organ system it speaks for, and how it reads in a sentence.

The Human Phenotype Ontology names what was found, not how it was found; these tables, written by hand, say so for
the words that its names are made of.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from functools import cache

from exaid_evals.ontologies.base import Term


class Place(StrEnum):
    """How a phenotype comes to be known."""

    SYMPTOM = "symptom"
    DEVELOPMENT = "development"
    HISTORY = "history"
    EXAMINATION = "examination"
    LABORATORY = "laboratory"
    IMAGING = "imaging"
    SPECIAL = "special"


# First match wins. SPECIAL are the tests that come late: tissue, genes' products, electrophysiology.
# In lower case, for names in lower case: a search that folds case cannot skip to where an alternative may begin.
_PLACES: tuple[tuple[Place, re.Pattern[str]], ...] = tuple(
    (place, re.compile(pattern))
    for place, pattern in (
        (
            Place.SPECIAL,
            r"fiber|biopsy|histolog|mitochondrial|cytochrome|accumulation|emg|conduction|demyelinat|axonal|"
            r"glomerul|lymphocytic|antibod|csf|inclusion|vacuol|enzyme|activity|acylcarnitine|granuloma",
        ),
        (
            Place.LABORATORY,
            r"circulating|concentration|level\b|count|cyte|penia|(?<!microceph)emia\b|emia,|uria\b|crystalluria|"
            r"acidosis|alkalosis|anemia|coagula|prothrombin|sedimentation|eosinophil|monocyt|\bserum\b|urine|"
            r"stimulation test|bilirubin",
        ),
        (
            Place.IMAGING,
            r"corpus callosum|ventriculomegaly|hydroceph|cortical|cerebr|cerebell(?:ar|um) (?:atrophy|hypoplasia|verm)|"
            r"brain|basal ganglia|white matter|gyr[ia]|myelination|calcification|septal defect|ductus|cardiomyop|"
            r"fallot|aort|arterial hypertension|regurgitation|stenosis|valve|ventric|hydroneph|kidney|"
            r"renal (?:cyst|hypo|agen)|reflux nephro|vesicoureteral|skeletal maturation|metaphys|epiphys|"
            r"vertebra|osteop|osteolysis|bone mineral|"
            r"platyspondyly|steatosis|effusion|atelectasis|hypoplasia of the (?:pons|brain)|dandy|cyst|rib\b|ribs\b|"
            r"carpal|tarsal|phalanx|phalanges|dysplasia",
        ),
        (
            Place.DEVELOPMENT,
            r"intellectual|development|delay|regression|autis|speech|learning|attention|behavio|stereotyp|"
            r"inability to walk|cognitive|mental",
        ),
        (
            Place.HISTORY,
            r"hydramnios|premature|gestational age|intrauterine|neonatal|failure to thrive|recurrent|infancy|"
            r"growth delay|growth retard|in utero|birth|susceptib|congestive heart|diabetes|asthma|allerg|hernia|"
            r"puberty|immunodefic|malabsor|autoimmun|lymphoma|leukemia|carcinoma|\bobesity",
        ),
        (
            Place.SYMPTOM,
            r"seizure|pain|algia|fever|fatigue|vomit|nausea|diarr|constipat|dyspnea|cough|headache|migraine|vertigo|"
            r"weight loss|anorexia|dysphagia|feeding|weakness|lethargy|irritab|sleep|palpitation|syncope|bleed|"
            r"hemorrhage|epistaxis|hemoptysis|hematemesis|pruritus|photophobia|diplopia|visual|vision|blind|hearing|anxiety|"
            r"depress(?:ion|ivity)|psychosis|memory|dementia|confusion|coma|stroke|falls|cramp|spasm|paresthesia|incontinence|apnea|"
            r"respiratory|reflux|sweating|hyperhidrosis|stiffness|clums|amenorrh|infertil|snoring|insomnia|numb",
        ),
    )
)

# Voices of the organ systems; a case belongs to the one that most of its phenotypes speak for.
_SYSTEMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (system, re.compile(pattern))
    for system, pattern in (
        (
            "neurological",
            r"seizure|ataxia|spastic|reflex|hypoton|dyston|chorea|tremor|cerebr|cerebell|corpus callosum|neuro|epilep|"
            r"encephal|intellectual|migraine|headache|dementia|parkinson|myoclon|babinski|pyramidal|dysarthria|brain|hydroceph",
        ),
        ("cardiac", r"cardi|septal|aort|heart|fallot|ductus|arrhythm|mitral|tachycard|atrial|ventricular sep|palpitat"),
        ("renal", r"renal|kidney|nephr|proteinuria|hematuria|glomerul|ureter"),
        ("hepatic", r"hepat|liver|jaundice|cirrho|bili|cholest|ascites|transaminase"),
        (
            "haematological",
            r"anemia|cytopen|leuk|neutrop|thrombo|coagul|bleeding|bruis|lymphaden|splen|epistaxis|pallor",
        ),
        (
            "skin",
            r"skin|rash|eczem|kerat|papul|pigment|alopecia|nail|erythema|ichthy|blister|prurit|hair|purpura|dermat",
        ),
        (
            "ophthalmic",
            r"retin|cataract|optic|cornea|glaucoma|myopia|visual|iris|nystag|coloboma|photophob|macul|ocular|vitre|strabism",
        ),
        (
            "bone",
            r"skelet|bone|scolio|kypho|vertebr|metaphy|epiphy|rib|limb|femor|tibia|osteo|phalan|carpal|short stature|"
            r"brachydactyl|pectus|genu|hip |craniosyn",
        ),
        ("endocrine", r"thyro|diabet|gonad|puberty|hormone|adren|obes|cortisol|insulin|prolactin|goiter|hirsut|glyc"),
        ("inbornmetabolism", r"acid|ammon|lact|acyl|amino|uria\b|storage|metabol|coarse|carnitine|hypoglyc"),
        ("respiratory", r"respir|pulmon|lung|dyspn|cough|bronch|asthma|pneumo|pleur|apnea|hemopt"),
        (
            "gastroenterological",
            r"diarr|vomit|constip|intestin|gastr|abdom|malabsor|esoph|colon|pancrea|dysphag|nausea",
        ),
        ("immunological", r"immun|infect|sepsis|autoimm|gammaglob|allerg|lymphop"),
        ("rhumatological", r"arthr|myalg|vascul|joint|muscle|myos|fever|autoinfl|raynaud|contracture"),
        ("otorhinolaryngological", r"hearing|ear\b|ears\b|otitis|sinus|laryn|vestib|vertigo|choanal|pinna"),
        ("urogenital", r"crypt|hypospad|penis|genital|testic|uter|ovar|vagin|scrot|bladder|urin"),
        ("odontological", r"tooth|teeth|dent|enamel|gingiv|palate|lip\b|cleft"),
        (
            "embryogenesis",
            r"hypertelor|micrognath|philtrum|nasal|epicanth|fissure|forehead|face|facial|nose|nares|cephaly|telecanth",
        ),
    )
)

_VAGUE = re.compile(
    r"abnormal|/|morpholog|physiolog|obsolete|neoplasm$|phenotype|finding|functional|positivity|:", re.IGNORECASE
)
_FEMALE = re.compile(r"ovar|uter[iu]|vagina|menorr|amenorr|menopaus|endometr|cervix uteri|breast|menstr", re.IGNORECASE)
_MALE = re.compile(r"cryptorch|hypospad|penis|testic|testes|scrot|prostat|azoosperm|sperm", re.IGNORECASE)
_YOUNG = re.compile(
    r"neonatal|infan|congenital|in utero|hydramnios|premature|gestational|fontanel|birth", re.IGNORECASE
)
_ADULT = re.compile(r"infertil|amenorr|menopaus|dementia|parkinson|azoosperm|impoten", re.IGNORECASE)
_CHILD = re.compile(
    r"development|intellectual|delay|thrive|growth|puberty|autis|cleft|philtrum|epicanth", re.IGNORECASE
)
_PROPER = re.compile(
    r"^(?:[A-Z]{2,}|[A-Z]\d|Dandy|Babinski|Tetralogy|Raynaud|Chiari|Parkinson|Cushing|Hirschsprung|Meckel)"
)

# Labels that no clinician would write, as they would.
_SPOKEN = {
    "Seizure": "seizures",
    "Patent ductus arteriosus": "a patent ductus arteriosus",
    "Ventricular septal defect": "a ventricular septal defect",
    "Atrial septal defect": "an atrial septal defect",
    "Cleft palate": "a cleft palate",
    "High palate": "a high palate",
    "Tetralogy of Fallot": "tetralogy of Fallot",
    "Babinski sign": "a positive Babinski sign",
    "Short neck": "a short neck",
    "Inguinal hernia": "an inguinal hernia",
    "Umbilical hernia": "an umbilical hernia",
    "Skin rash": "a skin rash",
    "Horseshoe kidney": "a horseshoe kidney",
    "Long philtrum": "a long philtrum",
    "Wide nasal bridge": "a wide nasal bridge",
    "Depressed nasal bridge": "a depressed nasal bridge",
    "Delayed skeletal maturation": "delayed skeletal maturation",
    "Bilateral tonic-clonic seizure": "bilateral tonic-clonic seizures",
    "Focal-onset seizure": "focal-onset seizures",
    "Generalized myoclonic seizure": "generalized myoclonic seizures",
}


@cache
def is_concrete(term: Term) -> bool:
    """Return whether a clinician would write the name into a case report."""
    return not _VAGUE.search(term.name) and len(term.name.split()) <= 6


@cache
def place_of(term: Term) -> Place:
    """Return where the phenotype belongs; what no table knows is found on examination."""
    name = term.name.lower()
    return next((place for place, pattern in _PLACES if pattern.search(name)), Place.EXAMINATION)


def organ_system(names: list[str]) -> str:
    """Return the organ system that most of the names speak for; at a draw the first of the table wins."""
    voices = Counter(system for name in names for system in _systems_of(name))
    # Nearly every syndrome has faces, bones and development in it, so these need a clear majority.
    common = {"embryogenesis": 0.6, "bone": 0.75, "neurological": 0.75}
    return max((system for system, _ in _SYSTEMS), key=lambda system: voices[system] * common.get(system, 1.0))


@cache
def _systems_of(name: str) -> tuple[str, ...]:
    lower = name.lower()
    return tuple(system for system, pattern in _SYSTEMS if pattern.search(lower))


def spoken(term: Term) -> str:
    """Return the name as it reads inside a sentence.

    >>> spoken(Term("HP:1", "Weakness, proximal")), spoken(Term("HP:2", "EEG with focal spikes"))
    ('proximal weakness', 'EEG with focal spikes')
    """
    if term.name in _SPOKEN:
        return _SPOKEN[term.name]
    head, comma, modifier = term.name.partition(", ")
    inverted = comma and "," not in modifier and len(modifier.split()) == 1
    name = f"{modifier} {head[0].lower()}{head[1:]}" if inverted else term.name
    return name if _PROPER.match(name) else name[0].lower() + name[1:]


def sex_of(names: list[str]) -> str | None:
    """Return `female` or `male` where a phenotype occurs in one sex only, else None."""
    text = " ".join(names)
    if _MALE.search(text):
        return "male"
    return "female" if _FEMALE.search(text) else None


def occurs_in(term: Term, sex: str) -> bool:
    """Return whether a phenotype can be found in a patient of that sex."""
    return not (_MALE if sex == "female" else _FEMALE).search(term.name)


def is_adult(names: list[str]) -> bool:
    """Return whether one of the phenotypes shows in adults only."""
    return any(_ADULT.search(name) for name in names)


def is_young(disease: str, names: list[str]) -> bool:
    """Return whether the disease shows soon after birth, by its name or by two of its phenotypes."""
    return bool(_YOUNG.search(disease)) or sum(bool(_YOUNG.search(name)) for name in names) >= 2


def is_child(names: list[str]) -> bool:
    """Return whether one of the phenotypes shows in childhood."""
    return any(_CHILD.search(name) for name in names)
