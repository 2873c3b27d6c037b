"""One spelling for each word: what is left when case, accents, inflection and the Atlantic are taken away.

The result is a key, not a word to show: ``stenosis`` and ``stenoses`` both give ``stenos``. Both sides, vocabulary
and text, go through the same rules, so a rule need not be linguistically right, only never merge two words that
mean different things in a clinical text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

FUNCTION_WORDS = frozenset({"a", "an", "the", "of", "s", "its", "his", "her", "their"})
"""Words that a phrase may gain or lose without naming something else: *pain of the back*."""

# Words that mean the same before and behind the name of a part or measure; names use one, clinicians all of them.
_SYNONYMS = {
    word: group[0]
    for group in (
        ("increased", "elevated", "raised", "high", "elevation", "increase"),
        ("decreased", "reduced", "low", "diminished", "lowered", "reduction", "decrease"),
        ("abnormality", "abnormalities", "anomaly", "anomalies"),
        ("enlarged", "enlargement"),
        ("swelling", "swollen"),
        ("delay", "delayed", "retardation", "retarded"),
        ("distention", "distension", "distended"),
    )
    for word in group
}

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
    n = len(word)
    if n < 4 or word.isdigit():
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
    if key in _SYNONYMS:
        return _SYNONYMS[key]
    if len(key) >= 5:
        for pattern, replacement, least in _ENDINGS:
            if len(key) >= least:
                key = pattern.sub(replacement, key)
    key = _singular(key)
    if len(key) >= 5:  # oedema, anaemia; short words (toe, shoe) keep their vowels
        key = key.replace("ae", "e").replace("oe", "e")
        key = key.replace("sulph", "sulf")
    return key
