"""W&B: an offline run's folder, `offline-run-*/`, or a folder `wandb/` of them; neither network nor wandb is needed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.export.base import ExportedRun, Reader, Source
from exaid_evals.export.readers.document import read_object
from exaid_evals.export.readers.tracked import numbers_of, plain, seed_in, settings_of, undefined_warning
from exaid_evals.export.readers.wandb_log import WandbLog, flat, read_log

_RUN_FOLDER = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(?P<id>.+)")
_LOG = re.compile(r"run-.+\.wandb")
_SUMMARY, _CONFIG = "files/wandb-summary.json", "files/config.yaml"


class WandbReader(Reader):
    """Reads the transaction log; a folder that only the files were kept of by its summary and config."""

    name = "wandb"

    def claims(self, folder: Path) -> bool:
        """Tell whether a run of W&B, or a folder of them, lies here."""
        return _is_run(folder) or bool(_runs_in(folder))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return the runs; the link `latest-run` is one of them by another name, and is passed over."""
        return [Source(folder)] if _is_run(folder) else [Source(path) for path in _runs_in(folder)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the log and the files."""
        log = _log_in(source.path)
        return [*([log] if log else []), source.path / _SUMMARY, source.path / _CONFIG]

    def read(self, source: Source, name: str) -> ExportedRun:
        """Read a run.

        Raises:
            DataError: neither log nor summary can be read.
        """
        log = _read(source.path)
        summary = {key: value for key, value in log.summary.items() if not key.startswith("_")}
        metrics, undefined = numbers_of(summary)
        config = {key: value for key, value in log.config.items() if key.split(".")[0] != "_wandb"}
        warnings = [*log.warnings, *undefined_warning(undefined)]
        if not any(value is not None for value in metrics.values()):
            warnings.append("its summary holds no number")
        if log.exit_code:
            warnings.append(f"the run ended with status {log.exit_code}: its numbers may not be final")
        elif log.exit_code is None and log.run:
            warnings.append("the run did not end, or its log was not written to the end: its numbers may not be final")
        return ExportedRun(
            name=name,
            format=self.name,
            metrics=metrics,
            config=settings_of(config),
            seed=seed_in(config),
            git_hash=log.run.get("commit"),
            attributes={
                "steps": log.n_steps,
                **{f"wandb_{key}": plain(value) for key, value in sorted(log.run.items()) if key != "commit"},
            },
            warnings=tuple(f"{name}: {warning}" for warning in warnings),
            origin=source.path,
        )


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
        log.summary = _flat(read_object(folder / _SUMMARY))
        config = folder / _CONFIG
        if config.is_file():
            # Each setting stands as {desc: …, value: …}.
            for key, item in read_mapping(config).items():
                log.config |= flat(key, item["value"] if isinstance(item, dict) and "value" in item else item)
    except (DataError, ConfigError) as error:
        raise problem or DataError(str(error)) from None
    if problem is not None:
        log.warnings.append(
            f"{problem.what}, so that {_SUMMARY} was read in place of {path.name if path else 'the log'}"
        )
    return log


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(key, value)
    return found


def _is_run(folder: Path) -> bool:
    return _log_in(folder) is not None or (
        _RUN_FOLDER.fullmatch(folder.name) is not None and (folder / _SUMMARY).is_file()
    )


def _log_in(folder: Path) -> Path | None:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _LOG.fullmatch(entry.name) and entry.is_file())
    except OSError:
        return None
    return folder / names[0] if names else None


def _runs_in(folder: Path) -> list[Path]:
    """Return the runs in a folder `wandb`, or in the `wandb` of a folder; links are passed over."""
    places = (folder, folder / "wandb")
    for place in places:
        try:
            with os.scandir(place) as entries:
                found = sorted(
                    Path(entry.path)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False) and _RUN_FOLDER.fullmatch(entry.name)
                )
        except OSError:
            continue
        runs = [path for path in found if _is_run(path)]
        if runs:
            return runs
    return []
