"""What the sources of single files share: where a run of a name lies, and its configuration beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from exaid_evals.analysis.history import BatchRow
from exaid_evals.analysis.sources.rows import batch_of
from exaid_evals.errors import DataError
from exaid_evals.export.readers.document import read_document

HISTORY_NAMES = ("train_history", "history", "metrics", "log", "progress")
"""Stems of the files that hold a run's history in a folder of its own, the usual first."""
BATCHES = "batch_metrics.jsonl"
"""What `log_batch_metrics` writes, beside whatever else the run logs."""
_CONFIGS = ("config.json", "summary.json", "hparams.json", "args.json", "params.json")


def history_files(place: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Return run name → file of its history.

    A file is the run of its stem. In a folder, each file of a fitting suffix is a run, and so is each subfolder that
    holds a file of a usual name; where the folder itself holds one of these, it is the run of the folder's name.
    """
    if place.is_file():
        return {place.stem: place} if place.suffix.lower() in suffixes else {}
    if not place.is_dir():
        return {}
    own = _usual(place, suffixes)
    if own is not None:
        return {place.resolve().name: own}
    found = {
        path.stem: path
        for path in sorted(place.iterdir())
        if path.is_file() and path.suffix.lower() in suffixes and path.name != BATCHES
    }
    for folder in sorted(path for path in place.iterdir() if path.is_dir()):
        inside = _usual(folder, suffixes)
        if inside is not None:
            found[folder.name] = inside
    return found


class HistoryFiles:
    """Base of a source whose runs are files of their own.

    Attributes:
        suffixes: of such files, in lower case.
    """

    suffixes: tuple[str, ...]

    def claims(self, place: Path) -> bool:
        """Tell whether there is such a file."""
        return bool(history_files(place, self.suffixes))

    def run_names(self, place: Path) -> Sequence[str]:
        """Return the stems of files, or the names of folders with a history."""
        return sorted(history_files(place, self.suffixes))


Found = TypeVar("Found")


def pick(runs: Mapping[str, Found], place: Path, run_name: str | None) -> tuple[str, Found]:
    """Return the run that is meant.

    Raises:
        DataError: there is none of that name, or none is named and there are several.
    """
    if run_name is None and len(runs) == 1:
        return next(iter(runs.items()))
    if run_name is not None and run_name in runs:
        return run_name, runs[run_name]
    known = ", ".join(sorted(runs)[:12]) or "none"
    what = "several runs lie here" if run_name is None else f"no run is called {run_name!r}"
    raise DataError(what, where=str(place), remedy=f"name one with --run-name; there are {known}")


def config_beside(history: Path, warnings: list[str]) -> dict[str, Any]:
    """Return the configuration that lies beside a history in JSON; empty where there is none.

    One that is damaged is told of in `warnings` and left out: the history can be read without it.
    """
    for name in _CONFIGS:
        path = history.parent / name
        if path.is_file():
            try:
                found = read_document(path)
            except DataError as error:
                warnings.append(str(error))
                continue
            if isinstance(found, dict):
                return found
    return {}


def batches_beside(
    history: Path, objects: Callable[[Path, list[str]], Iterable[dict[str, Any]]], warnings: list[str]
) -> list[dict[str, Any]]:
    """Return the rows of the batch log that lies beside a history; none where the history is the log itself."""
    path = history.parent / BATCHES
    return list(objects(path, warnings)) if path.is_file() and path != history else []


def batch_rows(folder: Path, warnings: list[str]) -> tuple[BatchRow, ...]:
    """Return the batches that were logged into a folder; rows that are none are told of and left out."""
    from exaid_evals.analysis.sources.jsonl_file import objects

    path = folder / BATCHES
    if not path.is_file():
        return ()
    rows = list(objects(path, warnings))
    batches = [row for row in rows if isinstance(row.get("metrics"), Mapping) and "batch_idx" in row]
    if len(batches) < len(rows):
        warnings.append(f"{BATCHES}: {len(rows) - len(batches)} rows have no batch_idx and metrics; they are left out")
    return tuple(batch_of(row) for row in batches)


def _usual(folder: Path, suffixes: Sequence[str]) -> Path | None:
    candidates = (folder / f"{stem}{suffix}" for stem in HISTORY_NAMES for suffix in suffixes)
    return next((path for path in candidates if path.is_file()), None)
