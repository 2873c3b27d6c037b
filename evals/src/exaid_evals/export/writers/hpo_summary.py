"""`hpo_summary.{csv,json,md,tex}`: the trials of a search, the hyper-parameters that vary beside the metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.schemas import header
from exaid_evals.export.grouping import Group, compared
from exaid_evals.export.stage import Export
from exaid_evals.export.writers.csv_runs import shown_metrics
from exaid_evals.export.writers.sheet import Sheet, Value, displayed
from exaid_evals.runs.base import Run

NAME = "hpo_summary"


def to_record(export: Export, signature: str) -> dict[str, Any]:
    """Return the record: of each search its trials, best first."""
    return {
        **header("exaid.export"),
        "record_type": "hpo_summary",
        "primary_metric": export.primary_metric,
        "groups": {
            group.name: {
                "varying": varying(group.runs),
                "n_expected": group.n_expected,
                "failed": [{"run": one.run, "trial": one.number, "problem": one.problem} for one in group.failed],
                "trials": [
                    {
                        "rank": rank,
                        "run": run.name,
                        "trial": run.trial,
                        "config": {key: run.config.get(key) for key in varying(group.runs)},
                        "metrics": dict(run.metrics),
                    }
                    for rank, run in _ranked(export, group)
                ],
            }
            for group in export.trials
        },
        "signature": signature,
        "stub": export.stub,
    }


def sheet(export: Export, signature: str) -> Sheet:
    """Return the table: a row per trial, best first; trials without the primary metric come last, without a rank."""
    several = len(export.trials) > 1
    keys = list(dict.fromkeys(key for group in export.trials for key in varying(group.runs)))
    metrics = list(dict.fromkeys([*shown_metrics(export), *export.aggregated]))
    rows: list[tuple[str, tuple[Value, ...]]] = []
    for group in export.trials:
        for rank, run in _ranked(export, group):
            settings = (_setting(run.config.get(key)) for key in keys)
            of_group = (group.name,) if several else ()
            rows.append(
                (run.name, (rank, *of_group, run.trial, *settings, *(run.metrics.get(name) for name in metrics)))
            )
    shown = displayed(export.runs)
    way = "lower" if export.lower else "higher"
    failed = [one.run for group in export.trials for one in group.failed]
    notes: tuple[str, ...] = (
        f"Best first by {shown(export.primary_metric)} ({way} is better). "
        "Hyper-parameters that all trials share are left out."
        if export.primary_metric
        else "In order of the trials: no metric ranks them.",
        *([f"{len(failed)} further trials cannot be read: {', '.join(failed[:5])}."] if failed else []),
    )
    columns = ("rank", *(("group",) if several else ()), "trial", *keys, *metrics)
    # Keys and metrics may bear one name.
    columns = tuple(f"metric.{name}" if name in columns[:index] else name for index, name in enumerate(columns))
    return Sheet(
        NAME,
        "Trials",
        "Run",
        columns,
        tuple(rows),
        notes,
        signature,
        stub=export.stub,
        shown=columns[: len(columns) - len(metrics) + len(shown_metrics(export))],
        best=rows[0][0] if rows and rows[0][1][0] == 1 else "",
        headings={name: shown(name) for name in metrics},
    )


def varying(runs: Sequence[Run]) -> list[str]:
    """Return the settings in which runs differ, by name; one that some runs lack differs."""
    keys = sorted({key for run in runs for key in run.config})
    return [key for key in keys if len({compared(run.config[key]) if key in run.config else None for run in runs}) > 1]


def _ranked(export: Export, group: Group) -> list[tuple[int | None, Run]]:
    primary = export.primary_metric or ""

    def key(run: Run) -> float:
        value = run.metrics.get(primary)
        return math.inf if value is None else (value if export.lower else -value)

    ordered = sorted(group.runs, key=key)
    return [(None if run.metrics.get(primary) is None else rank, run) for rank, run in enumerate(ordered, start=1)]


def _setting(value: object) -> Value:
    if value is None or isinstance(value, str | int | bool):
        return value
    # 0.0003 must not be shown as 0.000.
    return f"{value:.6g}" if isinstance(value, float) else canonical_json(value)
