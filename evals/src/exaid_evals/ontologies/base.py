"""What every vocabulary gives, whatever package it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """One concept of a vocabulary.

    Attributes:
        id: identifier that carries its source, such as ``HP:0001250``.
        name: preferred name, spelled as the source spells it.
        synonyms: other names, sorted, without the preferred one; many sources give them in lower case.
        related: names that are broader, narrower or otherwise not quite the same, sorted, where the source tells.
        parents: ids of the terms directly above, sorted, where the source tells.
    """

    id: str
    name: str
    synonyms: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Disease:
    """A rare disease and the phenotypes that annotators attribute to it.

    Attributes:
        id: ``ORPHA:<number>`` or ``OMIM:<number>``.
        name: the disease's name.
        phenotypes: terms under *Phenotypic abnormality*, sorted by id, without synonyms.
    """

    id: str
    name: str
    phenotypes: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A vocabulary as one package ships it.

    Attributes:
        source: short name, the key under which the registry lists it.
        title: full name of the ontology or word list.
        version: version of the content where the package states one, else the package's.
        package: distribution and its version, ``name==version``.
        terms_of_use: conditions of the content and of the package, in one sentence each.
        terms: sorted by id.
    """

    source: str
    title: str
    version: str
    package: str
    terms_of_use: str
    terms: tuple[Term, ...]
