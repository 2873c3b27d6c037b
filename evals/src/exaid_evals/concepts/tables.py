"""What the lexicon looks up, as it is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass

STRICT, JOINED, CAPITALISED, PLURAL = 1, 2, 4, 8
"""Flags of an entry: its words must be those of the text; it is a coordination; a capital; a plural."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What the extractor looks up.

    Attributes:
        phrases: stems of a phrase, sorted and joined → entries, best first: concept id, its words' keys, flags.
        anchors: the rarest stem of a phrase → its next rarest, or "" → the phrases that hold both.
        stems: all stems of phrases.
        acronyms: upper-case acronym → concept id.
        parents: phenotype → ids directly above it.
    """

    phrases: dict[str, list[tuple[str, str, int]]]
    anchors: dict[str, dict[str, list[str]]]
    stems: list[str]
    acronyms: dict[str, str]
    parents: dict[str, list[str]]
