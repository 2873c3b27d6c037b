"""Where the files of traces and runs lie: each by itself, or many in a shard (`layout` of the manifest).

A shard is a `.jsonl.gz` of whole cases: their gzip members as they were, one behind the other. Beside the shards of a
folder lies an index, a line a case: in which shard, from which byte on, how long. Every reader asks here; a file that
lies by itself goes before one of the same name in a shard.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from exaid_evals.artifacts.atomic import atomic_file
from exaid_evals.errors import DataError
from exaid_evals.files import is_plain, open_regular

INDEX = "shards.index"
_SHARD = re.compile(r"shard-[0-9a-f]{16}\.jsonl\.gz")
_REMEDY = "restore the folder, or make it again"
PER_SHARD = 1000
_LONGEST_LINE = 1000


class Place(NamedTuple):
    """Where a packed file lies: bytes of a shard."""

    shard: str
    start: int
    length: int


@dataclass(slots=True)
class _Index:
    stamp: tuple[int, int, int]
    places: dict[str, Place]


_indices: dict[Path, _Index] = {}


def open_stored(path: Path) -> BinaryIO:
    """Open a file for reading, wherever it lies; packed as it is.

    Raises:
        DataError: it is missing, no ordinary file, or its shard is damaged.
    """
    place = None if os.path.lexists(path) else packed(path.parent).get(path.name)
    if place is None:
        return open_regular(path)
    shard = path.parent / place.shard
    with open_regular(shard, remedy=_REMEDY) as stream:
        # Asked first: reading that much would take that much memory, however small the shard is.
        if place.start + place.length > os.fstat(stream.fileno()).st_size:
            raise DataError(f"ends before {path.name}, which the index has in it", where=str(shard), remedy=_REMEDY)
        stream.seek(place.start)
        return io.BytesIO(stream.read(place.length))


def is_stored(path: Path) -> bool:
    """Return whether there is a file, by itself or in a shard."""
    return path.is_file() or path.name in packed(path.parent)


def stamp_of(path: Path) -> list[int] | None:
    """Return what changes with a file's content: size, times and inode, of its shard where it lies in one; or None."""
    place = None
    try:
        try:
            found = path.stat()
        except OSError:
            place = None if os.path.lexists(path) else packed(path.parent).get(path.name)
            if place is None:
                return None
            found = (path.parent / place.shard).stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, *(place[1:] if place else ())]


def is_shard(name: str) -> bool:
    """Return whether a file is a shard by its name."""
    return _SHARD.fullmatch(name) is not None


def stored_names(folder: Path, pattern: str = "*") -> list[str]:
    """Return the names of a folder's files, by themselves or in shards, sorted; hidden and temporary ones left out."""
    try:
        names = {path.name for path in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return []
    # A shard that no index names is what a killed `pack` leaves beside the files.
    names = {name for name in names if name != INDEX and not is_shard(name)} | packed(folder).keys()
    return sorted(
        name
        for name in names
        if fnmatchcase(name, pattern) and not name.startswith(".") and not name.endswith((".tmp", "~"))
    )


def packed(folder: Path) -> dict[str, Place]:
    """Return the files that lie in a folder's shards, by name.

    Raises:
        DataError: the index is damaged.
    """
    path = folder / INDEX
    try:
        found = path.stat()
    except OSError:
        return {}
    stamp = (found.st_size, found.st_mtime_ns, found.st_ino)
    known = _indices.get(folder)
    if known is None or known.stamp != stamp:
        known = _indices[folder] = _Index(stamp, dict(_read_index(path)))
    return known.places


def _read_index(path: Path) -> Iterator[tuple[str, Place]]:
    with open_regular(path) as stream:
        for number, line in enumerate(iter(lambda: stream.readline(_LONGEST_LINE), b""), start=1):
            found = _read_line(line)
            if found is None:
                raise DataError("is not a line of an index", where=f"{path}:{number}", remedy=_REMEDY)
            yield found


def _read_line(line: bytes) -> tuple[str, Place] | None:
    try:
        name, shard, start, length = orjson.loads(line)
    except (ValueError, TypeError):
        return None
    if not (isinstance(name, str) and isinstance(shard, str) and type(start) is int and type(length) is int):
        return None
    if not is_plain(name) or "/" in name or not _SHARD.fullmatch(shard) or min(start, length) < 0:
        return None
    return sys.intern(name), Place(sys.intern(shard), start, length)  # a text that others hold too


def pack(
    folder: Path, pattern: str, per_shard: int = PER_SHARD, on_file: Callable[[str], None] = lambda _: None
) -> int:
    """Put the files of a folder into shards; what is there under other names is left alone.

    Killed at any moment, nothing is lost: the files go when the index that names all of them is there.

    Returns:
        How many files lie in shards now; 0 where nothing was to do.
    """
    names = stored_names(folder, pattern)
    if not any((folder / name).exists() for name in names):
        return 0
    places: dict[str, Place] = {}
    for first in range(0, len(names), per_shard):
        some = names[first : first + per_shard]
        contents = []
        for name in some:
            with open_stored(folder / name) as stream:
                contents.append(stream.read())
            on_file(name)
        data = b"".join(contents)
        shard = f"shard-{hashlib.sha256(data).hexdigest()[:16]}.jsonl.gz"
        with atomic_file(folder / shard) as out:
            out.write(data)
        at = 0
        for name, content in zip(some, contents, strict=True):
            places[name] = Place(shard, at, len(content))
            at += len(content)
    with atomic_file(folder / INDEX) as out:
        out.writelines(orjson.dumps([name, *place]) + b"\n" for name, place in places.items())
    for name in names:
        (folder / name).unlink(missing_ok=True)
    _remove_shards(folder, {place.shard for place in places.values()})
    return len(names)


def unpack(folder: Path, on_file: Callable[[str], None] = lambda _: None) -> int:
    """Take the files of a folder out of its shards, as they were; return how many."""
    places = packed(folder)
    for name in places:
        if not (folder / name).exists():
            with open_stored(folder / name) as stream, atomic_file(folder / name) as out:
                out.write(stream.read())
        on_file(name)
    (folder / INDEX).unlink(missing_ok=True)
    _remove_shards(folder, set())
    return len(places)


def _remove_shards(folder: Path, kept: set[str]) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if is_shard(path.name) and path.name not in kept:
            path.unlink()
