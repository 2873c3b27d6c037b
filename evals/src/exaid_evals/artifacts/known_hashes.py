"""Content hashes of a folder's many files, kept from call to call, so that what has not changed is not read again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from exaid_evals.artifacts import cache
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.ledger import source_hash
from exaid_evals.artifacts.storage import stamp_of

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
            found = next((value for path in cache.folders() if (value := cache.read(path / self._name))), None)
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
        for folder in cache.folders():
            with contextlib.suppress(OSError):
                cache.write(folder / self._name, kept)
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
