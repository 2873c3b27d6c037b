"""Concept extractors: from a text to the ids of the clinical concepts that it affirms."""

from exaid_evals.concepts.base import AnnotatingExtractor, CachedExtractor, Extractor, Mention, concept_ids, held_out
from exaid_evals.concepts.registry import load_extractor, read_stop_entities

__all__ = [
    "AnnotatingExtractor",
    "CachedExtractor",
    "Extractor",
    "Mention",
    "concept_ids",
    "held_out",
    "load_extractor",
    "read_stop_entities",
]
