"""Which concept a phrase names: the annotator's side of the gold labels.

A phrase is linked where the glossary says what it means, or where it is, but for case and number, the name of a
phenotype of HPO, or the name or an entry term of a disease of MeSH. A disease one of whose names is a phenotype's name
is that phenotype. Of a disease that stands above others only the name itself counts, since its entry terms list kinds
of it. Any other phrase stays without a concept, rather than being guessed at.
"""

from __future__ import annotations

from functools import cache

from exaid_evals.cases.phenotypes import spoken
from exaid_evals.ontologies import load_vocabulary
from exaid_evals.traces.stub.glossary import ENTRIES


def concept_of(phrase: str) -> str | None:
    """Return the concept that a phrase names; None where it is the name of none.

    >>> concept_of("Fever"), concept_of("a remarkable state of affairs")
    ('HP:0001945', None)
    """
    key = without_article(phrase).casefold()
    if key in ENTRIES:
        return ENTRIES[key].concept_id or None
    phenotypes, diseases = _names()
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
    diseases: dict[str, str] = {}
    terms = load_vocabulary("mesh").terms
    above = {term.id.rpartition(".")[0] for term in terms}
    for term in terms:
        every = [name.casefold() for name in (term.name, *(() if term.id in above else term.synonyms))]
        same = {phenotypes[name] for name in every if name in phenotypes}
        concept = phenotypes.get(every[0]) or (same.pop() if len(same) == 1 else term.id)
        for name in every:
            diseases.setdefault(name, concept)
    return phenotypes, diseases
