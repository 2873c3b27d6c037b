"""Readers by name. To add one, write a file in readers/ and name it here, or use an entry point."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from exaid_evals.config.plugins import find_part
from exaid_evals.errors import DataError
from exaid_evals.export.base import Reader

BUILT_IN = {"campaign": "exaid_evals.export.readers.campaign:CampaignReader"}
GROUP = "exaid_evals.readers"


def readers() -> list[Reader]:
    """Return every reader, built in ones first, then others by name."""
    others = sorted(point.name for point in entry_points(group=GROUP))
    return [find_part("reader", name, BUILT_IN, group=GROUP)() for name in [*BUILT_IN, *others]]


def reader_of(folder: Path) -> Reader:
    """Return the reader that claims a folder.

    Raises:
        DataError: none does, or the folder does not exist.
    """
    if not folder.is_dir():
        raise DataError("no such folder", where=str(folder), remedy="name the folder of a finished run")
    known = readers()
    for reader in known:
        if reader.claims(folder):
            return reader
    formats = ", ".join(reader.name for reader in known)
    raise DataError(
        "no finished run of a known format lies here", where=str(folder), remedy=f"known formats are {formats}"
    )
