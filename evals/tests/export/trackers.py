"""Golden folders of experiment trackers, and reading them."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.runs.base import Format, Run
from exaid_evals.runs.formats.evaluations import InspectFormat, LmEvalFormat
from exaid_evals.runs.formats.trackers import MlflowFormat
from exaid_evals.runs.formats.wandb import WandbFormat
from exaid_evals.runs.run_names import run_names

GOLD = Path(__file__).parents[1] / "gold" / "export"
FORMATS: dict[str, tuple[type[Format], str]] = {
    "wandb": (WandbFormat, "wandb"),
    "mlflow": (MlflowFormat, "mlflow/files"),
    "lm_eval": (LmEvalFormat, "lm_eval"),
    "inspect_ai": (InspectFormat, "inspect/deflated"),
}


def read(reader: Format, folder: Path) -> dict[str, Run]:
    """Read every run of a folder, by what the export calls it."""
    assert reader.claims(folder)
    sources = reader.sources(folder)
    return {name: reader.read(source, name) for name, source in zip(run_names(sources), sources, strict=True)}
