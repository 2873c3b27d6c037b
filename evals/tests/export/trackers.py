"""Golden folders of experiment trackers, and reading them."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.export.base import ExportedRun, Reader
from exaid_evals.export.readers.inspect_ai import InspectReader
from exaid_evals.export.readers.lm_eval import LmEvalReader
from exaid_evals.export.readers.mlflow import MlflowReader
from exaid_evals.export.readers.wandb import WandbReader
from exaid_evals.export.run_names import run_names

GOLD = Path(__file__).parents[1] / "gold" / "export"
FORMATS: dict[str, tuple[type[Reader], str]] = {
    "wandb": (WandbReader, "wandb"),
    "mlflow": (MlflowReader, "mlflow/files"),
    "lm_eval": (LmEvalReader, "lm_eval"),
    "inspect_ai": (InspectReader, "inspect/deflated"),
}


def read(reader: Reader, folder: Path) -> dict[str, ExportedRun]:
    """Read every run of a folder, by what the export calls it."""
    assert reader.claims(folder)
    sources = reader.sources(folder)
    return {name: reader.read(source, name) for name, source in zip(run_names(sources), sources, strict=True)}
