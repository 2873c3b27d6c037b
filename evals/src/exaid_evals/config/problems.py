"""Everything that is wrong, at once: checks go on after the first that fails, and are reported together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from exaid_evals.errors import ConfigError, DataError, ExaidError

Found = TypeVar("Found")


class Problems:
    """Collects problems of configuration and data while checks go on."""

    def __init__(self) -> None:
        self._found: list[ExaidError] = []

    def checked(self, check: Callable[[], Found]) -> Found | None:
        """Return what a check finds; None where it finds a problem, which is kept."""
        try:
            return check()
        except (ConfigError, DataError) as error:
            self.add(error)
            return None

    def add(self, *errors: ExaidError) -> None:
        """Keep problems; one that joins several counts as these, and one that is known already adds nothing."""
        known = {str(problem) for problem in self._found}
        self._found += [part for error in errors for part in error.parts if str(part) not in known]

    @property
    def found(self) -> tuple[ExaidError, ...]:
        """The problems, in the order in which they were found."""
        return tuple(self._found)

    def require_none(self) -> None:
        """Make sure that there is none.

        Raises:
            ConfigError: at least one is of the configuration.
            DataError: all are of the data.
        """
        error = joined(self._found)
        if error is not None:
            raise error


def joined(problems: Iterable[ExaidError]) -> ExaidError | None:
    """Return one error that tells of all problems: of the configuration if any of them is, else of the data."""
    found = list(problems)
    if len(found) <= 1:
        return found[0] if found else None
    of_configuration = [problem for problem in found if isinstance(problem, ConfigError)]
    if len(of_configuration) == len(found):
        return ConfigError.of(of_configuration)
    return (ConfigError if of_configuration else DataError).joining(found, "problems")
