"""The list of names that are never concepts."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import read_regular


def read_stop_entities(path: Path) -> frozenset[str]:
    """Read a stop list.

    Args:
        path: UTF-8 text, one entry a line; ``#`` begins a comment, empty lines say nothing.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        lines = read_regular(path, 16 << 20).decode("utf-8").splitlines()
    except (DataError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the stop list ({error})", where=str(path), remedy="give a UTF-8 text file, one entry a line"
        ) from error
    entries = (line.partition("#")[0].strip() for line in lines)
    return frozenset(entry for entry in entries if entry)
