"""Drug names of DrugBank, MedlinePlus and the NHS, as drug-named-entity-recognition ships them.

The package also lists every chemical of MeSH's tree D (enzymes, antigens, air, …); only entries that at least one
drug directory lists are kept, and classes of antibiotics, to which people are allergic. Ids name that directory,
``DRUGBANK:DB01048`` before ``MEDLINEPLUS:a699012`` before ``NHS:<name>``, or the place of a class in that tree; the
package's MeSH ids are left out because over five hundred of them are shared, often by all drugs of one pharmacological
action.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from exaid_evals.ontologies.base import Term, Vocabulary
from exaid_evals.ontologies.packaged import read_pinned

MODULE = "drug_named_entity_recognition"
FILENAME = "drug_ner_dictionary.pkl.bz2"
SHA256 = "ec10a1c7b633fc4bae8d0eecff053892c0e37f49e18eaf59c8a1e9f40fc80d9d"
REQUIREMENT = "drug-named-entity-recognition==2.0.9"


_CLASS = "antibiotics, "
"""So MeSH lists a class of antibiotics under its other names; people are allergic to classes (*penicillin*)."""


def _identifier(canonical: str, entry: dict[str, Any], names: Iterable[str] = ()) -> str | None:
    """The id under which the most specific directory lists a drug; a class's place in MeSH; None if none does."""
    if "drugbank_id" in entry:
        return f"DRUGBANK:{entry['drugbank_id']}"
    if "medline_plus_id" in entry:
        return f"MEDLINEPLUS:{entry['medline_plus_id']}"
    if "nhs_url" in entry:
        return "NHS:" + "-".join(canonical.split())
    if any(name.startswith(_CLASS) for name in names):
        return f"MESH:{min(entry['mesh_tree'])}"
    return None


def medicines() -> frozenset[str]:
    """Ids of the drugs that MedlinePlus or the NHS describes to patients: what people take, not what a body holds.

    Raises:
        MissingDependencyError: the package is absent or another release.
    """
    data = read_pinned(MODULE, FILENAME, sha256=SHA256, requirement=REQUIREMENT)["drug_canonical_to_data"]
    listed = {key: entry for key, entry in data.items() if "medline_plus_id" in entry or "nhs_url" in entry}
    return frozenset(identifier for key, entry in listed.items() if (identifier := _identifier(key, entry)))


def load() -> Vocabulary:
    """Read the drug vocabulary.

    Raises:
        MissingDependencyError: the package is absent or another release.
    """
    data = read_pinned(MODULE, FILENAME, sha256=SHA256, requirement=REQUIREMENT)
    variants: dict[str, set[str]] = {}
    for variant, canonicals in data["drug_variant_to_canonical"].items():
        for canonical in canonicals:
            variants.setdefault(canonical, set()).add(variant)
    terms = []
    for canonical, entry in data["drug_canonical_to_data"].items():
        names = variants.get(canonical, set())
        identifier = _identifier(canonical, entry, names)
        if identifier is not None:
            name = entry.get("name", canonical)
            synonyms = names - {canonical, name}
            terms.append(Term(identifier, name, tuple(sorted(synonyms))))
    return Vocabulary(
        source="drugs",
        title="Drug names of DrugBank Open Data, MedlinePlus and the NHS",
        version=REQUIREMENT.partition("==")[2],
        package=REQUIREMENT,
        terms_of_use=(
            "DrugBank Open Data: CC0 1.0; synonyms from MeSH (courtesy of the U.S. National Library of Medicine), "
            "PubChem, MedlinePlus, the NHS (Open Government Licence) and Wikipedia (CC BY-SA 3.0 and GFDL). "
            "Package: MIT licence, © 2023 Fast Data Science Ltd."
        ),
        terms=tuple(sorted(terms)),
    )
