"""What a check of one kind of record is: it is fed a file's records in order and says what does not hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from exaid_evals.validation.surroundings import Surroundings

Record = Mapping[str, Any]


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes:
        line: counted from 1; 0 where the file as a whole is meant.
        what: what is wrong, as one clause.
        remedy: what to do about it.
    """

    line: int
    what: str
    remedy: str


class FileCheck(ABC):
    """Checks one file beyond its schema. An instance sees every record of one file, once, in order.

    Records that reach it are valid by their schema, of the file's one kind. What it holds must stay small: ids
    and numbers, never the records.

    Attributes:
        schema: name of the schema of its records.
        remedy: what to do about a finding, where nothing better is known.
    """

    schema: ClassVar[str]
    remedy: ClassVar[str] = "make the file again"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        """Begin a file.

        Args:
            path: the file, absolute.
            surroundings: what is known of other files.
            add: takes each finding.
        """
        self.path = path
        self.surroundings = surroundings
        self.incomplete = False
        self._add = add

    @abstractmethod
    def record(self, line: int, record: Record) -> None:
        """Take the next record."""

    def broken(self) -> None:
        """Note that a line is not a valid record, so that what is missing is not news."""
        self.incomplete = True

    def end(self, digest: str | None) -> None:  # noqa: B027 - most kinds have nothing to add
        """Note that the file is over.

        Args:
            digest: sha256 of the file's content; None where it was not taken.
        """

    def found(self, line: int, what: str, remedy: str | None = None) -> None:
        """Say what does not hold, with this kind's remedy where none is given."""
        self._add(Finding(line, what, remedy or self.remedy))

    @property
    def stem(self) -> str:
        """The file's name without what marks its format."""
        return self.path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
