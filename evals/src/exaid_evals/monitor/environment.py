"""Secrets: a configuration names the environment variable that holds one, and never holds it itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from exaid_evals.errors import ConfigError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HIDDEN = "a literal, not shown"
_SECRET_KEYS = frozenset({"slack_webhook", "username", "password"})


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError("write ${NAME}, the environment variable that holds it; a secret has no place in a file")
    return value


Reference = Annotated[str, AfterValidator(_reference)]
"""`${NAME}`: the environment variable that holds a secret."""


def variable_of(reference: str) -> str:
    """Return the name of the variable.

    >>> variable_of("${SLACK_WEBHOOK_URL}")
    'SLACK_WEBHOOK_URL'
    """
    match = _REFERENCE.fullmatch(reference)
    assert match is not None  # noqa: S101 - the configuration has been validated
    return match[1]


def is_set(reference: str) -> bool:
    """Tell whether the variable holds anything."""
    return bool(os.environ.get(variable_of(reference)))


def secret(reference: str, where: str) -> str:
    """Return what the variable holds.

    Raises:
        ConfigError: it is not set; the message names the variable.
    """
    value = os.environ.get(variable_of(reference), "").strip()
    if not value:
        name = variable_of(reference)
        raise ConfigError(f"{name} is not set", where=where, remedy=f"set {name} in the environment")
    return value


def literals(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys whose values may be secrets that were written into the file.

    Anything with `://` counts, whatever its key: a webhook's address below a misspelt key is as secret.
    """
    for key, value in data.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, Mapping) and key not in _SECRET_KEYS:
            yield from literals(value, f"{dotted}.")
        elif value is None or (isinstance(value, str) and _REFERENCE.fullmatch(value)):
            continue
        elif key in _SECRET_KEYS or "://" in repr(value):
            yield dotted


def references(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the references of a configuration, in its order."""
    for value in data.values():
        if isinstance(value, Mapping):
            yield from references(value)
        elif isinstance(value, str) and _REFERENCE.fullmatch(value):
            yield value


def hidden() -> str:
    """Return what stands for a literal secret in messages."""
    return _HIDDEN
