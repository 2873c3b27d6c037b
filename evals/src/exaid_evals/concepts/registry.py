"""Extractors by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from typing import Any

from exaid_evals.concepts.base import Extractor
from exaid_evals.errors import ConfigError

GROUP = "exaid_evals.extractors"
"""Entry points of this group add extractors; each names a builder with the signature of `Builder`."""

Builder = Callable[..., Extractor]
"""``build(settings, *, stop_entities) -> Extractor``"""

_BUILT_IN = {
    "lexicon": "exaid_evals.concepts.lexicon:build",
    "scispacy": "exaid_evals.concepts.scispacy:build",
}


def names() -> tuple[str, ...]:
    """Every extractor known by name, sorted."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in metadata.entry_points(group=GROUP))}))


def _resolve(path: str) -> Builder:
    """Import ``module:attribute``."""
    module, _, attribute = path.partition(":")
    try:
        builder: Builder = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"cannot load the extractor {path!r} ({error})",
            where="concepts.extractor",
            remedy=f"give importable module:attribute, or one of {', '.join(names())}",
        ) from error
    return builder


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
    if name in _BUILT_IN:
        builder = _resolve(_BUILT_IN[name])
    elif ":" in name:
        builder = _resolve(name)
    else:
        points = [point for point in metadata.entry_points(group=GROUP) if point.name == name]
        if not points:
            raise ConfigError(
                f"unknown extractor {name!r}",
                where="concepts.extractor",
                remedy=f"known are {', '.join(names())}, and module:attribute",
            )
        builder = _resolve(points[0].value)
    return builder(settings, stop_entities=stop_entities)
