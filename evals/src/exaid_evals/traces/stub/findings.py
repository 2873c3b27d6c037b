"""What the simulated doctors read in a case: its sentences, and the phrases that name findings.

A handful of rules about how case reports are written, not a language model: phrases that these rules miss are simply
not talked about.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from exaid_evals.artifacts.cache import get_or_make
from exaid_evals.cases import phenotypes as phenotypes_module
from exaid_evals.cases.base import Case
from exaid_evals.cases.phenotypes import spoken
from exaid_evals.cases.synthetic import SOURCE
from exaid_evals.ontologies import fingerprint, load_vocabulary
from exaid_evals.ontologies.hpo import phenotypes_of
from exaid_evals.traces.stub.glossary import ENTRIES, known_in
from exaid_evals.traces.stub.statements import Mention, MentionKind, Statement


@lru_cache(maxsize=20_000)  # one case names the same findings over and over
def concept_of(phrase: str) -> str | None:
    """Return the concept that a phrase names; None where it is the name of none.

    >>> concept_of("Fever"), concept_of("a remarkable state of affairs")
    ('HP:0001945', None)
    """
    key = without_article(phrase).casefold()
    phenotypes, diseases = _names()
    if key in ENTRIES:
        return phenotypes.get(key) or ENTRIES[key].concept_id or None
    other = key.removesuffix("s") if key.endswith("s") else f"{key}s"
    return phenotypes.get(key) or phenotypes.get(other) or diseases.get(key)


def without_article(phrase: str) -> str:
    """Return a phrase without the indefinite article that a report puts before it."""
    return phrase.removeprefix("a ").removeprefix("an ")


@cache
def _names() -> tuple[dict[str, str], dict[str, str]]:
    """Names of phenotypes and of diseases in lower case → concept."""
    made_by = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in (__file__, phenotypes_module.__file__)]
    key = hashlib.sha256(" ".join([*made_by, fingerprint("hpo"), fingerprint("mesh")]).encode()).hexdigest()
    names = get_or_make(f"finding-names-{key[:16]}", _made_names)
    return names["phenotypes"], names["diseases"]


def _made_names() -> dict[str, dict[str, str]]:
    phenotypes: dict[str, str] = {}
    terms = load_vocabulary("hpo").terms
    for term in terms:
        phenotypes.setdefault(term.name.casefold(), term.id)
    for term in terms:
        phenotypes.setdefault(without_article(spoken(term)).casefold(), term.id)
    owners: dict[str, set[str]] = {}
    for term in terms:
        for name in (*term.synonyms, *term.related):
            owners.setdefault(name.casefold(), set()).add(term.id)
    phenotypes = {name: next(iter(one)) for name, one in owners.items() if len(one) == 1} | phenotypes
    diseases: dict[str, str] = {}
    terms = load_vocabulary("mesh").terms
    above = {term.id.rpartition(".")[0] for term in terms}
    for term in terms:
        every = [name.casefold() for name in (term.name, *(() if term.id in above else term.synonyms))]
        concept = phenotypes.get(every[0], term.id)
        for name in every:
            diseases.setdefault(name, concept)
    return {"phenotypes": phenotypes, "diseases": diseases}


# How synthetic case reports deny: the only way (`exaid_evals.cases.synthetic`).
_DENIED = re.compile(r"\bthere was no (?:history of )?(?P<list>[^.;]+)", re.IGNORECASE)
_BETWEEN_DENIED = re.compile(r" or (?:an? )?| and no ")


class CaseText:
    """Knows what the text of a case states, where that is known.

    Args:
        phrases: what the report was written around, as it stands in the text; None for a report that somebody else
            wrote: nobody has labelled it, and all that a message takes over from it is marked as copied.
    """

    def __init__(self, phrases: Iterable[str] | None) -> None:
        self._known = phrases is not None
        self._names = {_caseless(without_article(phrase)) for phrase in phrases or ()}

    @classmethod
    def of(cls, case: Case) -> CaseText:
        """Return what is known of a case: a synthetic one was written around the phenotypes of its disease."""
        if case.source != SOURCE or case.diagnosis_id is None:
            return cls(None)
        return cls(spoken(term) for term in phenotypes_of(case.diagnosis_id))

    def labelled(self, text: str) -> Statement:
        """Return a piece of the case's text with what it mentions."""
        if not self._known:
            return Statement(text, (Mention(MentionKind.COPIED, text, text),) if text else ())
        denied = list(self._denied(text))
        zones = [(mention.start, mention.end) for mention in denied]
        found = [
            Mention(MentionKind.CANONICAL, text[first:last], text[first:last], first)
            for first, last in self._named(text)
            if not any(start < last and first < end for start, end in zones)
        ]
        return Statement(text, tuple(sorted([*found, *denied], key=lambda mention: mention.start)))

    def _named(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where names stand as whole words, none within another: of those that begin first the longest."""
        plain = _caseless(text)
        places = [(place, len(name)) for name in self._names if name in plain for place in _places(name, plain)]
        behind = 0
        for start, length in sorted(places, key=lambda place: (place[0], -place[1])):
            if start >= behind:
                behind = start + length
                yield start, behind

    @staticmethod
    def _denied(text: str) -> Iterator[Mention]:
        for zone in _DENIED.finditer(text):
            start = zone.start("list")
            for between in [*_BETWEEN_DENIED.finditer(text, start, zone.end()), None]:
                end = between.start() if between else zone.end()
                phrase = without_article(text[start:end])
                if phrase:
                    yield Mention(MentionKind.NEGATED, phrase, phrase, end - len(phrase))
                start = between.end() if between else end


# Other forms of the letters of names, as `re.IGNORECASE` knows them; what is in lower case then is as long as before.
_OTHER_FORMS = str.maketrans("İıſ", "iis")


def _caseless(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_OTHER_FORMS).lower()


def _places(name: str, text: str) -> Iterator[int]:
    """Yield where a name begins in a text and is no part of a word."""
    start = text.find(name)
    while start >= 0:
        before, after = text[max(start - 1, 0) : start], text[start + len(name) : start + len(name) + 1]
        if not any(char.isalnum() or char in "_-" for char in before + after):
            yield start
        start = text.find(name, start + 1)


@dataclass(frozen=True, slots=True)
class Finding:
    """A phrase of the case that names something the patient has, or has not.

    Attributes:
        phrase: as it stands in the case, without an article.
        section: where it stands.
        negated: whether the case denies it.
    """

    phrase: str
    section: str
    negated: bool = False

    @property
    def key(self) -> str:
        """The phrase for comparisons."""
        return self.phrase.casefold()


@dataclass(frozen=True, slots=True)
class Reading:
    """A case as it was read.

    Attributes:
        sentences: `(section, sentence)` in order.
        findings: what the patient has, in order of first mention.
        denied: what the case says the patient has not.
        short_forms: phrase, in lower case → short form that the case itself introduces.
        text: all of it, in lower case.
    """

    sentences: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    denied: tuple[Finding, ...]
    short_forms: Mapping[str, str]
    text: str


_BOUNDARY = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(]?[A-Z0-9])")
_ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|vs|No|Fig|approx|e\.g|i\.e|et al|St|resp|ca)\.|(?<![°\w])[A-Z]\.)$")
_CUE = re.compile(
    r"\b(?:presented (?:initially |to \w+ )?with|complain(?:ed|ing|ts) of|history of|revealed|showed|showing|"
    r"demonstrated|disclosed|confirmed|developed|experienced|exhibited|suffered from|diagnosed with|including|"
    r"includ(?:es|ed?)|such as|evidence of|had|has|because of|evaluation of|signs of|symptoms of|characterized by|"
    r"remarkable for|reported|accompanied by|associated with|features? of|noted(?: to have)?|found to have|with)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:no|not|without|denie[sd]|negative for|absence of|neither|nor|never|unremarkable for)\b[^.;:]{0,60}$",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r",? (?:and|as well as|or) |, |; |: | \(|\)")
_TAIL = re.compile(
    r"\s(?:which|that|who|since|after|before|during|at|on|from|for|but|when|while|because|due|despite|until|"
    r"requiring|measuring|with|in|by|over|to|within|without|was|were|is|are|had|has|accompanied|associated|then|"
    r"noted|suggesting|suggestive|consistent|indicating|about|per|through|under|as|lasting|followed|along|involving|"
    r"there|between|where|upon|not|occurring|affecting|extending|of (?:his|her|the (?:same|patient)))\b.*",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = re.compile(
    r"^(?:(?:a|an|the|his|her|their|some|several|also|any|multiple|other|only|both|further|marked|notable|various|"
    r"possible|subsequent|and|or|features|signs|symptoms|evidence|episodes?|presence|history|onset|complaints|typical|"
    r"indicative|initially|gradually|apparent|slight|one|two|three|four|five|six|cases|attacks|bouts|increasing)"
    r" (?:of )?)+",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ'’–-]*(?: [A-Za-zÀ-ÿ][A-Za-zÀ-ÿ'’–-]*){0,4}")
_IDLE = frozenset(
    """
    patient patients she he they it this these those who was were is are been being be has had have did does done
    year years month months day days week weeks hour hours age aged old hospital clinic department admission
    admitted treatment treated therapy examination examinations test tests testing result results parents mother
    father sister brother family sibling siblings history normal information following follow-up visit time times
    birth weight height level levels value values case report reported data details mention surgery operation
    first second third last other same similar significant specific previous new due up out off all more most
    less than no not none unremarkable range limits changes findings finding features feature signs symptoms
    general physical clinical laboratory initial pregnancy delivery child boy girl man woman male female infant
    newborn gestation baby evaluation diagnosis condition problem problems disease diseases disorder appearance
    status measured ultrasound radiograph image images scan sections cells side sides area areas left right part
    born named called given taken received underwent started cesarean section score scale type grade control him
    positive negative response medication medications course dose daily performed revealed showed appeared noted
    use fetus incision unit count panel antibodies antibody factor kinase hormone transaminase phosphatase dehydrogenase
    nitrogen creatinine acid acids exercises nutrition counts function functions profile intervals contact
    increase decrease change district consumption
    work school life home country location region city village grandmother grandfather uncle aunt cousin husband
    wife son daughter bilaterally lower upper once twice ago later well healthy difficulty difficulties
    """.split()  # noqa: SIM905 - a word list reads better than 150 quoted strings
)
# Words that name a disease or sign wherever they stand, with the adjectives before them.
_NAMED = re.compile(
    r"(?<![\w-])((?:[a-z-]{4,}(?:al|ic|ous|ive|ar|ary|ed|oid|ent|ute|ild|ere|ign|ant) ){0,2}"
    r"[a-z]{3,}(?:oma|omas|itis|osis|iasis|opathy|emia|aemia|uria|megaly|algia|plasia|dysplasia|atrophy|plegia|paresis|"
    r"penia|dactyly|cephaly|ectasia|sclerosis|stenosis|effusion|hernia|insufficiency|dystrophy|calcifications?|"
    r"malformations?|lesions?|nodules?|tumou?rs?|masses|cysts?|deformity|hemorrhage|infarction|abscess(?:es)?|palsy))(?![\w-])"
)
# A single word counts when it is built like the name of a finding.
_CLINICAL = re.compile(
    r"(?:itis|osis|iasis|pathy|emia|aemia|uria|megaly|algia|oma|omas|plasia|trophy|plegia|paresis|penia|pnea|rrhea|ptosis|"
    r"edema|ache|aches|ulcers?|rash|cysts?|tumou?rs?|lesions?|nodules?|mass|seizures?|pain|fever|ing|ism|stenosis|"
    r"effusions?|hernia|fractures?|dactyly|cephaly|gnathia|schisis|dystonia|tonia|kinesia|phagia|phasia|sclerosis|"
    r"thrombosis|anemia|infections?|palsy|weakness|fatigue|cough|ataxia|dysarthria|nystagmus|cataracts?|glaucoma|telorism)$",
    re.IGNORECASE,
)
_ING_FINDINGS = frozenset(
    [
        "swelling",
        "bleeding",
        "vomiting",
        "breathing",
        "thickening",
        "wheezing",
        "clubbing",
        "bruising",
        "webbing",
        "sweating",
    ]
)
_NO_HEAD = re.compile(r"(?:ly|ed|ous|ive|ful|able|ible|ic|al|ary|ent|ant|er|est)$", re.IGNORECASE)
_SHORT_FORM = re.compile(r"\(([A-Z][A-Za-z]{1,5})\)")


def read_case(presentation: Mapping[str, str]) -> Reading:
    """Read a presentation: section → text."""
    sentences = tuple((section, s) for section, text in presentation.items() for s in split_sentences(text))
    found: dict[str, Finding] = {}
    denied: dict[str, Finding] = {}
    for section, sentence in sentences:
        for phrase, negated in _phrases(sentence):
            (denied if negated else found).setdefault(phrase.casefold(), Finding(phrase, section, negated))
    present = tuple(finding for key, finding in found.items() if key not in denied and not _covered(key, found))
    text = " ".join(sentence for _, sentence in sentences)
    return Reading(sentences, present, tuple(denied.values()), short_forms(text), text.lower())


def split_sentences(text: str) -> list[str]:
    """Split a paragraph into sentences.

    >>> split_sentences("Seen by Dr. Smith. Hb was 7.1 g/dL. No fever.")
    ['Seen by Dr. Smith.', 'Hb was 7.1 g/dL.', 'No fever.']
    """
    sentences: list[str] = []
    for part in _BOUNDARY.split(" ".join(text.split())):
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] += f" {part}"
        elif part:
            sentences.append(part)
    return sentences


def short_forms(text: str) -> dict[str, str]:
    """Return the short forms that a text introduces in parentheses, by phrase in lower case.

    >>> short_forms("She had a ventricular septal defect (VSD) and fever (38 C).")
    {'ventricular septal defect': 'VSD'}
    """
    forms = {}
    for match in _SHORT_FORM.finditer(text):
        letters = [letter for letter in match[1] if letter.isupper()]
        words = list(re.finditer(r"[A-Za-z]+", text[max(0, match.start() - 80) : match.start()]))[-len(letters) :]
        if len(words) == len(letters) > 1 and all(w[0][0].upper() == c for w, c in zip(words, letters, strict=True)):
            before = text[max(0, match.start() - 80) : match.start()]
            forms[before[words[0].start() :].strip().lower()] = match[1]
    return forms


def _covered(key: str, found: Mapping[str, Finding]) -> bool:
    """Return whether another phrase names the same: the one that the glossary knows, else the longer one."""
    if key in ENTRIES:
        return False
    words = key.split()
    shorter = (" ".join(words[start:]) for start in range(1, len(words)))
    return any(part in found and part in ENTRIES for part in shorter) or any(
        other.endswith(f" {key}") for other in found if len(other) > len(key)
    )


def _phrases(sentence: str) -> Iterator[tuple[str, bool]]:
    for phrase, start in known_in(sentence):
        yield _lowered(phrase), bool(_NEGATION.search(sentence[:start]))
    for match in _NAMED.finditer(sentence):
        named = _cleaned(match[1])
        if named:
            yield named, bool(_NEGATION.search(sentence[: match.start()]))
    for cue in _CUE.finditer(sentence):
        start = cue.end()
        rest = sentence[start:].rstrip(".")
        following = _CUE.search(rest)
        if following:
            rest = rest[: following.start()]
        for piece in _SEPARATOR.split(rest):
            cleaned = _cleaned(piece)
            if cleaned:
                before = sentence[: start + max(0, sentence[start:].find(cleaned))]
                yield _lowered(cleaned), bool(_NEGATION.search(before))


def _cleaned(piece: str) -> str | None:
    phrase = _LEAD.sub("", _TAIL.sub("", f" {piece.strip()}").strip()).strip(" \"'")
    if not _WORDS.fullmatch(phrase):
        return None
    words = phrase.split()
    if any(word.lower() in _IDLE for word in words):
        return None
    if phrase.lower() in ENTRIES:
        return phrase
    head = words[-1]
    if head.endswith("ing") and head not in _ING_FINDINGS:
        return None
    if len(words) == 1:
        return phrase if _CLINICAL.search(head) and len(head) > 4 and head.islower() else None
    return None if _NO_HEAD.search(head) or len(phrase) < 8 else phrase


def _lowered(phrase: str) -> str:
    """Lower the first letter of a plain word; leave acronyms and inner capitals."""
    first = phrase.split()[0]
    return phrase if first[1:] != first[1:].lower() else phrase[0].lower() + phrase[1:]
