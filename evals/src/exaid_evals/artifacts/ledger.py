"""The ledger of a stage: which output was made from which inputs, so that finished work is not done again.

Resumption and skipping need more than "the file exists": an output counts as current only when the hash of
everything it depends on, this package's source included, is the recorded one and its content is what was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exaid_evals.artifacts.atomic import Appended, write_unless_same
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.artifacts.redaction import printable
from exaid_evals.artifacts.storage import is_stored
from exaid_evals.errors import DataError
from exaid_evals.files import is_plain

_LOG = logging.getLogger(__name__)


class Ledger:
    """Entries `key → (inputs, output)` of one stage, kept in a JSON Lines file.

    Each finished output is appended at once, so a killed run loses nothing; leaving the `with` block rewrites
    the file sorted, so that its bytes do not tell in which order the work was done. A half-written last line,
    which a kill can leave, is ignored: that one output is made again.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Read nothing yet.

        Args:
            path: the file.
            read_only: for one who only asks, while another may be writing.
        """
        self._path = path
        self._read_only = read_only
        self._appended = Appended(path)
        self._entries: dict[str, tuple[str, str]] = {}

    def __enter__(self) -> Self:
        """Read what is recorded; a damaged file is mended, so that nothing is ever appended to half a line.

        An entry whose key is not a name of an output counts as damage: a key of others must not choose what is removed.
        """
        damaged = False
        for line in scan_jsonl(self._path) if self._path.exists() else ():
            entry = _entry(line.value) if line.value is not None else None
            if entry is None:
                damaged = True
            elif not is_plain(entry[0]):
                damaged = True
                _LOG.warning("%s:%d: %s names no output; left out", self._path, line.number, printable(entry[0][:80]))
            else:
                key, inputs, output = entry
                self._entries[key] = (inputs, output)
        if damaged:
            self._rewrite()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Rewrite the file sorted where it is not, also when the work was interrupted."""
        if self._entries or self._path.exists():
            self._rewrite()

    def is_current(self, key: str, inputs: str, output: Path, hash_of: Callable[[Path], str] = sha256_file) -> bool:
        """Return whether `output` was made from `inputs` and is still what was written, as `hash_of` has it."""
        recorded = self._entries.get(key)
        if recorded is None or recorded[0] != inputs or not is_stored(output):
            return False
        try:
            return recorded[1] == hash_of(output)
        except DataError:  # damaged: whoever asks is about to make it again
            return False

    def record(self, key: str, inputs: str, output: Path | str) -> None:
        """Note a finished output: its file, or the hash of that where it is known."""
        digest = output if isinstance(output, str) else sha256_file(output)
        entry = {"key": key, "inputs": inputs, "output": digest}
        self._entries[key] = (inputs, entry["output"])
        self._appended.append(canonical_bytes(entry) + b"\n")

    def recorded(self) -> list[str]:
        """Return the keys of all entries, sorted."""
        return sorted(self._entries)

    def keep_only(self, keys: Iterable[str], output_of: Callable[[str], Path | None] = lambda _: None) -> None:
        """Forget every entry but these, of outputs that no longer belong to the campaign, and remove those outputs.

        Args:
            keys: of what belongs to it.
            output_of: key → what to remove; None for nothing. It raises DataError for a key that names no output.
        """
        for key in sorted(self._entries.keys() - set(keys)):
            with contextlib.suppress(DataError):
                output = output_of(key)
                if output is not None:
                    output.unlink(missing_ok=True)
            del self._entries[key]

    def output_hash(self, key: str) -> str | None:
        """Return the hash of an output as it was written; None where nothing is recorded of it."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def _rewrite(self) -> None:
        if self._read_only:
            return
        entries = sorted(self._entries.items())
        records = ({"key": key, "inputs": made[0], "output": made[1]} for key, made in entries)
        content = b"".join(canonical_bytes(record) + b"\n" for record in records)
        write_unless_same(self._path, content)


def require_as_written(path: Path, digest: str, ledger: Path, key: str, remedy: str) -> None:
    """Make sure that an output is what its stage wrote, where the stage's ledger is here and knows of it.

    Raises:
        DataError: it was changed since.
    """
    with Ledger(ledger, read_only=True) as recorded:
        written = recorded.output_hash(key)
    if written not in (None, digest):
        raise DataError("is not what was written: it has been changed since", where=str(path), remedy=remedy)


def _entry(value: Mapping[str, Any]) -> tuple[str, str, str] | None:
    key, inputs, output = value.get("key"), value.get("inputs"), value.get("output")
    if isinstance(key, str) and isinstance(inputs, str) and isinstance(output, str):
        return key, inputs, output
    return None


def fingerprint(**inputs: Any) -> str:
    """Hash named inputs together with this package's source."""
    return sha256_structure({"source": source_hash(), **inputs})


@cache
def source_hash() -> str:
    """Hash the package's own modules: a changed line of code makes every earlier output stale."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return f"sha256:{digest.hexdigest()}"
