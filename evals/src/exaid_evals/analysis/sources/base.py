"""What a source is: it finds a run by name, and reads its history."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

from exaid_evals.analysis.history import History
from exaid_evals.errors import MissingDependencyError


class Source(Protocol):
    """Reads runs of one tracker or file format."""

    @property
    def name(self) -> str:
        """The source's name, as `--source` takes it."""

    def claims(self, place: Path) -> bool:
        """Tell by looking whether a file or folder is of this source; reads no more than that needs."""

    def run_names(self, place: Path) -> Sequence[str]:
        """Return the names of the runs that lie there, in order."""

    def read(self, place: Path, run_name: str | None = None) -> History:
        """Read a run; None where the place holds only one.

        Raises:
            DataError: there is no such run (the message names those there are), or it is damaged beyond reading.
        """


def optional(module: str, package: str, purpose: str) -> ModuleType:
    """Import a package of the extra `analysis`.

    Raises:
        MissingDependencyError: it is not installed, or cannot load beside what is.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == module.split(".")[0]
        what = f"{purpose} needs {package}, which is not installed" if missing else f"{package} cannot load ({error})"
        raise MissingDependencyError(what, remedy="install it with `pip install 'exaid-evals[analysis]'`") from None
