"""Packages of the optional extras, imported where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from exaid_evals.errors import MissingDependencyError


def optional(module: str, package: str, purpose: str, install: str = "'exaid-evals[analysis]'") -> ModuleType:
    """Import a package that only some need.

    Args:
        module: to import.
        package: that brings it, for messages.
        purpose: what needs it, for messages.
        install: what pip is to install: the extra `analysis`, if not given.

    Raises:
        MissingDependencyError: it is not installed, or cannot load beside what is.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == module.split(".")[0]
        what = f"{purpose} needs {package}, which is not installed" if missing else f"{package} cannot load ({error})"
        raise MissingDependencyError(what, remedy=f"install it with `pip install {install}`") from None
