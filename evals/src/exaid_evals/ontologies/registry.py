"""Vocabularies by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import ModuleType

from exaid_evals.errors import ConfigError
from exaid_evals.ontologies import drugs, hpo, mesh
from exaid_evals.ontologies.base import Vocabulary
from exaid_evals.ontologies.packaged import installed_version, package_folder

NAMES = ("hpo", "mesh", "drugs")
"""The vocabularies that are used by default, in order of precedence: the first one that knows a name gives its id."""
_MODULES: dict[str, ModuleType] = {"hpo": hpo, "mesh": mesh, "drugs": drugs, "inheritance": hpo, "course": hpo}
KNOWN = tuple(_MODULES)
"""Every vocabulary."""


def _module(name: str) -> ModuleType:
    try:
        return _MODULES[name]
    except KeyError:
        known = ", ".join(KNOWN)
        raise ConfigError(
            f"unknown vocabulary {name!r}", where="extractor.settings.vocabularies", remedy=f"known are {known}"
        ) from None


def load_vocabulary(name: str) -> Vocabulary:
    """Read one vocabulary.

    Args:
        name: one of KNOWN.

    Raises:
        ConfigError: no such vocabulary.
        MissingDependencyError: its package is absent or another release.
    """
    load: Callable[..., Vocabulary] = _module(name).load
    return load() if name in NAMES else load(name)


def fingerprint(name: str) -> str:
    """Hash of the installed file that a vocabulary is read from: cheap, and says when a cache is stale.

    It is for caches; what reaches a signature is the hash of the content.

    Raises:
        ConfigError: no such vocabulary.
        MissingDependencyError: its package is absent.
    """
    module = _module(name)
    requirement: str = module.REQUIREMENT
    path = package_folder(module.MODULE, requirement) / module.FILENAME
    digest = hashlib.sha256(installed_version(requirement.partition("==")[0]).encode())
    if path.is_file():
        digest.update(path.read_bytes())
    return digest.hexdigest()
