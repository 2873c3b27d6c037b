"""Labels for text that a message takes over from the case: the presentation, and what is quoted of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from exaid_evals.cases.base import Case
from exaid_evals.cases.phenotypes import spoken
from exaid_evals.cases.synthetic import SOURCE
from exaid_evals.ontologies import load_vocabulary
from exaid_evals.ontologies.hpo import phenotypes_of
from exaid_evals.traces.stub.glossary import ENTRIES
from exaid_evals.traces.stub.statements import Mention, MentionKind, Statement


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
    """Names of phenotypes and of diseases in lower case → concept. Made once a process, in a second or two."""
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
    return phenotypes, diseases


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
        self._pattern: re.Pattern[str] | None = None
        self._known = phrases is not None
        # The longest first, so that none hides one that it is part of.
        names = sorted({without_article(phrase) for phrase in phrases or ()}, key=lambda name: (-len(name), name))
        if names:
            either = "|".join(map(re.escape, names))
            self._pattern = re.compile(rf"(?<![\w-])(?:{either})(?![\w-])", re.IGNORECASE)

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
            Mention(MentionKind.CANONICAL, match[0], match[0], match.start())
            for match in (self._pattern.finditer(text) if self._pattern else ())
            if not any(start < match.end() and match.start() < end for start, end in zones)
        ]
        return Statement(text, tuple(sorted([*found, *denied], key=lambda mention: mention.start)))

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
