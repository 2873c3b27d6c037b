"""The ledger of a stage: which output was made from which inputs, so that finished work is not done again.

Resumption and skipping need more than "the file exists": an output counts as current only when the hash of
everything it depends on, this package's source included, is the recorded one and its content is what was written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.jsonl import scan_jsonl, write_jsonl


class Ledger:
    """Entries `key → (inputs, output)` of one stage, kept in a JSON Lines file.

    Each finished output is appended at once, so a killed run loses nothing; leaving the `with` block rewrites
    the file sorted, so that its bytes do not tell in which order the work was done. A half-written last line,
    which a kill can leave, is ignored: that one output is made again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, tuple[str, str]] = {}

    def __enter__(self) -> Self:
        """Read what is recorded."""
        if self._path.exists():
            for line in scan_jsonl(self._path):
                if line.value is not None and {"key", "inputs", "output"} <= line.value.keys():
                    self._entries[line.value["key"]] = (line.value["inputs"], line.value["output"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Rewrite the file sorted, also when the work was interrupted."""
        if self._entries:
            write_jsonl(
                self._path,
                [
                    {"key": key, "inputs": inputs, "output": output}
                    for key, (inputs, output) in sorted(self._entries.items())
                ],
            )

    def is_current(self, key: str, inputs: str, output: Path) -> bool:
        """Tell whether `output` was made from `inputs` and is still what was written."""
        recorded = self._entries.get(key)
        return bool(recorded and recorded[0] == inputs and output.is_file() and recorded[1] == sha256_file(output))

    def record(self, key: str, inputs: str, output: Path) -> None:
        """Note a finished output."""
        entry = {"key": key, "inputs": inputs, "output": sha256_file(output)}
        self._entries[key] = (inputs, entry["output"])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as stream:
            stream.write(canonical_bytes(entry) + b"\n")

    def recorded(self) -> list[str]:
        """Return the keys of all entries, sorted."""
        return sorted(self._entries)

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forget every entry but these, of outputs that no longer belong to the campaign."""
        wanted = set(keys)
        self._entries = {key: entry for key, entry in self._entries.items() if key in wanted}


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
