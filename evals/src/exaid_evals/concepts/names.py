"""Which names of the vocabularies are safe to look for, and which concept each of them means.

Vocabularies are written to be looked up by people; a program that finds every entry everywhere finds mostly noise.
The rules below judge an entry by the vocabularies themselves, not by a list of errors seen in some corpus:

* a name needs a word of three letters, a name of one word four;
* an acronym needs three letters, one meaning in the first vocabulary that has it and no gene of that name; it matches
  in capitals only; those that clinicians write are listed in `abbreviations`;
* a one-word synonym that other names use as a modifier rather than as their head (*combined*, *congenital*) is none;
* a substance that phenotype names hold (*glucose*, *ferritin*) is a laboratory value and no drug, unless it is a
  medicine for patients that they do not measure (*aspirin-induced asthma*) or that acts on them (*insulin-dependent*);
* a short one-word trade name matches only when capitalised;
* what the stop list or spaCy's stop words hold is not a concept.

Phenotypes are looked up by stems and come with names that follow from their own by rule; diseases and drugs are looked
up word by word. A disease whose preferred name is a phenotype's name is the same concept, so all its other names get
the phenotype's id too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from exaid_evals.concepts.abbreviations import SHORT_FORMS
from exaid_evals.concepts.normalize import ABNORMAL, IMPAIRED, PART_KEYS, SPECIMENS, stem
from exaid_evals.concepts.short_forms import is_initialism
from exaid_evals.concepts.tables import CAPITALISED, CLOSED, DERIVED, JOINED, ORDERED, PLURAL, STRICT, Tables, packed
from exaid_evals.concepts.tokens import FUNCTION_WORDS, Tokenizer
from exaid_evals.concepts.wordings import WORDINGS, listed
from exaid_evals.ontologies.base import Term, Vocabulary

# How sure a name is that it means its concept; among equals the first one counts.
_PREFERRED, _EXACT, _RELATED, _DERIVED, _COMPOSED, _ELIDED = 0, 10, 20, 15, 35, 45
_WORDED = 11  # written by hand
_CERTAIN = (_PREFERRED, _WORDED)
_GIVEN_RANKS = (_PREFERRED, _EXACT, _WORDED, _RELATED)

_CAPITALISED_BELOW = 8  # letters; longer trade names are not English words
_MOST_COMPOSED = 5  # words

# Where the head of a name ends: "Abnormality of the nose", "Seizure with fever", "Renal failure (acute)".
_AFTER_HEAD = re.compile(
    r"[(,/]|\b(?:of|in|with|to|on|by|from|due|and|or|without|for|at|during|as|towards?)\b", re.IGNORECASE
)
# Systematic names and codes of substances (2-ME2, 5-fluoro-2'-deoxyuridine) are not what clinicians write.
_PROSE = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+){0,3}")
_TO = re.compile(r"(left|right)-to-(left|right)", re.IGNORECASE)
_LETTER = re.compile(r"(?<!['’])\b[as]\b")
_ACRONYM = re.compile(r"[A-Z][A-Z0-9]{1,6}")
_COORDINATION = re.compile(r" and |/|, ")
_ABNORMAL_PART = re.compile(r"abnormal(?:ity of)?(?: the)? (.+?) (?:morphology|physiology)", re.IGNORECASE)
_ABNORMAL_SYSTEM = re.compile(
    r"abnormal(?:ity)? (?:of )?(?:the )?(.+?) system(?: morphology| physiology)?", re.IGNORECASE
)
_LEVEL = re.compile(
    r"(elevated|increased|decreased|reduced|low|high) (?:circulating |serum |plasma |blood )?"
    r"((?!low-|high-)(?:(?! in | of ).)+?)(?: (?:concentration|levels?|activity))?",
    re.IGNORECASE,
)
_MEASURED = re.compile(r"circulating|serum|plasma|level|concentration", re.IGNORECASE)
_GIVEN = re.compile(r"(\w+)-(?:induced|dependent)\b")
# Without such an adverb a name says the same of any degree or place, if the next word says that something is wrong.
_ADVERB = re.compile(
    r"(?:abnormally|disproportionately|unusually|relatively|massively|greatly|substantially|progressively|excessively"
    r"|diffusely|segmentally|partially|completely|fully|purely|predominantly|primarily|secondarily|congenitally"
    r"|photically|conspicuously|hormonally|clinically|internally|externally|superiorly|inferiorly|(?:late|tempo)rally|medially|apically"
    r"|radially|anteriorly|posteriorly|anteroposteriorly|proximally|distally|longitudinally) "
    r"(?!(?:abnormally|normal|shaped|placed|positioned|ossified|straight|folded|nucleated|uniform)\b)(?=\S+ \S)",
    re.IGNORECASE,
)
_IN_BLOOD = re.compile(
    r"(elevated|increased|decreased|reduced|low|high) (.+) in (?:the )?(?:blood|serum|plasma)", re.IGNORECASE
)
_DRUG_TEST = re.compile(r"positive (?:blood|urine) .* test", re.IGNORECASE)
_CANCER = re.compile(r"(\S+) cancer", re.IGNORECASE)
_WITHIN = re.compile(r"^blood| (?:in|of) ", re.IGNORECASE)
_UNABLE = re.compile(r"inability to (.+)", re.IGNORECASE)
_QUALIFIER = re.compile(r"(\S+ \S.*?) \(without [^()]+\)")
_FRACTURED, _BONE = re.compile("fractured ", re.IGNORECASE), re.compile("bone ")  # HPO's only synonyms in lower case
# Endings of words that say by themselves that something is wrong.
_FINDING = re.compile(
    r"(?:itis|osis|oma|pathy|plasia|trophy|emia|uria|algia|ectasia|ectasis|plegia|paresis|megaly|cele|rrhea|sclerosis"
    r"|malacia|phaly|dactyly|synostosis|stenosis|pits?|cyst|fistula|tonia|kinesia|penia|rrhage|pexia|phobia|phasia)$"
)
_PLURAL = re.compile(r"[A-Za-z]+[^siu]s")

_WORDINGS, _SHORT_FORMS = listed(WORDINGS), listed(SHORT_FORMS)
_WORDS_TOO = frozenset(["SOB", "DOE", "CLL", "PNA", "ACS", "TIA"])
"""Short forms that in small letters are words, or nobody's."""
_UNABLE_TO = ("unable to", "cannot", "could not", "not able to", "loss of ability to")


def phrase_key(keys: Iterable[str]) -> str:
    """Stems of some words, sorted and joined, so that *enlarged kidney* and *renal enlargement* agree."""
    return " ".join(sorted({stem(key) for key in keys}))


class _Namer:
    """Keys of names, and what the names of all vocabularies say about their words."""

    def __init__(self, vocabularies: Sequence[Vocabulary], stop: Iterable[str], medicines: frozenset[str]) -> None:
        self._tokenize = Tokenizer()
        self._known: dict[str, tuple[str, ...]] = {}
        self.stop = {" ".join(sorted(self.keys(entry))) for entry in stop}
        heads, others = Counter[str](), Counter[str]()
        titles = (self.keys(term.name) for one in vocabularies if one.source != "drugs" for term in one.terms)
        alone = {keys[0] for keys in titles if len(keys) == 1}
        self.parts, measured, given = set[str](), set[str](), set[str]()
        for vocabulary in vocabularies:
            if vocabulary.source == "drugs":
                continue
            for term in vocabulary.terms:
                for name in (term.name, *(synonym for synonym in term.synonyms if "," not in synonym)):
                    if _DRUG_TEST.match(name):
                        continue  # what it looks for is no modifier
                    keys = self.keys(_AFTER_HEAD.split(name, maxsplit=1)[0])
                    heads.update(keys[-1:])
                    others.update(keys[:-1])
                if vocabulary.source == "hpo":
                    keys = self.keys(term.name)
                    n = len(keys)
                    parts = {
                        " ".join(sorted(keys[i:j]))
                        for i in range(n)
                        for j in range(i + 1, min(i + 4, n) + 1)
                        if j - i < n
                    }
                    self.parts |= parts
                    if _MEASURED.search(term.name):
                        measured |= parts
                    if found := _GIVEN.match(term.name):
                        given.add(" ".join(sorted(self.keys(found[1]))))
        # What phenotypes name and is a drug all the same.
        taken = {
            " ".join(sorted(self.keys(term.name))) for one in vocabularies for term in one.terms if term.id in medicines
        }
        self.parts -= taken & ((self.parts - measured) | given)
        self._modifiers = {key for key, count in others.items() if count > heads[key]} - alone

    def keys(self, name: str) -> tuple[str, ...]:
        """Word keys of a name, without marks and function words."""
        keys = self._known.get(name)
        if keys is None:
            # Lower-cased vocabularies write "hepatitis a"; in a text only the capital tells that A from the article.
            keys = self._known[name] = self._tokenize.name(_LETTER.sub(lambda found: found[0].upper(), name))
        return keys

    def safe(self, name: str, *, preferred: bool) -> tuple[str, ...]:
        """Word keys of a name that is safe to look for; none otherwise."""
        keys = self.keys(name)
        if not any(len(key) >= 3 and key.isalpha() for key in keys):
            return ()
        if len(keys) == 1 and (len(keys[0]) < 4 or (not preferred and keys[0] in self._modifiers)):
            return ()
        if " ".join(sorted(keys)) in self.stop or {stem(key) for key in keys} <= {ABNORMAL, IMPAIRED}:
            return ()
        return keys


def _phenotype_names(term: Term) -> Iterator[tuple[str, int]]:
    """The names of a phenotype and those that follow from them by rule, each with its rank."""
    names = [(term.name, _PREFERRED), *((name, _EXACT) for name in term.synonyms)]
    names += [(name, _WORDED) for name in _WORDINGS.get(term.name, ())]
    for name, rank in [*names, *((name, _RELATED) for name in term.related)]:
        yield name, rank
        if found := _ABNORMAL_PART.fullmatch(name):
            yield f"abnormality {found[1]}", rank + _DERIVED
        if found := _ABNORMAL_SYSTEM.fullmatch(name):
            yield f"abnormality {found[1]}", rank + 7
        if (found := _LEVEL.fullmatch(name)) and _MEASURED.search(name):
            yield f"{found[1]} {found[2]}", rank + 12
        if found := _IN_BLOOD.fullmatch(name):
            yield f"{found[1]} {found[2]}", rank + 12
        if found := _UNABLE.fullmatch(name):
            yield from ((f"{unable} {found[1]}", rank + _DERIVED) for unable in _UNABLE_TO)
        if found := _QUALIFIER.fullmatch(name):
            yield found[1], rank + _DERIVED
        if found := _CANCER.fullmatch(name):
            yield f"{found[1]} ca", rank + _DERIVED
        if found := _ADVERB.match(name):
            yield name[found.end() :], rank + 25


class _Book:
    """Collects entries."""

    def __init__(self, namer: _Namer) -> None:
        self._namer = namer
        self._depth = Counter[str]()
        self._entries: defaultdict[str, list[tuple[int, str, str, int]]] = defaultdict(list)
        self._taken: set[str] = set()
        self.exact: dict[str, str] = {}

    def add(self, keys: tuple[str, ...], rank: int, target: str, flags: int) -> None:
        """Note that some words name a concept; of names with the same words the first one counts."""
        words = " ".join(keys if flags & ORDERED else sorted(keys))
        if not flags & STRICT or words not in self._taken:
            self._entries[phrase_key(keys)].append((rank, target, words, flags))
        if rank <= _EXACT:
            self.exact.setdefault(words, target)
        if rank <= _RELATED:
            self._taken.add(words)

    def _in_order(self, key: str) -> list[tuple[int, int, str, str, int]]:
        """Entries of some words: of names as sure, that of the more general concept first: the words say no more."""
        return sorted((rank, self._depth[one], one, words, flags) for rank, one, words, flags in self._entries[key])

    def phenotypes(self, vocabulary: Vocabulary) -> None:
        """Add the names of all phenotypes."""
        terms = {term.id: term for term in vocabulary.terms}
        self._depth.update({term.id: len(_above(term.id, terms)) for term in vocabulary.terms})
        mirrored = {term.name.casefold() for term in vocabulary.terms if _TO.search(term.name)}
        for term in vocabulary.terms:
            for name, rank in _phenotype_names(term):
                if _ACRONYM.fullmatch(name) or not (keys := self._namer.safe(name, preferred=rank in _CERTAIN)):
                    continue
                if _FRACTURED.match(term.name) and _BONE.match(name):
                    continue  # not "bone humerus"
                flags = JOINED if _COORDINATION.search(name) else 0
                flags |= 0 if rank in _GIVEN_RANKS else DERIVED
                flags |= CLOSED if rank == _WORDED and name.endswith(".") else 0
                short = len(keys) == 1 and len(name) < _CAPITALISED_BELOW + 1
                if short and rank == _PREFERRED and _PLURAL.fullmatch(name):
                    flags |= PLURAL
                specimen = keys[-1] in SPECIMENS and _WITHIN.search(name)
                if specimen or _TO.sub(r"\2-to-\1", name).casefold() in mirrored:
                    flags |= ORDERED
                if len(keys) > 1 and PART_KEYS.issuperset(keys):
                    flags |= STRICT  # a pelvic kidney is no renal pelvis
                self.add(keys, rank, term.id, flags)
                stems = [stem(key) for key in keys]
                if len(keys) > 1 and stems.count(ABNORMAL) == 1:
                    # "Ear disorder" is an abnormality of the ear, unless something is called so.
                    key = " ".join(sorted({IMPAIRED if one == ABNORMAL else one for one in stems}))
                    self._entries[key].append((rank + 20, term.id, " ".join(sorted(keys)), flags | DERIVED))

    def compose(self, vocabulary: Vocabulary) -> None:
        """Put the synonyms of a phenotype into the names of those below it: *bilateral renal aplasia*."""
        keys, terms = self._namer.keys, {term.id: term for term in vocabulary.terms}
        owner: dict[tuple[str, ...], str] = {}
        for term in vocabulary.terms:
            for name in (term.name, *term.synonyms):
                owner.setdefault(keys(name), term.id)
        made: defaultdict[str, list[tuple[int, str, str, int]]] = defaultdict(list)
        for words, target in owner.items():
            if not 2 <= len(words) <= _MOST_COMPOSED:
                continue
            above = _above(target, terms)
            for cut in range(1, len(words)):
                for rest, base in ((words[:cut], words[cut:]), (words[cut:], words[:cut])):
                    of = owner.get(base)
                    if of not in above or len(rest) > 2 or any(stem(key) in (ABNORMAL, IMPAIRED) for key in rest):
                        continue
                    for name in (terms[of].name, *terms[of].synonyms):
                        other = keys(name)
                        if other and other != base and len(other) < _MOST_COMPOSED:
                            new, flags = rest + other, ORDERED * (other[-1] in SPECIMENS)
                            spelled = " ".join(new if flags else sorted(new))
                            made[phrase_key(new)].append((_COMPOSED, target, spelled, flags))
        for key, entries in made.items():
            if key not in self._entries and len({target for _, target, _, _ in entries}) == 1:
                self._entries[key] = entries

    def elide(self, vocabulary: Vocabulary) -> None:
        """Add what stands before the place in a name, where it can mean one concept alone: *odontogenic keratocysts*.

        Where several concepts could be meant, it is the one that is above all others, if there is one.
        """
        terms = {term.id: term for term in vocabulary.terms}
        made: defaultdict[str, set[str]] = defaultdict(set)
        spelled: dict[tuple[str, str], str] = {}
        for term in vocabulary.terms:
            for name in (term.name, *term.synonyms):
                keys, rest = self._namer.keys(name), self._namer.keys(_AFTER_HEAD.split(name, maxsplit=1)[0])
                if 2 <= len(rest) < len(keys) <= _MOST_COMPOSED and any(map(_FINDING.search, rest)):
                    made[phrase_key(rest)].add(term.id)
                    spelled.setdefault((phrase_key(rest), term.id), " ".join(sorted(rest)))
        for key, targets in made.items():
            above = {one: _above(one, terms) | {one} for one in targets}
            tops = [one for one in targets if all(one in ids for ids in above.values())]
            if tops and key not in self._entries:
                self._entries[key] = [(_ELIDED, tops[0], spelled[key, tops[0]], STRICT)]

    def others(self, vocabulary: Vocabulary, capitalised: dict[tuple[str, ...], str]) -> None:
        """Add the names of diseases or drugs."""
        drugs = vocabulary.source == "drugs"
        for term in vocabulary.terms:
            preferred = " ".join(sorted(self._namer.keys(term.name)))
            if drugs and (preferred in self._namer.parts or preferred in self._namer.stop):
                continue
            names = [term.name, *_WORDINGS.get(term.name, ())]
            names += [one for one in term.synonyms if not drugs or _PROSE.fullmatch(one)]
            named = [(self._namer.safe(name, preferred=name == term.name), name) for name in names]
            target = self.exact.get(preferred, term.id)
            for keys, name in named:
                if not keys or (name != term.name and is_initialism(name, term)):
                    continue
                if drugs and " ".join(sorted(keys)) in self._namer.parts:
                    continue
                if drugs and name != term.name and len(keys) == 1 and len(keys[0]) < _CAPITALISED_BELOW:
                    capitalised.setdefault(keys, target)
                else:
                    self.add(keys, _PREFERRED if name == term.name else _EXACT, target, STRICT)

    def short_forms(self) -> dict[str, str]:
        """Add what clinicians write for short, in any case where it has one meaning; return it with its concepts."""
        found = dict[str, str]()
        for name, forms in _SHORT_FORMS.items():
            target = self.exact.get(" ".join(sorted(self._namer.keys(name))))
            if target is None:
                continue  # a vocabulary is left out
            for form in forms:
                found[form] = target
                if "?" not in form and "/" not in form and form not in _WORDS_TOO:
                    self.add(self._namer.keys(form), _EXACT, target, STRICT)
        return found

    def tables(self, acronyms: dict[str, str], parents: dict[str, str]) -> Tables:
        """Return what was collected, in an order that depends on the content alone."""
        frequency = Counter(word for key in self._entries for word in key.split(" "))
        anchors: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for key in sorted(self._entries):
            rarest = sorted(key.split(" "), key=lambda word: (frequency[word], word))
            if len(rarest) > 1:
                # Its third word first, if it has one: most sentences lack it.
                anchors[rarest[0]][rarest[1]].append("|".join([*rarest[2:3], key]))
        phrases = {
            key: packed(dict.fromkeys((target, words, flags) for _, _, target, words, flags in self._in_order(key)))
            for key in sorted(self._entries)
        }
        index = {
            anchor: {second: "\n".join(keys) for second, keys in seconds.items()}
            for anchor, seconds in sorted(anchors.items())
        }
        return Tables(phrases, index, sorted(frequency), acronyms, parents)


def _above(identifier: str, terms: dict[str, Term]) -> set[str]:
    found: set[str] = set()
    waiting = [identifier]
    while waiting:
        for parent in terms[waiting.pop()].parents:
            if parent in terms and parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _acronyms(vocabularies: Sequence[Vocabulary], namer: _Namer, book: _Book, genes: frozenset[str]) -> dict[str, str]:
    """Acronym → the one concept that the first vocabulary which has it means."""
    found: dict[str, str] = {}
    for vocabulary in vocabularies:
        meanings: defaultdict[str, set[str]] = defaultdict(set)
        for term in vocabulary.terms if vocabulary.source != "drugs" else ():
            target = book.exact.get(" ".join(sorted(namer.keys(term.name))), term.id)
            for name in (*term.synonyms, *term.related, *_WORDINGS.get(term.name, ())):
                if _ACRONYM.fullmatch(name) if vocabulary.source == "hpo" else is_initialism(name, term):
                    meanings[name.upper()].add(target)
        for acronym, targets in meanings.items():
            if len(targets) == 1 and len(acronym) >= 3 and acronym not in genes and acronym.lower() not in namer.stop:
                found.setdefault(acronym, next(iter(targets)))
    return found


def compile_tables(
    vocabularies: Sequence[Vocabulary],
    *,
    stop_entities: Iterable[str],
    stop_words: Iterable[str],
    gene_symbols: frozenset[str],
    medicines: frozenset[str],
) -> Tables:
    """Decide for each name which concept it means, if any.

    Args:
        vocabularies: in order of precedence.
        stop_entities: names that are never concepts.
        stop_words: function words of English.
        gene_symbols: upper-case symbols of genes.
        medicines: ids of the drugs that patients take.
    """
    namer = _Namer(vocabularies, [*stop_entities, *(set(stop_words) - FUNCTION_WORDS)], medicines)
    book = _Book(namer)
    capitalised: dict[tuple[str, ...], str] = {}
    parents: dict[str, str] = {}
    for vocabulary in vocabularies:
        if vocabulary.source == "hpo":
            book.phenotypes(vocabulary)
            book.compose(vocabulary)
            book.elide(vocabulary)
            parents.update((term.id, " ".join(term.parents)) for term in vocabulary.terms)
        else:
            book.others(vocabulary, capitalised)
    for keys, target in capitalised.items():
        if keys[0] not in book.exact and keys[0] not in namer.parts:
            book.add(keys, _RELATED, target, STRICT | CAPITALISED)
    acronyms = _acronyms(vocabularies, namer, book, gene_symbols) | book.short_forms()
    return book.tables(dict(sorted(acronyms.items())), parents)
