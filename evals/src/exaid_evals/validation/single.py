"""Files of one record: what the checks of analyses share."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from exaid_evals.validation.base import FileCheck, Record


class SingleRecordCheck(FileCheck):
    """Checks a file that holds one record.

    Attributes:
        noun: what the record is, with its article.
    """

    noun: ClassVar[str]

    def record(self, line: int, record: Record) -> None:
        """Take the file's one record; a second one is a finding, and is checked all the same."""
        if line > 1:
            self.found(line, f"a second record: {self.noun} has one")
        self.only(line, record)

    @abstractmethod
    def only(self, line: int, record: Record) -> None:
        """Check the record."""


def number_of(value: float | str) -> float:
    """Return a number that a file holds; one that six decimals would falsify is text."""
    return float(value)
