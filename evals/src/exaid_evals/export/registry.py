"""Readers by name. To add one, write a file in readers/ and name it here, or use an entry point."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from exaid_evals.config.plugins import build_part, find_part
from exaid_evals.errors import DataError
from exaid_evals.export.base import Reader, Settings

_ROOM = "exaid_evals.export.readers"

# In the order in which they are asked: who claims by a narrow sign comes before who claims by a broad one.
BUILT_IN = {
    "mapping": f"{_ROOM}.mapping:MappingReader",  # claims nothing unless a user gives a mapping
    "campaign": f"{_ROOM}.campaign:CampaignReader",
    "training_run": f"{_ROOM}.training_run:TrainingRunReader",
    "folds": f"{_ROOM}.folds:FoldsReader",
    "trials": f"{_ROOM}.trials:TrialsReader",
    "wandb": f"{_ROOM}.wandb:WandbReader",
    "mlflow": f"{_ROOM}.mlflow:MlflowReader",
    "inspect_ai": f"{_ROOM}.inspect_ai:InspectReader",
    "lm_eval": f"{_ROOM}.lm_eval:LmEvalReader",
    "model_reports": f"{_ROOM}.model_reports:ModelReportsReader",
}
GROUP = "exaid_evals.readers"


def readers(settings: Settings | None = None) -> list[Reader]:
    """Return every reader, built in ones first, then others by name."""
    others = sorted(point.name for point in entry_points(group=GROUP))
    return [_build(name, settings or Settings()) for name in [*BUILT_IN, *others]]


def _build(name: str, settings: Settings) -> Reader:
    target = find_part("reader", name, BUILT_IN, group=GROUP)
    reader: Reader = build_part("reader", name, lambda: target(settings))
    return reader


def reader_of(folder: Path, known: Sequence[Reader] | None = None) -> Reader:
    """Return the reader that claims a folder.

    Args:
        folder: what a user named.
        known: the readers to ask; None asks all, with default settings.

    Raises:
        DataError: none does, or the folder does not exist or cannot be listed.
    """
    if not folder.exists():
        raise DataError("no such folder", where=str(folder), remedy="name the folder of a finished run")
    known = readers() if known is None else known
    for reader in known:
        if reader.claims(folder):
            return reader
    if folder.is_dir():
        try:
            next(folder.iterdir(), None)
        except OSError as error:
            raise DataError(
                f"cannot be read ({error.strerror})", where=str(folder), remedy="check the folder's permissions"
            ) from None
    formats = ", ".join(reader.name for reader in known)
    raise DataError(
        "no finished run of a known format lies here", where=str(folder), remedy=f"known formats are {formats}"
    )
