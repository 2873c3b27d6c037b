"""Where runs lie below a folder that is none itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from exaid_evals.errors import DataError
from exaid_evals.files import files_in, folders_in, natural_order
from exaid_evals.runs.base import Format
from exaid_evals.runs.history_files import HistoryFile


def places_below(place: Path, known: Iterable[Format]) -> list[Path]:
    """Return the places below a folder that formats claim, each where it is met first, without links.

    Files count where a format knows them by what they hold, and not by their suffix alone. What an export wrote is
    passed over: its tables are no further runs.

    Raises:
        DataError: there are too many folders to look into.
    """
    found: list[Path] = []
    waiting = deque([place])
    n_folders = 0
    while waiting:
        holder = waiting.popleft()
        if not (holder / _EXPORT_SUMMARY).exists():
            found += [path for path in files_in(holder, _may_be_a_log) if _is_measured(path, known)]
        for folder in folders_in(holder):
            if not folder.name.startswith((".", "_")):
                n_folders += 1
                (found if _is_place(folder, known) else waiting).append(folder)
        if n_folders > _FOLDERS_AT_MOST:
            raise DataError(
                f"is no run, and more than {_FOLDERS_AT_MOST} folders lie below it",
                where=str(place),
                remedy="name the folders in which the runs lie, or a pattern",
            )
    return sorted(found, key=lambda path: (str(path.parent), natural_order(path.name)))


_FOLDERS_AT_MOST = 10_000
_EXPORT_SUMMARY, _EXPORT_TABLE = "exported_summary.json", "exported_metrics.csv"
"""By which an export's folder is known, and what it writes beside it, into the folder of a lone run."""
_NO_LOGS = (
    *(".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".dcm", ".wav", ".flac", ".mp3", ".mp4"),
    *(".npy", ".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".onnx", ".h5"),
)


def _is_place(folder: Path, known: Iterable[Format]) -> bool:
    """Return whether a format claims a folder; one that cannot be read may be a run, and whoever reads it says so."""
    try:
        return any(form.claims(folder) for form in known)
    except OSError:
        return True


def _may_be_a_log(name: str) -> bool:
    """Return whether a name is none of an export, an item or weights, of which many may lie beside runs."""
    return name != _EXPORT_TABLE and not name.lower().endswith(_NO_LOGS)


def _is_measured(path: Path, known: Iterable[Format]) -> bool:
    for form in known:
        try:
            if form.claims(path):
                return not form.printed and (form.measures(path) if isinstance(form, HistoryFile) else not form.generic)
        except DataError:
            return False
    return False
