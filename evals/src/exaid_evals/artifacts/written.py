"""Reports that no stage makes again: what was written of them, so that a later change is noticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.ledger import Ledger

_STATE = ".state"
_VERBS = ("view", "calibrate", "analyze", "compare", "impact", "audit-images", "compare-logs")


def ledger_of(root: Path, verb: str) -> Path:
    """Return the file that says what a verb has written into a folder."""
    return root / _STATE / f"{verb}.jsonl"


def note_written(root: Path, verb: str, files: Iterable[Path]) -> None:
    """Keep the hashes of files below a folder as a verb has just written them."""
    names = {path.relative_to(root).as_posix(): path for path in files}
    with Ledger(ledger_of(root, verb)) as ledger:
        for name, path in names.items():
            ledger.record(name, "", path)


def written_in(root: Path) -> dict[Path, tuple[str, str]]:
    """Return file → the verb that wrote it, and the hash of what it wrote; of a folder and those just below it."""
    found: dict[Path, tuple[str, str]] = {}
    for folder in (root, *_reports_below(root)):
        for verb in _VERBS:
            if (path := ledger_of(folder, verb)).is_file():
                with Ledger(path, read_only=True) as ledger:
                    found |= {folder / name: (verb, ledger.output_hash(name) or "") for name in ledger.recorded()}
    return found


def changed_in(root: Path) -> list[tuple[Path, str]]:
    """Return the files that are no longer what was written, and by which verb; one that was removed is none."""
    return [
        (path, verb)
        for path, (verb, digest) in written_in(root).items()
        if path.is_file() and sha256_file(path) != digest
    ]


def _reports_below(root: Path) -> Iterator[Path]:
    """Yield the folders of analyses in a folder of reports."""
    yield from (path.parent.parent for path in sorted(root.glob(f"*/{_STATE}/analyze.jsonl")))
