"""Two spellings of each word: its key, without case, accents, inflection and the Atlantic, and its stem.

The stem also takes away what makes an adjective of a noun (*hypoplastic*, *hypoplasia*; *retinal*, *retina*), and is
one for words that names use alike (*renal*, *kidney*; *anomaly*, *malformation*). Phrases are looked up by stems; where
several concepts share them, keys decide. Neither is a word to show. Vocabulary and text go through the same rules, so a
rule need not be linguistically right, only never merge two words that mean different things in a clinical text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega"
)
# Greek letters are spelled out or not, at will: β-thalassemia, beta-thalassemia.
_GREEK = {ord(letter): name for letter, name in zip("αβγδεζηθικλμνξοπρστυφχψω", _GREEK_NAMES.split(), strict=True)}

# British and American endings: pattern, replacement, and the length from which a word is safe (fibre, but hour).
_ENDINGS = (
    (re.compile(r"is(e|es|ed|er|ing|ation)$"), r"iz\1", 6),
    (re.compile(r"ys(e|es|ed|ing)$"), r"yz\1", 6),
    (re.compile(r"our(s?)$"), r"or\1", 6),
    (re.compile(r"(b|t)re(s?)$"), r"\1er\2", 5),
)
_MAY_BE_BRITISH = tuple("our ours re res ise ises ised iser ising isation yse yses ysed ysing".split())  # noqa: SIM905
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_ROMAN = "i ii iii iv v vi vii viii ix x"
# Roman numerals of one letter are left alone: they are letters far more often.
_CARDINALS = "one two three four five"
_NUMBERS = {word: str(n) for words in (_ORDINALS, _CARDINALS) for n, word in enumerate(words.split(), 1)} | {
    roman: str(n) for n, roman in enumerate(_ROMAN.split(), 1) if len(roman) > 1
}
_COUNTED = re.compile(r"(\d+)(?:st|nd|rd|th)")

# A line: words that names use for the same part of the body, noun and adjectives.
_PARTS = """
kidney renal nephric
heart cardiac
liver hepatic
lung pulmonary
skin cutaneous dermal dermatological dermatologic
brain encephalic
cerebral cerebrum
ear auricular auricle aural otic otologic
nose nasal
eye ocular ophthalmic ophthalmologic ophthalmological
spleen splenic
stomach gastric
bowel intestinal intestine
mouth oral
tooth dental teeth dentition
face facial facies
digit digital
thumb pollex
foot feet
hand manual
bone osseous skeletal skeleton
muscle muscular
joint articular
spine spinal vertebral vertebra
abdomen abdominal abd
pelvis pelvic
skull cranial
neck cervical
chest thoracic thorax
hearing auditory
vision visual eyesight
palate palatal
artery arterial
vein venous
genitalia genital
limb extremity
anus anal
tongue lingual
lip labial
nail ungual
testis testicular testicle
ovary ovarian
uterus uterine
vermis vermian
palm palmar
sole plantar
eyelid palpebral
rib costal
breast mammary
gum gingiva gingival
nerve neural
"""
# A line: words that say the same of any part.
_QUALITIES = """
behavior behavioral
tumor neoplasm
neuroma neurinoma
abnormality abnormal abnormally anomaly anomalous malformation malformed defect deformity deformed dysmorphic
    dysmorphism dysmorphia aberration involvement manifestation finding change lesion alteration atypical disturbance
    disturbed
disorder problem issue dysfunction deficit disability difficulty difficult impairment impaired impediment
increased elevated raised high elevation increase elevate increasing
decreased reduced low diminished lowered reduction decrease reduce decreasing
enlarged enlargement large big dilated dilatation dilation dilatated
swelling swollen edema edematous
delay delayed retardation retarded
distention distension distended
absent absence agenesis missing lack lacking aplasia aplastic
multiple numerous many
prominent protruding
frequent recurrent recurring repeated
unsteady unstable
neonatal newborn
head occipitofrontal
episode episodic bout burst outburst paroxysm paroxysmal
short shortened shortening
narrow narrowed narrowing
long elongated elongation
thick thickened thickening
thin thinned thinning
broad wide broadening widening widened
curved curvature
fused fusion
stiff stiffness
poor weak
diabetes diabetic
spot patch macule
dysplasia dysplastic
atresia atretic
pit pitting pitted
dislocation dislocated luxation luxated
sparse scanty scant
"""
# Words whose stem would be that of a word of another meaning.
_KEPT = (
    "radiation macule septic several malaria mention traction meat capital station medium relation limbic symptomatic "
    "highly clonic frequency incontinentia"
)

# Ending → what stands in its place, for words that keep four letters before it; the longest that fits is taken.
_SUFFIX_TABLE = """
phaly:phaly dactyly:dactyly megaly:megaly dactylous:dactyly phalous:phaly megalic:megaly phalic:phaly plastic:plasia
plastica:plasia trophic:trophy trophied:trophy ositic:os genetic:genes genic:genes rrhagic:rrhage mental: matous:ma
kinetic:kinesia ectic:exia ence:ent ance:ant ency:ent ancy:ant ivity: otic:os itic:itis
ptic:psy atic: etic: iac: ularity:l icity: osity: ification:if ified:if ule:l
ization: ation: ition: itioned: ationed: ional: ated: ating: ate: ical: ular:l ula:l ial: ness: ment: ening: ened:
ing: ed: ous: ic: al: ar: ary: ive: ion: ity: ism: ly: eum:e ium: um: us: ia: on: es:
"""
_SUFFIXES: dict[str, str] = {end: new for end, _, new in (pair.partition(":") for pair in _SUFFIX_TABLE.split())}
_LONGEST_SUFFIX = max(map(len, _SUFFIXES))


# A noun and its adjective: hypotonia, hypotonic; microcephaly, microcephalic; pigmentation, pigmented.
_QUALIFIES = re.compile(r"(?:ic|al|ous|ar)$")
_NAMES = re.compile(r"(?:ia|y|os|is|ism|us|um|a|ity|es)$")

_IRREGULAR = {"feet": "foot", "teeth": "tooth", "comedones": "comedo"}


def _fold(word: str) -> str:
    """Lower case without accents; Greek letters spelled out."""
    word = word.lower()
    if word.isascii():
        return word
    word = word.translate(_GREEK)
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).lower()


def _singular(word: str) -> str:
    """Strip English, and the commonest Latin and Greek, plural endings; see the module's remark on keys."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    n = len(word)
    if n < 4 or word[-1] not in "aeisx":
        return word
    if word.endswith("mata") and n > 6:  # carcinomata
        return word[:-2]
    if word.endswith("ae") and n > 4:  # vertebrae
        return word[:-1]
    if word.endswith("ies") and n > 4:  # biopsies
        return word[:-3] + "y"
    if word.endswith("xes"):  # reflexes, whose singular is met below
        word, n = word[:-2], n - 2
    if word.endswith("ices") and n > 6:  # appendices; the singular -ix and -ex are met below
        return word[:-4] + "ix"
    if word.endswith("ex") and n > 5:
        return word[:-2] + "ix"
    if word.endswith(("sis", "ses")) or (word.endswith("se") and n > 4):  # stenosis, stenoses; disease, diseases
        return word[: word.rindex("s" if word.endswith("se") else word[-3:]) + 1]
    if word.endswith(("ches", "shes")):  # rashes
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    if word.endswith("i") and n > 5:  # emboli
        return word[:-1] + "us"
    return word


@lru_cache(maxsize=1 << 17)
def word_key(word: str) -> str:
    """Normalise one word.

    Args:
        word: letters and digits, in any case and script.

    Returns:
        The key: not empty, lower case, without spaces; a key's key is not in general the key itself.
    """
    key = _fold(word)
    if key in _NUMBERS:
        return _NUMBERS[key]
    if key[:1].isdigit() and (found := _COUNTED.fullmatch(key)):
        return found[1]
    if len(key) >= 5 and key.endswith(_MAY_BE_BRITISH):
        for pattern, replacement, least in _ENDINGS:
            if len(key) >= least:
                key = pattern.sub(replacement, key)
    key = _singular(key)
    if len(key) >= 5:  # oedema, anaemia; short words (toe, shoe) keep their vowels
        key = key.replace("ae", "e").replace("oe", "e")
        key = key.replace("sulph", "sulf")
    return key


def _groups(table: str) -> dict[str, str]:
    lines = table.strip().replace("\n    ", " ").splitlines()
    groups = [[word_key(word) for word in line.split()] for line in lines]
    return {key: group[0] for group in groups for key in group}


PART_KEYS = frozenset(_groups(_PARTS))
"""Keys of words that name a part of the body: which of them a text takes says nothing."""
SPECIMENS = frozenset(["urine", "blood", "stool"])
"""What a name says is found in these is only looked for where they stand in front: *urine protein*."""
_STEMS = _groups(_PARTS) | _groups(_QUALITIES) | {word_key(word): word for word in _KEPT.split()}
ABNORMAL, IMPAIRED = _STEMS["abnormality"], _STEMS["disorder"]
"""Stems of the heads that say no more than that something is wrong."""


@lru_cache(maxsize=1 << 17)
def stem(key: str) -> str:
    """Stem of a word, from its key."""
    if key in _STEMS:
        return _STEMS[key]
    if len(key) < 5 or not key.isalpha():
        return key
    root = key
    for length in range(min(_LONGEST_SUFFIX, len(key) - 4), 1, -1):
        if key[-length:] in _SUFFIXES:
            root = key[:-length] + _SUFFIXES[key[-length:]]
            if key[-length:] == "ly" or (_SUFFIXES[key[-length:]] and root != key):
                return stem(root)  # mentally, mental; hypoplastic, hypoplasia
            break
    if root in _STEMS:
        return _STEMS[root]
    if len(root) > 5 and root[-1] in "aeiy" and not root.endswith("ee"):
        root = root[:-2] if len(root) > 6 and root.endswith("ea") else root[:-1]  # trachea, tracheal
    if len(root) > 4 and root[-1] == root[-2] and root[-1] not in "lse":
        root = root[:-1]
    return _STEMS.get(root, root)


# How many letters an adjective loses, and what it gets instead, where it becomes the noun: blind; infertile,
# impotent, manic, drowsy, fatigued; hypertensive, diabetic, demented; cirrhotic, migrainous, stuporous; cachectic.
_NOUNS_OF = (
    (0, "ness"),
    *((1, end) for end in ("ity", "ce", "cy", "a", "iness", "")),
    *((2, end) for end in ("on", "e", "ia")),
    *((3, end) for end in ("s", "e", "")),
    (5, "exia"),
)


def _is_noun_of(noun: str, adjective: str) -> bool:
    """Whether to be such is to have what a noun names."""
    if adjective.endswith(("ing", "ness", "ity", "one")):
        return False
    delusional = adjective.endswith("al") and adjective[:-2] == noun
    return delusional or any(f"{adjective[: len(adjective) - lost]}{end}" == noun for lost, end in _NOUNS_OF)


def specific_alike(keys: Sequence[str], spelled: Sequence[str]) -> bool:
    """Whether a phrase with one word that says what it is about says it in nearly the same word.

    Of several such words their company tells what is meant; one alone may have the stem by chance (*affecting*,
    *abnormal affect*).
    """
    one, other = ([key for key in words if stem(key) not in (ABNORMAL, IMPAIRED)] for words in (keys, spelled))
    if len(one) != 1 or len(other) != 1 or one == other:
        return True
    (text,), (name,) = one, other
    if text in PART_KEYS and name in PART_KEYS:
        return True
    if len(keys) == 1 and len(text) >= 5 and _is_noun_of(name, text):
        return True
    if len(text) < 6:
        return False
    pairs = ((text, name), (name, text))
    return any(
        (_QUALIFIES.search(adjective) and _NAMES.search(noun))
        or (adjective.endswith("ia") and noun.endswith("us"))  # myoclonia, myoclonus
        or (len(adjective) >= 10 and adjective.endswith("ed") and noun.endswith("ion"))
        for adjective, noun in pairs
    )
