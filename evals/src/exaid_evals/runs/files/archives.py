"""Files of other tools that hold files or tables: Zip archives and SQLite databases, read in place.

Newer versions of inspect-ai pack with Zstandard (method 93), which Python's zipfile does not know before 3.14: where
the archive's table says so, the member's bytes are taken from the file and unpacked with the package `zstandard`, an
optional extra.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from exaid_evals.errors import DataError, MissingDependencyError
from exaid_evals.files import first_bytes, open_regular

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


MAX_BYTES = 64 * 1024 * 1024
MAX_MEMBERS = 1_000_000
_MOST_UNPACKED = 1 << 30
_MOST_PACKED_INTO_ONE = 300
"""Beyond the former, members unpack to so many bytes for each of the file at most: a log packs to about a tenth of its
size, and members that share their bytes to a millionth."""

_ZSTANDARD = 93
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, _ZSTANDARD)
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MAGIC = b"PK\x03\x04"


def member_names(path: Path) -> list[str]:
    """Return the names in an archive.

    Raises:
        DataError: it is not an archive, or has too many members.
    """
    with _opened_archive(path) as archive:
        return archive.namelist()


def read_member(path: Path, name: str) -> bytes:
    """Return a member's content.

    Raises:
        DataError: it is missing, damaged, encrypted, or larger than 64 MiB whatever the table says.
        MissingDependencyError: it is packed with Zstandard, and nothing that unpacks it is installed.
    """
    for _, data in read_members(path, lambda one: one == name):
        return data
    raise DataError("no such member", where=f"{path}: {name}", remedy="wait for its end, or leave it out")


def read_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the members that are wanted, in the order of the archive; raises as `read_member`."""
    with _opened_archive(path) as archive:
        # Of members of one name the last is meant, as the table says.
        members = {member.filename: member for member in archive.infolist() if wanted(member.filename)}
        left = max(_MOST_UNPACKED, _MOST_PACKED_INTO_ONE * path.stat().st_size)
        for name, member in members.items():
            where = f"{path}: {name}"
            if member.flag_bits & 0x1:
                raise DataError("is encrypted", where=where, remedy="write the log without a password")
            if member.compress_type not in _METHODS:
                raise DataError("is packed as no log is", where=where, remedy="write or copy it again")
            if member.file_size > MAX_BYTES:
                raise DataError(f"is larger than {MAX_BYTES >> 20} MiB", where=where, remedy="name the right file")
            try:
                data = _zstandard(path, member) if member.compress_type == _ZSTANDARD else _plain(archive, member)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
                raise DataError(f"is damaged ({error})", where=where, remedy="write or copy it again") from None
            if len(data) > MAX_BYTES:
                raise DataError(
                    f"unpacks to more than {MAX_BYTES >> 20} MiB", where=where, remedy="name the right file"
                )
            left -= len(data)
            if left < 0:
                raise DataError("unpacks to far more than it holds", where=str(path), remedy="name the right file")
            yield name, data


def _opened_archive(path: Path) -> zipfile.ZipFile:
    open_regular(path).close()  # a pipe would be waited for
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"is not an archive ({reason})", where=str(path), remedy="write or copy it again") from None
    if len(archive.filelist) > MAX_MEMBERS:
        archive.close()
        raise DataError(f"has more than {MAX_MEMBERS:,} members", where=str(path), remedy="name the right file")
    return archive


def _plain(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # One byte more than allowed shows a bomb, whose size in the table is a lie.
    with archive.open(member) as stream:
        return stream.read(MAX_BYTES + 1)


def _zstandard(path: Path, member: zipfile.ZipInfo) -> bytes:
    unpacker = _unpacker(path)
    with path.open("rb") as stream:
        stream.seek(member.header_offset)
        header = stream.read(_LOCAL.size)
        if len(header) < _LOCAL.size:
            raise ValueError("the member's header is not whole")
        magic, *_, name_length, extra_length = _LOCAL.unpack(header)
        if magic != _LOCAL_MAGIC:
            raise ValueError("the member's header is not where the table says")
        stream.seek(name_length + extra_length, 1)
        packed = stream.read(min(member.compress_size, MAX_BYTES))
    with unpacker.stream_reader(packed) as reader:
        try:
            data: bytes = reader.read(MAX_BYTES + 1)
        except Exception as error:  # zstandard's own error, of a package that is imported by name
            raise ValueError(str(error)) from None
    if len(data) <= MAX_BYTES and zlib.crc32(data) != member.CRC:
        raise ValueError("its checksum is wrong")
    return data


def _unpacker(path: Path) -> Any:
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise MissingDependencyError(
            "this log is packed with Zstandard, which needs the package zstandard",
            where=str(path),
            remedy="run `pip install 'exaid-evals[export-inspect]'`, or `inspect log convert --to json`",
        ) from None
    return zstandard.ZstdDecompressor()
