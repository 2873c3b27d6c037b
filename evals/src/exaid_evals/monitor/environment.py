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
_MAPPINGS = frozenset({"email", "alerts"})
"""Keys of mappings that hold secrets: whatever else is written there may be one."""
_USER_AND_PASSWORD = re.compile(r"[^:]:.")


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
    """Return whether the variable holds anything."""
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

    Anything with `://` or `user:password@` counts, whatever its key: a webhook's address below a misspelt key is as
    secret. A list counts as a whole.
    """
    for key, value in data.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, Mapping) and key not in _SECRET_KEYS:
            yield from literals(value, f"{dotted}.")
        elif value is not None and _may_be_secret(key, value, {}):
            yield dotted


def _secret_text(text: str) -> bool:
    """Return whether a text holds an address, or `user:password@`; in one pass over it.

    >>> [_secret_text(text) for text in ("https://a", "by a:b@c", "a@b", ":b@c", "a: b@c")]
    [True, True, False, False, False]
    """
    if "://" in text:
        return True
    before_at = (part for word in text.split() for part in word.split("@")[:-1])
    return any(_USER_AND_PASSWORD.search(part) for part in before_at)


def secret_in_keys(data: Any) -> bool:
    """Return whether an address or a password stands where a key belongs: messages name keys."""
    if isinstance(data, Mapping):
        return any(_secret_text(str(key)) or secret_in_keys(value) for key, value in data.items())
    return False


def _may_be_secret(key: str, value: Any, known: dict[int, bool]) -> bool:
    """Look into a value; `known` has the lists and mappings that were seen, which aliases may repeat without end."""
    if isinstance(value, Mapping | list | tuple):
        if id(value) not in known:
            known[id(value)] = False
            known[id(value)] = _holds_secret(key, value, known)
        return known[id(value)]
    return _holds_secret(key, value, known)


def _holds_secret(key: str, value: Any, known: dict[int, bool]) -> bool:
    if isinstance(value, str) and _REFERENCE.fullmatch(value):
        return False
    if key in _SECRET_KEYS or key in _MAPPINGS:
        return True
    if isinstance(value, Mapping):
        return any(item is not None and _may_be_secret(str(name), item, known) for name, item in value.items())
    if isinstance(value, list | tuple):
        return any(_may_be_secret("", item, known) for item in value)
    return _secret_text(str(value))


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
