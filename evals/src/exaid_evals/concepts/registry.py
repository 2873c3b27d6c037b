"""Extractors by name. To add one, write a module with a `build` function and name it here, or use an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from exaid_evals.concepts.base import Extractor
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import read_regular

EXTRACTORS = Kind(
    "extractor",
    "exaid_evals.extractors",
    {
        "lexicon": "exaid_evals.concepts.lexicon:build",
        "scispacy": "exaid_evals.concepts.scispacy:build",
        "words": "exaid_evals.concepts.words:build",
    },
)
"""Each part is `build(settings: Mapping, *, stop_entities: frozenset[str]) -> Extractor`."""


def load_extractor(name: str, settings: Mapping[str, Any], *, stop_entities: frozenset[str]) -> Extractor:
    """Load an extractor.

    Args:
        name: a built-in name, the name of an entry point, or ``module:attribute`` of a builder.
        settings: the extractor's own section of the configuration.
        stop_entities: names that are never concepts, as `read_stop_entities` gives them.

    Raises:
        ConfigError: no such extractor, or its settings are wrong.
        MissingDependencyError: it needs something that is not installed. There is no fallback: with another
            extractor the same measures would mean something else.
    """
    extractor = EXTRACTORS.build(name, settings, stop_entities=stop_entities)
    if not isinstance(getattr(extractor, "id", None), str) or not callable(getattr(extractor, "mentions", None)):
        raise ConfigError(
            f"the extractor {name!r} builds {type(extractor).__name__}, which is none",
            remedy="return an object with an `id` and the method `mentions`",
        )
    return cast("Extractor", extractor)


def extractor_source(name: str) -> str | None:
    """Return the hash of an extractor's source; None for one that ships."""
    return EXTRACTORS.source_hash(name)


def read_stop_entities(path: Path) -> frozenset[str]:
    """Read a stop list.

    Args:
        path: UTF-8 text, one entry a line; ``#`` begins a comment, empty lines say nothing.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        lines = read_regular(path, 16 << 20).decode("utf-8").splitlines()
    except (DataError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the stop list ({error})", where=str(path), remedy="give a UTF-8 text file, one entry a line"
        ) from error
    entries = (line.partition("#")[0].strip() for line in lines)
    return frozenset(entry for entry in entries if entry)
