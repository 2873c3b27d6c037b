"""Concept extractors: whether each loads, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec

from exaid_evals.concepts.registry import BUILT_IN, load_extractor
from exaid_evals.concepts.stop_entities import read_stop_entities
from exaid_evals.doctor.base import STUB, Environment, Finding, Purpose
from exaid_evals.errors import ExaidError
from exaid_evals.ontologies.registry import NAMES, fingerprint

_NEEDED: dict[str, frozenset[Purpose]] = {"lexicon": STUB, "scispacy": frozenset({"paper"})}
_MODEL = "en_core_sci_sm"


def vocabularies(_: Environment) -> Iterator[Finding]:
    """Find the files that the vocabularies are read from."""
    for name in NAMES:
        try:
            digest = fingerprint(name)
        except ExaidError as error:
            yield Finding("vocabulary", name, "missing", error.what, error.remedy or "run `make setup`", STUB)
        else:
            yield Finding("vocabulary", name, "ok", f"installed, file hash {digest[:8]}", needed_for=STUB)


def extractors(environment: Environment) -> Iterator[Finding]:
    """Load every extractor that ships, as a stage would."""
    try:
        stop_entities = read_stop_entities(environment.config_dir / "stop_entities.txt")
    except ExaidError as error:
        yield Finding("extractor", "stop_entities.txt", "problem", str(error), error.remedy or "", STUB)
        stop_entities = frozenset()
    for name in BUILT_IN:
        needed = _NEEDED.get(name, frozenset())
        if name == "scispacy" and find_spec(_MODEL) is None:
            # Without the model spaCy would be imported for seconds only to say so.
            remedy = (
                f"run `pip install --no-deps` on the archive {_MODEL}-0.5.4.tar.gz of scispaCy's releases; the "
                "container's image holds it"
            )
            yield Finding("extractor", name, "missing", f"the model {_MODEL} is not installed", remedy, needed)
            continue
        try:
            extractor = load_extractor(name, {}, stop_entities=stop_entities)
        except ExaidError as error:
            yield Finding("extractor", name, "missing", error.what, error.remedy or "", needed)
        else:
            yield Finding("extractor", name, "ok", extractor.id, needed_for=needed)


def models(_: Environment) -> Iterator[Finding]:
    """List the spaCy pipelines that are installed as packages."""
    found = sorted({entry.name for entry in metadata.entry_points(group="spacy_models")})
    if not found:
        yield Finding("spaCy", "models", "missing", "none; the lexicon extractor needs none")
    for name in found:
        yield Finding("spaCy", name, "ok", metadata.version(name))
