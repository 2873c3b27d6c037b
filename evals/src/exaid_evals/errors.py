"""The one exception tree. A message says what is wrong, where, and what to do about it.

Only the command line turns an error into an exit status; everything below it raises.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from typing import Self


class ExaidError(Exception):
    """Base of every error that a user can act on; shown without a traceback.

    Attributes:
        exit_status: what the command line exits with when this error reaches it.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        """Compose the message ``where: what; remedy``; below a list of problems the remedy has a line of its own.

        Args:
            what: what is wrong, as one clause.
            where: the file, ``file:line``, configuration key or record concerned.
            remedy: what the user can do now.
        """
        self.what = what
        self.where = where
        self.remedy = remedy
        self._parts: tuple[ExaidError, ...] = ()
        message = f"{where}: {what}" if where else what
        before_remedy = "\n" if "\n" in what else "; "
        super().__init__(f"{message}{before_remedy}{remedy}" if remedy else message)

    @property
    def parts(self) -> tuple[ExaidError, ...]:
        """The single problems of an error that joins several; else the error itself."""
        return self._parts or (self,)

    @classmethod
    def joining(cls, problems: Sequence[ExaidError], what: str) -> Self:
        """Join several problems into one error of this class: a line that says what they are, and a line for each."""
        parts = tuple(part for problem in problems for part in problem.parts)
        lines = "\n".join(f"  - {part}" for part in parts)
        error = cls(f"{len(parts)} {what}:\n{lines}")
        error._parts = parts
        return error


class ConfigError(ExaidError):
    """Wrong usage or configuration, found before any work."""

    exit_status = 2

    @classmethod
    def of(cls, problems: Sequence[ConfigError]) -> ConfigError:
        """Join several problems into one error, so that a user meets all of them at once."""
        return problems[0] if len(problems) == 1 else cls.joining(problems, "problems in the configuration")


class MissingDependencyError(ConfigError):
    """An optional part is not installed, or cannot load; the remedy says how to install it."""


class DataError(ExaidError):
    """The data failed a check: malformed, tampered with, missing, or not what was frozen."""


class UnknownFormatError(DataError):
    """Nothing of a known format lies in a place."""


class SchemaVersionError(DataError):
    """A record names a schema, or a version of one, that this release does not read."""


class FrozenError(DataError):
    """Frozen traces differ from their manifest, or would be overwritten."""


class CaseFailedError(ExaidError):
    """One case could not be processed; the others go on."""

    exit_status = 3


class LLMError(ExaidError):
    """A language-model call failed for good, after whatever retries its client makes."""

    exit_status = 3


DEBUG_VARIABLE = "EXAID_DEBUG"


def show_if_debugging(error: BaseException) -> None:
    """Print the traceback of an error that will only be reported, where `--debug` asks for it.

    The environment carries the wish, since it reaches worker processes too.
    """
    if os.environ.get(DEBUG_VARIABLE, "") not in ("", "0"):
        traceback.print_exception(error)
