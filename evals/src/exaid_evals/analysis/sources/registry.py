"""The sources, and the one that a place and a name mean. A source is added by adding a file and its line here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exaid_evals.analysis.history import History
from exaid_evals.analysis.sources import wandb_online
from exaid_evals.analysis.sources.base import Source
from exaid_evals.analysis.sources.campaign import CampaignSource
from exaid_evals.analysis.sources.csv_file import CsvSource
from exaid_evals.analysis.sources.jsonl_file import JsonlSource
from exaid_evals.analysis.sources.mlflow_store import MlflowSource
from exaid_evals.analysis.sources.parquet_file import ParquetSource
from exaid_evals.analysis.sources.tensorboard_log import TensorBoardSource
from exaid_evals.analysis.sources.wandb_run import WandbSource
from exaid_evals.errors import ConfigError, DataError

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        WandbSource(),
        MlflowSource(),
        TensorBoardSource(),
        CampaignSource(),
        CsvSource(),
        JsonlSource(),
        ParquetSource(),
    )
}
USUAL_PLACES = (".", "wandb", "mlruns", "runs", "logs", "lightning_logs")


def find_run(run_name: str, places: Sequence[Path], source: str | None = None) -> History:
    """Read the run of a name.

    A name that is a path is that file or folder. Else the places are asked in order, and the first that has a run of
    the name is read.

    Args:
        run_name: of the run; for `--source wandb` also `entity/project/run`, which W&B is asked for.
        places: files or folders to look in.
        source: only this one.

    Raises:
        ConfigError: there is no such source; two of them claim the run where it was found.
        DataError: there is no such run; the message names those there are.
    """
    if source is not None and source not in SOURCES:
        raise ConfigError(f"no source {source!r}", where="--source", remedy=f"known are {', '.join(SOURCES)}")
    asked = [SOURCES[source]] if source else list(SOURCES.values())
    own = Path(run_name)
    if own.exists():
        claiming = [one for one in asked if one.claims(own)]
        if claiming:
            return _only(claiming, own).read(own)
    seen: list[str] = []
    for place in places:
        claiming = [one for one in asked if one.claims(place)]
        having = [one for one in claiming if run_name in one.run_names(place)]
        if having:
            return _only(having, place).read(place, run_name)
        seen += [f"{name} ({one.name})" for one in claiming for name in one.run_names(place)]
    if source == "wandb" and wandb_online.is_online(run_name):
        return wandb_online.read_online(run_name)
    known = ", ".join(dict.fromkeys(seen[:12])) or "none"
    looked = ", ".join(map(str, places))
    raise DataError(
        f"no run is called {run_name!r} in {looked}; there are {known}",
        remedy="name one of them, or the folder to look in with --from",
    )


def _only(claiming: Sequence[Source], place: Path) -> Source:
    if len(claiming) > 1:
        names = ", ".join(one.name for one in claiming)
        raise ConfigError(f"several sources have the run ({names})", where=str(place), remedy="say which with --source")
    return claiming[0]
