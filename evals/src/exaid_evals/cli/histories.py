"""What the verbs that read histories share: where runs are looked for, and the settings of an analysis."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.options import option
from exaid_evals.errors import ConfigError

if TYPE_CHECKING:
    from exaid_evals.analysis.settings import AnalysisConfig

_SOURCES = ("wandb", "mlflow", "tensorboard", "campaign", "csv", "jsonl", "parquet")

history_source_option = option(
    "--source",
    type=click.Choice(_SOURCES),
    default=None,
    envvar="EXAID_HISTORY_SOURCE",  # EXAID_SOURCE is that of cases
    help="Where a run was logged.  [default: found out for each]",
)
from_option = option(
    "--from",
    "place",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder to look for runs in.  [default: here, wandb, mlruns, runs, logs, lightning_logs, the campaign]",
)
better_option = option("--better", type=click.Choice(["higher", "lower"]), default=None, help="Which way it improves.")
analysis_config_option = option(
    "--analysis-config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="YAML with thresholds and directions; see docs/analysis.md.",
)


def places_of(place: Path | None) -> list[Path]:
    """Return the folders in which runs are looked for: the one that `--from` names, else the usual ones.

    Raises:
        ConfigError: the one that is named does not exist.
    """
    from exaid_evals.analysis.sources.registry import USUAL_PLACES
    from exaid_evals.cli.options import campaign_of

    if place is None:
        named = os.environ.get("EXAID_DATA_DIR")
        return [*map(Path, USUAL_PLACES), campaign_of(Path(named) if named else None).root]
    if not place.exists():
        raise ConfigError("no such file or folder", where=f"--from {place}", remedy="check the path")
    return [place]


def analysis_config_of(path: Path | None, primary: str | None, better: str | None) -> AnalysisConfig:
    """Return the settings of a file, with what the options say of the metric that counts.

    Raises:
        ConfigError: the file is wrong, or a direction is said of no metric.
    """
    from exaid_evals.analysis.settings import AnalysisConfig
    from exaid_evals.config.base import load_config
    from exaid_evals.config.override import Override

    if better is not None and primary is None:
        raise ConfigError("says nothing without a metric", where="--better", remedy="name it with --primary-metric")
    overrides = {} if primary is None else {"primary_metric": Override(primary, "--primary-metric")}
    config = load_config(AnalysisConfig, path, overrides).value
    if primary is not None and better is not None:
        config = config.model_copy(update={"directions": {**config.directions, primary: better}})
    return config
