"""The installed packages that results may depend on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata

DISTRIBUTION = "exaid-evals"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def required_packages(extra: str = "") -> list[str]:
    """Return the names of the distributions that this package requires directly, sorted.

    Args:
        extra: those of an extra instead, such as `live`.
    """
    found = set()
    for requirement in metadata.requires(DISTRIBUTION) or ():
        name = _NAME.match(requirement)
        marker = requirement.partition(";")[2]
        of_extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if name and (of_extra[1] if of_extra else "") == extra:
            found.add(name[0].lower())
    return sorted(found)


def installed_versions(names: list[str] | None = None) -> dict[str, str]:
    """Return distribution → installed version, of those that are installed; by default of all direct requirements."""
    versions = {}
    for name in required_packages() if names is None else names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def versions_that_differ(expected: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (distribution, expected version, installed version) of each that differs; empty where it is absent."""
    installed = installed_versions(list(expected))
    return [
        (name, version, installed.get(name, "")) for name, version in expected.items() if installed.get(name) != version
    ]
