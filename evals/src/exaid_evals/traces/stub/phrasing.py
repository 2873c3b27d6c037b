"""The forms in which a doctor names a finding: as it stands, in other words, inflected, abbreviated, denied."""

from __future__ import annotations

import re
from collections.abc import Mapping

from exaid_evals.config.mas_generation import ConversationConfig
from exaid_evals.traces.stub.glossary import ENTRIES
from exaid_evals.traces.stub.sampler import Sampler
from exaid_evals.traces.stub.statements import Mention, MentionKind

_OF = re.compile(r"^([a-z]+(?:tion|ing|ment|sion|ness|ity|age|ure|th|ysis)) of (?:the )?([a-z-]+(?: [a-z-]+)?)$")
_KEEPS_S = re.compile(r"(?:ss|us|is|as|os|itis|osis)$")
# Heads that take a plural without a change of meaning; most findings are no such things.
_COUNTABLE = re.compile(
    r"(?:cyst|lesion|nodule|tumou?r|seizure|ulcer|fracture|defect|hernia|effusion|infection|papule|plaque|calcification|"
    r"hematoma|headache|hemorrhage|malformation|deformity|contracture|carcinoma|angioma|opacity|polyp|stone|node)$"
)
# Verbs and openings that may stand for one another when a sentence of the case is retold.
_RETOLD = (
    (re.compile(r"\brevealed\b"), "showed"),
    (re.compile(r"\bdemonstrated\b"), "showed"),
    (re.compile(r"\bexhibited\b"), "had"),
    (re.compile(r"\bexperienced\b"), "had"),
    (re.compile(r"\bThe patient presented with\b"), "the patient came in with"),
    (re.compile(r"\bthe patient presented with\b"), "the patient came in with"),
    (re.compile(r"\bpresented with\b"), "came in with"),
    (re.compile(r"\bwas noted\b"), "was seen"),
    (re.compile(r"\bwere noted\b"), "were seen"),
    (re.compile(r"\bsubsequently\b"), "later"),
    (re.compile(r"\bapproximately\b"), "about"),
    (re.compile(r"\bprior to\b"), "before"),
    (re.compile(r"\bdue to\b"), "because of"),
    (re.compile(r"\bwas diagnosed with\b"), "was found to have"),
    (re.compile(r"\bthere was no evidence of\b", re.IGNORECASE), "nothing pointed to"),
)


class Phrasebook:
    """Chooses a form for each phrase, and remembers which short forms the conversation has introduced.

    Args:
        short_forms: phrase in lower case → short form that the case itself introduces.
        config: how often each form is chosen.
        sampler: the conversation's stream.
    """

    def __init__(self, short_forms: Mapping[str, str], config: ConversationConfig, sampler: Sampler) -> None:
        self._short_forms = short_forms
        self._config = config
        self._sampler = sampler
        self._introduced: set[str] = set()

    def name(self, phrase: str) -> Mention:
        """Return a phrase in a form of the dice's choice."""
        key = phrase.casefold()
        short = self._short_form(key)
        if short and self._sampler.chance(self._config.abbreviate):
            if key in self._introduced:
                return Mention(MentionKind.ABBREVIATED, short, phrase)
            self._introduced.add(key)
            return Mention(MentionKind.CANONICAL, f"{phrase} ({short})", phrase)
        if self._sampler.chance(self._config.paraphrase):
            entry = ENTRIES.get(key)
            if entry and entry.others and self._sampler.chance(0.7):
                return Mention(MentionKind.SYNONYM, self._sampler.pick(entry.others), phrase)
            inflected = inflect(phrase)
            if inflected != phrase:
                return Mention(MentionKind.INFLECTED, inflected, phrase)
        return Mention(MentionKind.CANONICAL, phrase, phrase)

    def plain(self, phrase: str) -> Mention:
        """Return a phrase as it stands."""
        return Mention(MentionKind.CANONICAL, phrase, phrase)

    def _short_form(self, key: str) -> str:
        own = self._short_forms.get(key)
        return own or (ENTRIES[key].short if key in ENTRIES else "")


def inflect(phrase: str) -> str:
    """Return a phrase in another number or word order, or as it is where neither is safe.

    >>> inflect("hepatic cysts"), inflect("dilatation of the bile ducts"), inflect("joint stiffness")
    ('hepatic cyst', 'bile duct dilatation', 'joint stiffness')
    """
    turned = _OF.match(phrase)
    if turned:
        return f"{_singular(turned[2])} {turned[1]}"
    head = phrase.split()[-1]
    if not head.islower() or not head.isalpha() or len(head) < 5:
        return phrase
    if _singular(head) != head:
        return phrase[: -len(head)] + _singular(head)
    if " of " in phrase or not _COUNTABLE.search(head):
        return phrase
    return f"{phrase[:-1]}ies" if head.endswith("y") else f"{phrase}s"


def retell(sentence: str) -> str:
    """Return a sentence of the case with other verbs, ready to stand inside another sentence."""
    for pattern, other in _RETOLD:
        sentence = pattern.sub(other, sentence)
    return sentence


def clause(sentence: str, most: int) -> str:
    """Return a sentence without its full stop, cut behind a clause where it is longer than `most`; may be empty."""
    sentence = sentence.rstrip(" .")
    if len(sentence) <= most:
        return sentence
    cut = max(sentence.rfind(mark, 40, most) for mark in (", ", "; "))
    return sentence[:cut] if cut > 0 and sentence[:cut].count("(") == sentence[:cut].count(")") else ""


# Words at the head of a sentence that keep their capital: names, months, and what is built like an acronym.
_PROPER = re.compile(
    r"""[A-Z][a-z]*(?:['’]s|[A-Z0-9]|-[A-Z0-9])|[A-Z0-9]+\b|
    (?:January|February|March|April|May|June|July|August|September|October|November|December|Doppler|Gram|Sanger|
    Saudi|Chinese|Caucasian|Japanese|Indian|African|Turkish|Hispanic|European|American|Asian|Coombs|Holter|Doctor)\b""",
    re.VERBOSE,
)


def inside(sentence: str) -> str:
    """Lower the first letter of a sentence that does not begin with a name or an acronym.

    >>> inside("Pathology was normal"), inside("MRI showed atrophy"), inside("A girl came")
    ('pathology was normal', 'MRI showed atrophy', 'a girl came')
    """
    if sentence.startswith("A ") or not _PROPER.match(sentence):
        return sentence[0].lower() + sentence[1:]
    return sentence


def _singular(words: str) -> str:
    if words.endswith("ies") and len(words) > 5:
        return f"{words[:-3]}y"
    if words.endswith("s") and not _KEEPS_S.search(words) and len(words) > 4:
        return words[:-1]
    return words
