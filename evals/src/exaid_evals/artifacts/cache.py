"""A folder of what is kept between processes: compiled tables, and content hashes of files that have not changed.

Losing it costs seconds; nothing depends on it.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.ledger import source_hash
from exaid_evals.artifacts.storage import stamp_of
from exaid_evals.errors import DataError
from exaid_evals.files import read_regular

_MOST_BYTES = 1 << 30


def versions(*distributions: str) -> dict[str, str]:
    """Installed versions, for keys of caches."""
    return {name: metadata.version(name) for name in distributions}


def folders() -> list[Path]:
    """Where compiled tables may lie, best first.

    ``EXAID_CACHE_DIR`` if set; else ``$XDG_CACHE_HOME/exaid-evals``, else ``~/.cache/exaid-evals``; and last the
    system's folder for temporary files, for a home that is missing or read-only.
    """
    found = []
    if chosen := os.environ.get("EXAID_CACHE_DIR"):
        found.append(Path(chosen))
    elif base := os.environ.get("XDG_CACHE_HOME"):
        found.append(Path(base) / "exaid-evals")
    else:
        with contextlib.suppress(RuntimeError):  # no HOME and no such user
            found.append(Path.home() / ".cache" / "exaid-evals")
    # One folder per user: a folder shared by all would let one user choose another's tables.
    user = os.getuid() if hasattr(os, "getuid") else "user"
    found.append(Path(tempfile.gettempdir()) / f"exaid-evals-{user}")
    return found


def read(path: Path) -> Any | None:
    """What a file holds; None if it is absent, damaged or another user's."""
    collecting = gc.isenabled()
    try:
        if hasattr(os, "getuid") and path.stat().st_uid not in (os.getuid(), 0):
            return None
        checksum, _, body = read_regular(path, _MOST_BYTES).partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return None
        gc.disable()  # it would look through half a million new lists several times, and find nothing to free
        return orjson.loads(body)
    except (OSError, ValueError, DataError):
        return None
    finally:
        if collecting:
            gc.enable()


def write(path: Path, value: Any) -> None:
    """Store a value whole or not at all.

    Raises:
        OSError: the folder cannot be made or written.
    """
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # which counts for the last folder alone
    body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    # For the user alone, as names of files and what texts say are nobody else's business; never synced to the disk.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def get_or_make(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Read a value from the cache, or make it and store it in the first folder that takes it.

    Args:
        name: key, a file name without suffix; it must change with all that the value depends on.
        make: computes the value, which must survive JSON unchanged.
    """
    paths = [folder / f"{name}.json" for folder in folders()]
    for path in paths:
        value = read(path)
        if isinstance(value, dict):
            return value
    value = make()
    for path in paths:
        with contextlib.suppress(OSError):
            write(path, value)
            break
    return value


WORTH = 500
"""Files from which on it is worth it: fewer are read in no time."""

_SETTLED_S = 2
"""A file that has changed since is not kept: it may change again within the same tick of the file system's clock."""

_KEPT_S = 30 * 24 * 3600

Stamp = list[int]


class KnownHashes:
    """Hashes by name, size, times and inode of a file: whoever changes it changes the time of its inode too.

    They lie in the user's own folder of caches, not in the campaign, whose bytes do not tell when it was made.
    """

    def __init__(self, folder: Path, n_files: int) -> None:
        """Read what is known.

        Args:
            folder: whose files are to be asked about.
            n_files: how many; of less than `WORTH` nothing is kept.
        """
        self._folder = folder
        self._name = None
        self._known: dict[str, tuple[Stamp, str, dict[str, Any] | None]] = {}
        self._changed = False
        if n_files >= WORTH:
            # By other code of this package, what was read of a file may be something else.
            key = sha256_structure({"folder": str(folder.resolve()), "source": source_hash()})
            self._name = f"hashes-{key.removeprefix('sha256:')[:32]}.json"
            found = next((value for path in folders() if (value := read(path / self._name))), None)
            self._known = found if isinstance(found, dict) else {}

    def of(self, path: Path) -> str:
        """Return the hash of a file of the folder.

        Raises:
            DataError: it cannot be read or unpacked.
        """
        return self.read(path, lambda: (sha256_file(path), None))[0]

    def read(
        self, path: Path, read: Callable[[], tuple[str, dict[str, Any] | None]], *, facts: bool = False
    ) -> tuple[str, Mapping[str, Any] | None]:
        """Return the hash of a file and the facts that somebody reads in it.

        Args:
            path: the file.
            read: reads both, where they are not known.
            facts: whether the hash alone does not do.
        """
        if self._name is None:
            return read()
        stamp = stamp_of(path)
        known = self._known.get(path.name)
        if known is not None and known[0] == stamp and (known[2] is not None or not facts):
            return known[1], known[2]
        digest, found = read()
        if stamp is not None and stamp == stamp_of(path):
            self._known[path.name] = (stamp, digest, found)
            self._changed = True
        return digest, found

    def save(self) -> None:
        """Keep what is known, in the first folder of caches that takes it."""
        if self._name is None or not self._changed:
            return
        settled = (time.time() - _SETTLED_S) * 1e9
        kept = {name: one for name, one in self._known.items() if max(one[0][1:3]) < settled}
        for folder in folders():
            with contextlib.suppress(OSError):
                write(folder / self._name, kept)
                _forget_old(folder)
                return


def _forget_old(folder: Path) -> None:
    for path in folder.glob("hashes-*.json"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _KEPT_S:
                path.unlink()


@contextlib.contextmanager
def known_hashes(folder: Path, n_files: int) -> Iterator[KnownHashes]:
    """Yield the hashes of a folder's files, and keep what was found."""
    hashes = KnownHashes(folder, n_files)
    try:
        yield hashes
    finally:
        hashes.save()
