"""What was measured already, so that an interrupted audit goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exaid_evals.analysis.images.files import ImageFacts, ImageFile
from exaid_evals.artifacts.atomic import Appended, write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.artifacts.ledger import source_hash

_FLUSH_EVERY = 64


class Journal:
    """Measures of images, appended to a file while they are made.

    An entry counts while size, time of change and this package's source are those it was made with: a file whose
    content is replaced by one of the same size and time is not measured again. It holds times, so it is not a result:
    its name starts with a dot.
    """

    def __init__(self, path: Path, limits: Mapping[str, int], *, resume: bool) -> None:
        self._path, self._resume = path, resume
        self._version = {"source": source_hash(), **limits}
        self._known: dict[str, dict[str, Any]] = {}
        self._held: list[bytes] = []

    def __enter__(self) -> Self:
        """Read what is recorded, and write it again without half a last line."""
        if self._resume and self._path.is_file():
            for line in scan_jsonl(self._path):
                entry = line.value
                if entry is not None and entry.get("version") == self._version and isinstance(entry.get("key"), str):
                    self._known[entry["key"]] = entry
        # Whoever is killed while the entries are written again still has the old ones.
        write_bytes(self._path, b"".join(canonical_bytes(entry) + b"\n" for entry in self._known.values()))
        self._file = Appended(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left."""
        self._file.append(b"".join(self._held))

    def known(self, file: ImageFile) -> ImageFacts | None:
        """Return what was measured of a file that has not changed since."""
        entry = self._known.get(file.name)
        if entry is None or entry.get("stamp") != _stamp(file):
            return None
        try:
            return ImageFacts.of_record(entry["facts"])
        except (TypeError, KeyError):
            return None

    def record(self, file: ImageFile, facts: ImageFacts) -> None:
        """Note what was measured."""
        entry = {"version": self._version, "key": file.name, "stamp": _stamp(file), "facts": facts.as_record()}
        self._held.append(canonical_bytes(entry) + b"\n")
        if len(self._held) >= _FLUSH_EVERY:
            self._file.append(b"".join(self._held))
            self._held.clear()


def _stamp(file: ImageFile) -> list[int] | None:
    try:
        status = file.path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
