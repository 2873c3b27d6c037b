"""Vocabularies that pinned packages ship: phenotypes (HPO), diseases (MeSH) and drugs."""

from exaid_evals.ontologies.base import Disease, Term, Vocabulary
from exaid_evals.ontologies.registry import KNOWN, NAMES, fingerprint, load_vocabulary

__all__ = ["KNOWN", "NAMES", "Disease", "Term", "Vocabulary", "fingerprint", "load_vocabulary"]
