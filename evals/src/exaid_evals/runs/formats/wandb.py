"""W&B: an offline run's folder, `offline-run-*/`, or a folder `wandb/` of them; neither network nor wandb is needed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import files_in, folders_in
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.summary import seed_in, settings_of
from exaid_evals.runs.files.values import mapping_of, numbers_of, plain, undefined_warning
from exaid_evals.runs.files.wandb_log import (
    STEP,
    WandbLog,
    each_row,
    flattened,
    logged,
    read_log,
    settings_in,
    system_series,
)
from exaid_evals.runs.history import History
from exaid_evals.runs.history_files import batch_rows, leading_metric, parted
from exaid_evals.runs.rows import Row, history_of
from exaid_evals.runs.run_names import distinct

_RUN_FOLDER = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(?P<id>.+)")
_LOG = re.compile(r"run-.+\.wandb")
_SUMMARY, _CONFIG, _METADATA = "files/wandb-summary.json", "files/config.yaml", "files/wandb-metadata.json"


class WandbFormat(Format):
    """Reads the transaction log; a folder that only the files were kept of by its summary and config."""

    name = "wandb"
    has_history = True

    def claims(self, folder: Path) -> bool:
        """Return whether a run of W&B, or a folder of them, lies here."""
        return _is_run(folder) or bool(_runs_in(folder))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return the runs; the link `latest-run` is one of them by another name, and is passed over.

        A run that was resumed has a folder each time, under one id: the last of them stands for all.
        """
        if _is_run(folder):
            return [Source(folder)]
        last = {_id_of(path): path for path in _runs_in(folder)}
        return [Source(path) for path in sorted(last.values())]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the log and the files."""
        parts = _parts_of(source.path)
        logs = [log for part in parts if (log := _log_in(part)) is not None]
        return [*logs, *(part / name for part in parts for name in (_SUMMARY, _CONFIG, _METADATA))]

    def read(self, source: Source, name: str) -> Run:
        """Read a run."""
        log = _joined([_read(part) for part in _parts_of(source.path)])
        summary = {key: value for key, value in log.summary.items() if not key.startswith("_")}
        numbers, undefined = numbers_of(_without_media(_as_defined(summary)))
        metrics, beside = parted(numbers)
        undefined = [key for key in undefined if key in metrics]
        warnings = [*log.warnings, *undefined_warning(undefined)]
        if not any(value is not None for value in metrics.values()):
            warnings.append("its summary holds no number")
        if log.exit_code:
            warnings.append(f"the run ended with status {log.exit_code}: its numbers may not be final")
        elif log.exit_code is None and log.run.keys() - {"commit"}:
            warnings.append("the run did not end, or its log was not written to the end: its numbers may not be final")
        return self.completed(
            source,
            Run(
                name,
                self.name,
                metrics,
                config=settings_of(log.config),
                seed=seed_in(log.config),
                git_hash=log.run.get("commit"),
                attributes={
                    "steps": log.n_steps,
                    **beside,
                    **{f"wandb_{key}": plain(value) for key, value in sorted(log.run.items()) if key != "commit"},
                },
                default_primary=leading_metric(metrics, {}),
                warnings=tuple(warnings),
            ),
        )

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the runs that have a log by their display names, or with their ids where a name is a duplicate."""
        if not place.is_dir() or not self.claims(place):
            return {}
        found: list[tuple[str, str, Source]] = []
        for source in self.sources(place):
            path = _log_in(source.path)
            if path is not None:
                run_id = path.stem.removeprefix("run-")
                try:
                    name = read_log(path).run.get("display_name") or run_id
                except DataError:
                    name = run_id  # reading the run tells what is wrong
                found.append((name, run_id, source))
        return distinct(found)

    def history(self, source: Source, name: str) -> History:
        """Read a log: history, system metrics, configuration."""
        paths = [path for part in _parts_of(source.path) if (path := _log_in(part)) is not None]
        if not paths:
            raise DataError("holds no log", where=str(source.path), remedy="copy run-<id>.wandb there")
        log = _joined([read_log(path) for path in paths])
        rows: list[Row] = []
        events: list[Row] = []
        for kind, row in itertools.chain.from_iterable(map(each_row, paths)):
            (rows if kind == "history" else events).append(row)
        if not rows:
            raise DataError(
                "holds no step of history", where=str(paths[-1]), remedy="wait for its end, or leave it out"
            )
        warnings = list(log.warnings)
        metrics = logged(rows, warnings)
        further = system_series(events, rows, warnings)
        batches = tuple(row for path in paths for row in batch_rows(path.parent, warnings))
        history = history_of(
            name, self.name, metrics, config=log.config, warnings=warnings, step_name=STEP, batches=batches
        )
        return replace(history, system={**history.system, **further})

    def online_runs(self, project: str) -> list[str] | None:
        """Return `entity/project/run` of each run of a project on W&B's server, where the environment has a key."""
        from exaid_evals.runs.files import wandb_online

        return wandb_online.runs_online(project)

    def online(self, run_name: str) -> History | None:
        """Return the history of `entity/project/run` on W&B's server."""
        from exaid_evals.runs.files import wandb_online

        return wandb_online.read_online(run_name) if wandb_online.is_online(run_name) else None


def _id_of(folder: Path) -> str:
    found = _RUN_FOLDER.fullmatch(folder.name)
    return found["id"] if found else folder.name


def _parts_of(folder: Path) -> list[Path]:
    """Return the folders of a run in the order in which they were written: those before it that bear its id, and it."""
    if _RUN_FOLDER.fullmatch(folder.name) is None:
        return [folder]
    beside = [path for path in _run_folders(folder.parent) if _id_of(path) == _id_of(folder) and _is_run(path)]
    return [*(path for path in beside if path.name < folder.name), folder]


def _run_folders(place: Path) -> list[Path]:
    return [path for path in folders_in(place) if _RUN_FOLDER.fullmatch(path.name)]


def _joined(parts: Sequence[WandbLog]) -> WandbLog:
    """Return one log of a run that was resumed: later values replace earlier ones, and its end is that of the last."""
    last = parts[-1]
    for earlier in reversed(parts[:-1]):
        last.summary = {**earlier.summary, **last.summary}
        last.config = {**earlier.config, **last.config}
        last.run = {**earlier.run, **last.run}
        last.n_steps += earlier.n_steps
        last.warnings = [*earlier.warnings, *last.warnings]
    last.config = {key: value for key, value in last.config.items() if key.split(".")[0] != "_wandb"}
    return last


def _as_defined(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary in which a metric has the value that `define_metric` asks for, in place of the last one."""
    found = dict(summary)
    for key in summary:
        name, _, which = key.rpartition(".")
        if which in ("max", "min", "mean", "best", "last") and name in summary:
            found[name] = found.pop(key)
    return found


def _without_media(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary without what stands for an image or a table: their sizes measure nothing."""
    media = tuple(f"{key.removesuffix('._type')}." for key in summary if key.endswith("._type"))
    return {key: value for key, value in summary.items() if not media or not key.startswith(media)}


def _read(folder: Path) -> WandbLog:
    path = _log_in(folder)
    problem: DataError | None = None
    if path is not None:
        try:
            return read_log(path)
        except DataError as error:
            problem = error
    log = WandbLog()
    try:
        log.summary = flattened(read_object(folder / _SUMMARY))
        if (folder / _CONFIG).is_file():
            log.config = settings_in(read_mapping(folder / _CONFIG))
    except (DataError, ConfigError) as error:
        raise problem or DataError(str(error)) from None
    try:
        git = mapping_of(read_object(folder / _METADATA).get("git")) if (folder / _METADATA).is_file() else {}
        log.run |= {"commit": str(git["commit"])} if git.get("commit") else {}
    except DataError as error:
        log.warnings.append(f"{_METADATA} {error.what}, so that the version of the code is not known")
    if problem is not None:
        log.warnings.append(
            f"{problem.what}, so that {_SUMMARY} was read in place of {path.name if path else 'the log'}"
        )
    return log


def _is_run(folder: Path) -> bool:
    return _log_in(folder) is not None or (
        _RUN_FOLDER.fullmatch(folder.name) is not None and (folder / _SUMMARY).is_file()
    )


def _log_in(folder: Path) -> Path | None:
    return next(iter(files_in(folder, _LOG.fullmatch)), None)


def _runs_in(folder: Path) -> list[Path]:
    """Return the runs in a folder `wandb`, or in the `wandb` of a folder; links are passed over."""
    for place in (folder, folder / "wandb"):
        runs = [path for path in _run_folders(place) if _is_run(path)]
        if runs:
            return runs
    return []
