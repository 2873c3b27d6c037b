"""inspect-ai: logs of evaluations, `*.eval` or `*.json`; of an archive only its header is read, never a sample."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes, folders_in
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.document import parsed, read_object
from exaid_evals.runs.files.inspect_archive import member_names, read_member
from exaid_evals.runs.files.summary import mapping_of, numbers_of, plain, seed_in, undefined_warning
from exaid_evals.runs.history_files import leading_metric

_HEADER, _START = "header.json", "_journal/start.json"
_SUFFIX = ".eval"
# A log as JSON: its version, then the status, then the evaluation.
_BEGINNING = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:\s*"')


class InspectFormat(Format):
    """Reads a run a log; each score as `scorer.metric`."""

    name = "inspect_ai"

    def claims(self, folder: Path) -> bool:
        """Return whether a log lies here."""
        return bool(_logs_in(folder))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return a run a log; of one evaluation in both forms the archive."""
        logs = _logs_in(folder)
        archives = {path.stem for path in logs if path.suffix == _SUFFIX}
        return [Source(path) for path in logs if path.suffix == _SUFFIX or path.stem not in archives]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the log."""
        return [source.path]

    def read(self, source: Source, name: str) -> Run:
        """Read a log.

        Raises:
            DataError: it is damaged, or holds no result.
        """
        data = header_of(source.path)
        evaluation, results = mapping_of(data.get("eval")), mapping_of(data.get("results"))
        scores, undefined = numbers_of(dict(_scores(results)))
        spread = {label: value for label, value in scores.items() if label.endswith(".stderr")}
        metrics = {label: value for label, value in scores.items() if label not in spread}
        status = str(data.get("status") or "unknown")
        if not metrics and status == "success":
            raise DataError("holds no score", where=str(source.path), remedy="wait for its end, or leave it out")
        settings = mapping_of(evaluation.get("model_generate_config")) | mapping_of(
            mapping_of(data.get("plan")).get("config")
        )
        revision = mapping_of(evaluation.get("revision"))
        warnings = undefined_warning([label for label in undefined if label not in spread])
        if status != "success":
            message = " ".join(str(mapping_of(data.get("error")).get("message") or "").split())[:120]
            warnings.append(f"the evaluation's status is {status}{f' ({message})' if message else ''}")
        total, completed = (results.get(key) for key in ("total_samples", "completed_samples"))
        if total != completed:
            warnings.append(f"{completed} of {total} samples were completed")
        return Run(
            name=name,
            format=self.name,
            metrics=metrics,
            config={
                "task": plain(evaluation.get("task")),
                "model": plain(evaluation.get("model")),
                "task_args": plain(mapping_of(evaluation.get("task_args"))),
                "epochs": plain(mapping_of(evaluation.get("config")).get("epochs")),
                **{str(key): plain(value) for key, value in sorted(settings.items()) if key != "seed"},
            },
            seed=seed_in(settings) if "seed" in settings else seed_in(mapping_of(evaluation.get("task_args"))),
            git_hash=str(revision["commit"]) if revision.get("commit") else None,
            git_dirty=revision["dirty"] if isinstance(revision.get("dirty"), bool) else None,
            attributes={
                "inspect_status": status,
                "task_id": plain(evaluation.get("task_id")),
                "n_samples": plain(total),
                "n_completed": plain(completed),
                "stderr": spread,
                "inspect_version": plain(mapping_of(evaluation.get("packages")).get("inspect_ai")),
            },
            default_primary=leading_metric(metrics, {}),
            warnings=tuple(f"{name}: {warning}" for warning in warnings),
            origin=source.path,
        )


def header_of(path: Path) -> Mapping[str, Any]:
    """Return the header of an archive, or the whole of a log as JSON.

    Raises:
        DataError: it is damaged.
    """
    if path.suffix != _SUFFIX:
        try:
            return read_object(path)
        except DataError as error:
            if "larger" not in error.what:
                raise
            remedy = "convert it with `inspect log convert --to eval`, of which only the header is read"
            raise DataError(error.what, where=error.where, remedy=remedy) from None
    names = member_names(path)
    if _HEADER not in names and _START in names:
        started = _parsed(read_member(path, _START), f"{path}: {_START}")
        return {"status": "started", "eval": started.get("eval"), "plan": started.get("plan")}
    return _parsed(read_member(path, _HEADER), f"{path}: {_HEADER}")


def _parsed(data: bytes, where: str) -> Mapping[str, Any]:
    try:
        value = parsed(data.decode("utf-8-sig"), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON ({error})", where=where, remedy="write or copy it again") from None
    if not isinstance(value, dict):
        raise DataError("holds no object", where=where, remedy="write or copy it again")
    return value


def _scores(results: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield `scorer.metric` and value; a scorer with several reducers has the reducer in its name."""
    scores = [score for score in results.get("scores") or () if isinstance(score, Mapping)]
    names = [str(score.get("name") or score.get("scorer") or "score") for score in scores]
    for score, name in zip(scores, names, strict=True):
        label = f"{name}@{score.get('reducer')}" if names.count(name) > 1 and score.get("reducer") else name
        for key, metric in mapping_of(score.get("metrics")).items():
            metric_name = str(key).rpartition("/")[2]
            yield f"{label}.{metric_name}", metric.get("value") if isinstance(metric, Mapping) else metric


def _logs_in(folder: Path, *, deep: bool = True) -> list[Path]:
    try:
        if folder.is_file():
            files = [folder]
        else:
            with os.scandir(folder) as entries:
                files = sorted(Path(entry.path) for entry in entries if entry.is_file())
    except OSError:
        return []
    found = [
        path
        for path in files
        if (path.suffix == _SUFFIX and _begins(path, re.compile(rb"^PK")))
        or (path.suffix == ".json" and _begins(path, _BEGINNING))
    ]
    # A folder of logs for each model or day.
    return found or [log for below in (folders_in(folder) if deep else ()) for log in _logs_in(below, deep=False)]


def _begins(path: Path, pattern: re.Pattern[bytes]) -> bool:
    return pattern.match(first_bytes(path, 256)) is not None
