"""Which spellings of a term are safe to look for, and which concept a spelling names.

Vocabularies are written to be looked up by people; a program that finds every entry everywhere finds mostly noise.
The rules below judge an entry by the vocabularies themselves, not by a list of errors seen in some corpus:

* a spelling needs a word of three letters, a one-word synonym four;
* an acronym needs three letters, one meaning in all vocabularies and no gene of that name; it matches in capitals only;
* a one-word synonym that other names use as a modifier rather than as their head (*combined*, *congenital*) is none;
* a substance that phenotype names measure (*glucose*, *ferritin*) is a laboratory value, not a drug;
* a short one-word trade name matches only when capitalised;
* what the stop list or spaCy's stop words hold is not a concept.

A name that two vocabularies share gets the id of the first. A disease one of whose names is a phenotype's name is
the same concept, so all its other names get the phenotype's id too, which is how phenotypes come by synonyms. They
come by more through `paraphrases`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from exaid_evals.concepts.matcher import EDGES, phrase_key
from exaid_evals.concepts.paraphrases import paraphrases
from exaid_evals.concepts.short_forms import aligned
from exaid_evals.concepts.tokens import Tokenizer
from exaid_evals.ontologies.base import Term, Vocabulary

_CAPITALISED_BELOW = 8  # letters; longer trade names are not English words

# Where the head of a name ends: "Abnormality of the nose", "Seizure with fever", "Renal failure (acute)".
_AFTER_HEAD = re.compile(r"[(,/]|\b(?:of|in|with|to|on|by|from|due|and|or|without|for|at|during|as)\b", re.IGNORECASE)
# Systematic names and codes of substances (2-ME2, 5-fluoro-2'-deoxyuridine) are not what clinicians write.
_PROSE = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+){0,3}")
_ARTICLE = re.compile(r"\ba\b")
_CIRCULATING = re.compile(r"\bcirculating (.+?) (?:concentration|level)$", re.IGNORECASE)
_MEDIA = ("", "circulating ", "serum ", "plasma ", "blood ")
_MEASURES = ("", " concentration", " level")


@dataclass(frozen=True, slots=True)
class Tables:
    """What the extractor looks up.

    Attributes:
        table: phrase key to concept id.
        capitalised: the same, for names that count only when written with a capital.
        acronyms: upper-case acronym to concept id.
        reach: word key to the number of words of the longest phrase that holds it.
        modifiers: sorted word keys that stand before a head in names, such as *ventricular*.
    """

    table: dict[str, str]
    capitalised: dict[str, str]
    acronyms: dict[str, str]
    reach: dict[str, int]
    modifiers: list[str]


class _Words:
    """Word keys of names, and what the names of all vocabularies say about their words."""

    def __init__(self, vocabularies: Sequence[Vocabulary], tokenize: Tokenizer) -> None:
        self._tokenize = tokenize
        self._known: dict[str, list[str]] = {}
        heads: Counter[str] = Counter()
        others: Counter[str] = Counter()
        self.parts: set[str] = set()
        for vocabulary in vocabularies:
            if vocabulary.source == "drugs":
                continue
            for term in vocabulary.terms:
                for name in (term.name, *(synonym for synonym in term.synonyms if "," not in synonym)):
                    words = self.of(_AFTER_HEAD.split(name, maxsplit=1)[0])
                    heads.update(words[-1:])
                    others.update(words[:-1])
                if vocabulary.source == "hpo":
                    words = self.of(term.name)
                    n = len(words)
                    self.parts.update(
                        phrase_key(words[i:j]) for i in range(n) for j in range(i + 1, min(i + 4, n) + 1) if j - i < n
                    )
        self.modifiers = {word for word, count in others.items() if count > heads[word]}

    def of(self, name: str) -> list[str]:
        """Word keys of a name, without marks and function words."""
        words = self._known.get(name)
        if words is None:
            # Lower-cased vocabularies write "hepatitis a"; in a text only the capital tells that A from the article.
            words = self._known[name] = self._tokenize.words(_ARTICLE.sub("A", name))
        return words


def _initialism(name: str, term: Term) -> bool:
    """Whether a one-word name is made of the initials of another name of the same term, or nearly so."""
    if not (2 <= len(name) <= 7 and name.isalnum()):
        return False
    for other in (term.name, *term.synonyms):
        parts = re.findall(r"[^\W_]+", other.lower())
        if len(parts) > 1 and any(part.startswith(name.lower()[:-1]) for part in parts):
            return False  # apraxia beside "ideational apraxias": a word
    for other in (term.name, *term.synonyms):
        initials = {word[0] for word in re.findall(r"[^\W_]+", other.lower())}
        if (
            len(initials) > 1
            and "," not in other
            and aligned(name, other)
            and 3 * sum(letter in initials for letter in name.lower()) >= 2 * len(name)
        ):
            return True
    return False


def _names(source: str, term: Term) -> Iterator[str]:
    """The spellings of a term, the preferred name first, and those that follow from it by rule."""
    yield term.name
    for synonym in term.synonyms:
        if source != "drugs" or _PROSE.fullmatch(synonym):
            yield synonym
    if source == "hpo" and (found := _CIRCULATING.search(term.name)):
        before = term.name[: found.start()]
        for medium, measure in product(_MEDIA, _MEASURES):
            yield f"{before}{medium}{found[1]}{measure}"


def compile_tables(
    vocabularies: Sequence[Vocabulary],
    tokenize: Tokenizer,
    *,
    stop_entities: Iterable[str],
    stop_words: Iterable[str],
    gene_symbols: frozenset[str],
) -> Tables:
    """Decide for each spelling which concept it names, if any.

    Args:
        vocabularies: in order of precedence.
        tokenize: the tokenizer that texts will meet.
        stop_entities: names that are never concepts.
        stop_words: function words of English.
        gene_symbols: upper-case symbols of genes.
    """
    words = _Words(vocabularies, tokenize)
    stop = {phrase_key(words.of(entry)) for entry in stop_entities} | {phrase_key(words.of(w)) for w in stop_words}
    table: dict[str, str] = {}
    capitalised: dict[str, str] = {}
    meanings: dict[str, set[str]] = {}
    own_key: dict[str, str] = {}
    # Key → (number of the vocabulary, whether made of a synonym) → concepts.
    derived: dict[str, dict[tuple[int, bool], set[str]]] = {}
    broad = {term.id.rpartition(".")[0] for vocabulary in vocabularies for term in vocabulary.terms} - {""}
    for number, vocabulary in enumerate(vocabularies):
        for term in vocabulary.terms:
            keys: dict[str, str] = {}
            short: list[str] = []
            for name in _names(vocabulary.source, term):
                if name != term.name and _initialism(name, term):
                    short.append(name.upper())
                elif (key := _key(words, name, preferred=name == term.name)) is not None:
                    keys.setdefault(key, name)
            preferred = phrase_key(words.of(term.name))
            if vocabulary.source == "drugs" and (preferred in words.parts or preferred in stop):
                continue
            own_key[term.id] = preferred
            # What stands above a disease in its tree shares names with it and is not the same.
            known = {table[key] for key in keys if key in table and not term.id.startswith(f"{table[key]}.")}
            target = _target(term, preferred, known, table, broad)
            for key, name in keys.items():
                if key in stop or (vocabulary.source == "drugs" and key in words.parts):
                    continue
                if vocabulary.source == "drugs" and name != term.name and _trade_name(key):
                    capitalised.setdefault(key, target)
                elif key not in table or (target.startswith(f"{table[key]}.") and own_key[table[key]] != key):
                    # An entry term that a disease shares with one below it names the narrower of the two.
                    table[key] = target if term.id in broad else _shortened(key, known, own_key, target)
            if vocabulary.source != "drugs":
                for name in (term.name, *term.synonyms):
                    rank = (number, name != term.name)
                    for other in paraphrases(name):
                        derived.setdefault(phrase_key(words.of(other)), {}).setdefault(rank, set()).add(target)
            for acronym in short:
                meanings.setdefault(acronym, set()).add(target)
    for key, by_rank in sorted(derived.items()):
        targets = by_rank[min(by_rank)]
        if len(targets) == 1 and key not in stop:
            table.setdefault(key, next(iter(targets)))
    acronyms = {
        acronym: next(iter(targets))
        for acronym, targets in sorted(meanings.items())
        if len(targets) == 1 and len(acronym) >= 3 and acronym not in gene_symbols and acronym.lower() not in stop
    }
    capitalised = {key: target for key, target in capitalised.items() if key not in table and key not in words.parts}
    reach: dict[str, int] = {}
    for key in (*table, *capitalised):
        parts = key.replace("_", " ").split(" ")
        for part in parts:
            reach[part] = max(reach.get(part, 0), len(parts))
    return Tables(table, capitalised, acronyms, reach, sorted(words.modifiers))


def _key(words: _Words, name: str, *, preferred: bool) -> str | None:
    """Phrase key of a spelling that is safe to look for; None otherwise."""
    keys = words.of(name)
    if not any(len(word) >= 3 and word.isalpha() for word in keys) or keys[0] in EDGES or keys[-1] in EDGES:
        return None
    if len(keys) == 1 and not preferred:
        (word,) = keys
        if len(word) < 4 or word in words.modifiers:
            return None
    return phrase_key(keys)


def _trade_name(key: str) -> bool:
    return " " not in key and "_" not in key and len(key) < _CAPITALISED_BELOW


def _target(term: Term, preferred: str, known: set[str], table: dict[str, str], broad: set[str]) -> str:
    """The concept that a term's new spellings name: an earlier one where its names say which, else the term.

    A disease above others in its tree lists kinds of itself among its names (*fetal anomaly* with *congenital
    abnormalities*), and so does one that shares names with several earlier concepts; only the preferred name tells
    such a disease from its kinds.
    """
    if preferred in table:
        return table[preferred]
    return next(iter(known)) if len(known) == 1 and term.id not in broad else term.id


def _shortened(key: str, known: set[str], own_key: dict[str, str], target: str) -> str:
    """The one of several phenotypes whose name a spelling shortens: *rash*, beside *skin rash* and *exanthem*."""
    words = set(key.split(" "))
    longer = [concept for concept in sorted(known) if words < set(own_key[concept].split(" "))]
    return longer[0] if len(known) > 1 and len(longer) == 1 else target
