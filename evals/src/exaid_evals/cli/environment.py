"""The EXAID_ variables that somebody reads, and a warning about those that nobody does."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

import click

PREFIX = "EXAID_"
# Read by no option of a verb: by the concept cache, the tracebacks of single cases, tests, containers and scripts.
_OTHERS = frozenset({"EXAID_CACHE_DIR", "EXAID_CONTAINER_LAB", "EXAID_DEBUG", "EXAID_IMAGE"})
_OF_TESTS = "EXAID_REQUIRE_"


def variables_of(command: click.Command) -> set[str]:
    """Return the variables that the options of a verb read."""
    found: set[str] = set()
    for parameter in command.params:
        if isinstance(parameter.envvar, str):
            found.add(parameter.envvar)
        else:
            found.update(parameter.envvar or ())
    return found


def unread(set_ones: Iterable[str], known: Iterable[str]) -> list[str]:
    """Say of each EXAID_ variable that nobody reads that it is so, and which one may have been meant.

    >>> unread(["EXAID_JOB", "HOME", "EXAID_CACHE_DIR"], ["EXAID_JOBS"])
    ['EXAID_JOB is not read; did you mean EXAID_JOBS?']
    """
    names = sorted({*known, *_OTHERS})
    told = []
    for name in sorted(set_ones):
        if not name.startswith(PREFIX) or name in names or name.startswith(_OF_TESTS):
            continue
        near = difflib.get_close_matches(name, names, n=1)
        told.append(f"{name} is not read" + (f"; did you mean {near[0]}?" if near else " by any command"))
    return told


def warn_of_unread(commands: Iterable[click.Command]) -> None:
    """Warn on stderr of every EXAID_ variable that no verb reads."""
    known = set().union(*(variables_of(command) for command in commands))
    for line in unread(os.environ, known):
        click.echo(f"warning: {line}", err=True)
