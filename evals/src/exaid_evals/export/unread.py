"""Columns that are empty in every run although the runs' files hold numbers of a like name, which nothing read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from exaid_evals.errors import ExaidError
from exaid_evals.export.aggregate import grouped
from exaid_evals.runs.base import Run, Settings, Source
from exaid_evals.runs.files.reported import STANDARD
from exaid_evals.runs.metric_names import words_of
from exaid_evals.runs.registry import FORMATS

_LIKE = 0.75
_BYTES_AT_MOST = 4 * 1024 * 1024
_COLUMNS_AT_MOST = 40


def unread_columns(runs: Sequence[Run], sources: Mapping[str, Source], settings: Settings) -> list[str]:
    """Return a warning for each metric that no run of a format has, and whose number may stand under another name.

    Of each format the first run's files are looked at.
    """
    found = []
    for name, members in grouped(runs, lambda run: run.format).items():
        filled = {metric for run in members for metric, value in run.metrics.items() if value is not None}
        # What predictions would make of the standard metrics is not read from anywhere.
        made = STANDARD if any(run.predictions is not None for run in members) else ()
        names = dict.fromkeys(key for run in members for key in run.metrics)
        empty = [metric for metric in names if metric not in filled and metric not in made]
        if not empty or members[0].name not in sources:
            continue
        unread = list(_unread(members[0], sources[members[0].name], settings))
        for metric in empty[:_COLUMNS_AT_MOST]:
            near = max(((_likeness(metric, key), file, key) for file, key in unread), default=None)
            if near is not None and near[0] >= _LIKE:
                n = f"all {len(members)} runs" if len(members) > 1 else members[0].name
                found.append(
                    f"{metric} is empty in {n} ({name}), and {near[1]} holds {near[2]}, which was not read: look "
                    "whether it is the same under another name, and map it with --mapping"
                )
    return found


def _unread(run: Run, source: Source, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield file and key of each number of a run's files that is none of the run's own."""
    known = set(_numbers([run.metrics, run.per_class, run.config, run.attributes]))
    known |= {float(one) for one in (run.seed, run.fold) if one is not None}
    if run.training is not None:
        known |= set(_numbers(dict(run.training.final)))
    try:
        paths = FORMATS.build(run.format, settings).inputs(source) or ()
    except ExaidError:
        return
    for path in paths:
        for key, value in _keys(path):
            if math.isfinite(value) and value not in known:
                yield path.name, key


def _keys(path: Path) -> Iterator[tuple[str, float]]:
    from exaid_evals.runs.files.document import document_of, rows_of
    from exaid_evals.runs.formats.mapping import DOCUMENTS, TABLES, leaves

    try:
        if path.stat().st_size > _BYTES_AT_MOST:
            return
        if path.suffix in DOCUMENTS:
            for pointer, value in leaves(document_of(path)):
                if isinstance(value, int | float) and not isinstance(value, bool):
                    yield pointer.strip("/").replace("/", "."), float(value)
        elif path.suffix in TABLES:
            rows = rows_of(path)
            for column, value in (rows[-1] if rows else {}).items():
                for number in _numbers(value):
                    yield str(column), number
    except (ExaidError, OSError, UnicodeDecodeError):
        return  # the format says what is wrong with it


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _numbers(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _numbers(one)
    elif value is not None and not isinstance(value, bool):
        try:
            yield float(value)
        except (TypeError, ValueError, OverflowError):
            return


def _likeness(metric: str, key: str) -> float:
    """Return how alike two names are: of letters, or the share of the shorter one's words in the other.

    >>> _likeness("eval_duration_mean", "averages.eval_duration") >= _LIKE, _likeness("accuracy", "loss") >= _LIKE
    (True, False)
    """
    last = key.rpartition(".")[2]
    wanted, given = set(words_of(metric)), set(words_of(last))
    fewer = min(len(wanted), len(given))
    shared = len(wanted & given) / fewer if fewer > 1 else 0.0
    return max(shared, SequenceMatcher(None, metric.lower(), last.lower()).ratio())
