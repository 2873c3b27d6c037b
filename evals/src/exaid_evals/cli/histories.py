"""What the verbs that read histories share: their options, which runs are meant, and how they end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exaid_evals.cli.display import SOME_FAILED, warn
from exaid_evals.config.request import Request, argument, campaign_of, flag, option
from exaid_evals.errors import ConfigError
from exaid_evals.runs.registry import SOURCES

if TYPE_CHECKING:
    from exaid_evals.analysis.compare.collect import Collected
    from exaid_evals.analysis.settings import AnalysisConfig
    from exaid_evals.runs.metric_names import Direction


class HistoryRequest(Request):
    """What is asked of the histories of runs."""

    source: str | None = option(
        f"Format of the runs: {', '.join(SOURCES)}, or module:attribute.  [default: found out for each]",
        metavar="FORMAT",
        variables=("EXAID_HISTORY_SOURCE",),  # EXAID_SOURCE is that of cases
    )
    place: Path | None = option(
        "Folder to look for runs in.  [default: here, wandb, mlruns, runs, logs, lightning_logs, the campaign]",
        "--from",
    )
    primary_metric: str | None = option("The metric that counts.  [default: a validation metric]", metavar="NAME")
    better: tuple[str, ...] = option(
        "Which way a metric improves: NAME=higher, NAME=lower; without NAME the one that counts. May be given again.",
        default=(),
        metavar="NAME=WAY",
    )
    analysis_config: Path | None = option(
        "YAML with thresholds and directions; see docs/analysis.md.", path={"dir_okay": False}
    )
    output_dir: Path = option("Folder to write.", default=Path("reports"), path={"file_okay": False})


class RunsOfHistoryRequest(HistoryRequest):
    """What is asked of several runs."""

    paths: tuple[str, ...] = argument("[RUN]...")
    runs: str | None = option("Names, files, folders or quoted patterns of runs, in place of RUN.", metavar="A,B,…")
    pool_code_versions: bool = flag(
        "Take runs of different versions of the code (git_hash, commit, …) for one configuration."
    )

    def __post_init__(self) -> None:
        """Refuse no runs, and runs that are named in both ways."""
        super().__post_init__()
        require_one_way(self, "paths", "runs")

    @property
    def listed(self) -> str | Sequence[str]:
        """The runs, however they were named: text with commas between them, or one by one."""
        return self.paths if len(self.paths) > 1 else self.paths[0] if self.paths else self.runs or ()


def require_one_way(request: Request, argument_field: str, option_field: str) -> None:
    """Look whether runs are named, and in one way; a variable of the environment gives way to the argument.

    Raises:
        ConfigError: they are not named, or in both ways.
    """
    flag_name = f"--{option_field.replace('_', '-')}"
    given, optional = getattr(request, argument_field), getattr(request, option_field)
    if not given and optional is None:
        raise ConfigError("no run is named", where=f"RUN, {flag_name}", remedy="give its file, its folder or its name")
    if given and optional is not None and not request.source_of(option_field).startswith("EXAID_"):
        raise ConfigError("runs are named in two ways", where=f"RUN, {flag_name}", remedy="name them in one way")


def require_writable(folder: Path) -> None:
    """Look whether a folder can be made and written, before any work.

    Raises:
        ConfigError: a file stands in its way, or nothing may be written there.
    """
    existing = folder.absolute()
    while not os.path.lexists(existing):
        existing = existing.parent
    if not existing.is_dir():
        remedy = "move it away, or name another folder"
        raise ConfigError(f"{existing} is not a folder", where=f"--output-dir {folder}", remedy=remedy)
    if not os.access(existing, os.W_OK | os.X_OK):
        remedy = "check its permissions, or name another folder"
        raise ConfigError(f"{existing} cannot be written", where=f"--output-dir {folder}", remedy=remedy)


def places_of(place: Path | None) -> list[Path]:
    """Return the folders in which runs are looked for: the one that `--from` names, else the usual ones.

    Raises:
        ConfigError: the one that is named does not exist.
    """
    from exaid_evals.runs.registry import USUAL_PLACES

    if place is None:
        named = os.environ.get("EXAID_DATA_DIR")
        return [*map(Path, USUAL_PLACES), campaign_of(Path(named) if named else None).root]
    if not place.exists():
        raise ConfigError("no such file or folder", where=f"--from {place}", remedy="check the path")
    return [place]


def analysis_config_of(request: HistoryRequest) -> AnalysisConfig:
    """Return the settings of a file, with what the options say of metrics.

    Raises:
        ConfigError: the file is wrong, or a direction is said of no metric, or is none.
    """
    primary = request.primary_metric
    from exaid_evals.analysis.settings import AnalysisConfig
    from exaid_evals.config.base import load_config
    from exaid_evals.config.request import Override

    overrides = {} if primary is None else {"primary_metric": Override(primary, "--primary-metric")}
    config = load_config(AnalysisConfig, request.analysis_config, overrides).value
    said = directions_said(request.better, config.primary_metric)
    return config.model_copy(update={"directions": {**config.directions, **said}}) if said else config


def directions_said(better: Sequence[str], primary: str | None) -> dict[str, Direction]:
    """Return metric → direction, as `--better` says.

    >>> directions_said(["quality=higher", "a=b=lower", "lower"], "cost")
    {'quality': 'higher', 'a=b': 'lower', 'cost': 'lower'}

    Raises:
        ConfigError: a direction is neither higher nor lower, or is said of no metric, or twice.
    """
    found: dict[str, Direction] = {}
    for text in better:
        name, has_name, way = text.rpartition("=")
        metric = name.strip() if has_name else primary
        way = way.strip()
        if way not in ("higher", "lower"):
            remedy = "write NAME=higher or NAME=lower"
            raise ConfigError(f"{text!r} says no direction", where="--better", remedy=remedy)
        if metric is None or (has_name and not metric):
            remedy = f"write NAME={way}, or name the metric with --primary-metric"
            raise ConfigError("says nothing without a metric", where="--better", remedy=remedy)
        if found.setdefault(metric, "higher" if way == "higher" else "lower") != way:
            raise ConfigError(f"says two things of {metric!r}", where="--better", remedy="say one")
    return found


def require_known(better: Sequence[str], known: Iterable[str]) -> None:
    """Look whether runs have the metrics of which a direction is said.

    Raises:
        ConfigError: none has one of them.
    """
    metrics = set(known)
    missing = [name for name in directions_said(better, "") if name and name not in metrics]
    if missing:
        remedy = f"there are {', '.join(sorted(metrics)[:12])}"
        raise ConfigError(f"no metric {', '.join(map(repr, missing))}", where="--better", remedy=remedy)


def read_runs(request: RunsOfHistoryRequest) -> Collected:
    """Read the runs of a list, and name those that are left out on standard error.

    Raises:
        ConfigError: wrong usage.
        DataError: a run is not there, or none can be read.
    """
    from exaid_evals.analysis.compare.collect import collect

    found = collect(request.listed, places_of(request.place), request.source)
    require_known(request.better, (name for run in found.runs for name in run.history.series))
    warn(f"left out: {line}" for line in found.unreadable)
    return found


def show_notes(notes: Sequence[str], found: Collected) -> None:
    """Print what limits an analysis on standard error, but for the runs that `read_runs` has named already."""
    left_out = tuple(found.unreadable)
    warn((line for line in notes if not line.endswith(left_out)) if left_out else notes, "note")


def exit_status_of(found: Collected) -> int:
    """Return the exit status after the work: 3 where some runs could not be read."""
    return SOME_FAILED if found.unreadable else 0
