"""SQLite databases of other tools, opened read only.

Neither the file nor its folder is written, and nothing that it defines is run.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes

MAGIC = b"SQLite format 3\0"
_MOST_STEPS = 200_000_000  # of SQLite's machine: what a million runs need, and a view that never ends does not get


def is_database(path: Path, tables: Sequence[str]) -> bool:
    """Return whether a file is a database in which some tables are."""
    if first_bytes(path, len(MAGIC)) != MAGIC:
        return False
    try:
        with opened_database(path, tables, "the tool's", unmerged=True):
            return True
    except (OSError, DataError, sqlite3.Error):
        return False


@contextlib.contextmanager
def opened_database(
    path: Path, tables: Sequence[str], whose: str, *, unmerged: bool = False
) -> Iterator[sqlite3.Connection]:
    """Open a database such that its own code is not trusted.

    `immutable` makes no lock and no journal; a write-ahead log that was not merged would then be overlooked, and is
    refused. Views, triggers and virtual tables under the names of the tables are refused too.

    Args:
        path: the file.
        tables: that it must have.
        whose: for messages, such as `MLflow's`.
        unmerged: look at it even so, for what it is.

    Raises:
        DataError: it cannot be read, or is another tool's.
    """
    log = path.with_name(f"{path.name}-wal")
    if not unmerged and log.exists() and log.stat().st_size:
        raise DataError(
            "has changes that are not merged yet", where=str(log), remedy="stop what writes the database, or close it"
        )
    try:
        database = sqlite3.connect(f"file:{quote(os.path.realpath(path))}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error as error:
        raise DataError(f"cannot be opened ({error})", where=str(path), remedy="check its permissions") from None
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return int(steps > _MOST_STEPS // 10_000)

    try:
        database.execute("PRAGMA trusted_schema=OFF")
        database.execute("PRAGMA cell_size_check=ON")
        database.set_progress_handler(count, 10_000)
        missing = sorted(set(tables) - tables_of(database))
        if missing:
            remedy = f"is it {whose} database?"
            raise DataError(f"has no table {', '.join(missing)}", where=str(path), remedy=remedy)
        yield database
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"is not a database that can be read ({error})", where=str(path), remedy="write or copy it again"
        ) from None
    finally:
        database.close()


def tables_of(database: sqlite3.Connection) -> set[str]:
    """Return the names of a database's own tables."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
    return {str(name) for name, sql in database.execute(query) if str(sql).lstrip().upper().startswith("CREATE TABLE")}
