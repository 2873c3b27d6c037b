"""The tables of an export: runs, metrics and classes over runs, cross-validations, searches; the latter two as records.

`exported_metrics`, `aggregated_metrics`, `per_class_summary`, `cv_summary` and `hpo_summary`, each as CSV, Markdown and
LaTeX.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.redaction import first_few
from exaid_evals.artifacts.schemas import header
from exaid_evals.export.aggregate import Aggregate, aggregate_classes
from exaid_evals.export.diagnosis import LOWER, direction_of
from exaid_evals.export.export_table import ExportTable, Value, cell, displayed, records_of, undefined_note
from exaid_evals.export.grouping import FOLD, SEED, TRIAL, Group, compared
from exaid_evals.export.stage import Export
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.reported import STANDARD

RUNS, AGGREGATED, CLASSES = "exported_metrics", "aggregated_metrics", "per_class_summary"
CV, HPO = "cv_summary", "hpo_summary"
RUNS_CSV = f"{RUNS}.csv"
_IDENTITY = ("seed", "fold", "trial", "group", "git_hash", "git_dirty")
_TRAINING = ("n_epochs", "expected_epochs", "best_epoch")
_SHOWN_METRICS = 6
_TIED_AT_MOST = 5
_NAMED_AT_MOST = 6
UNKNOWN = "unknown"
"""Stands for whether a run is a stub where its format cannot say."""
NO_SIGNATURE = "none"
"""Stands for the signature of a run that has none of its own."""
_OVER = {SEED: "runs", FOLD: "folds", TRIAL: "trials"}
_POPULATION = "σ is the population form (ddof 0)."


def runs_csv(export: Export) -> str:
    """Return the CSV of runs: run, format, what identifies it, attributes, settings, metrics, stub, signature.

    Columns that no run has are left out. Settings are called `config.<key>`; a metric that is called as one of the
    other columns is called `metric.<name>`. Lists are written as JSON; text that a spreadsheet would run as a
    formula gets an apostrophe. A run that does not say whether it is a stub is `unknown`, one without a signature of
    its own has `none`.
    """
    runs = export.runs
    identity = [name for name in _IDENTITY if any(getattr(run, name) is not None for run in runs)]
    training = [name for name in _TRAINING if any(_of_training(run, name) is not None for run in runs)]
    attributes = sorted({key for run in runs for key in run.attributes})
    config = sorted({key for run in runs for key in run.config})
    metrics = list(export.aggregated)
    others = {"run", "format", *identity, *training, *attributes, "stub", "signature"}
    columns: list[tuple[str, Iterable[object]]] = [
        ("run", [run.name for run in runs]),
        ("format", [run.format for run in runs]),
        *((name, [getattr(run, name) for run in runs]) for name in identity),
        *((name, [_of_training(run, name) for run in runs]) for name in training),
        *((key, [run.attributes.get(key) for run in runs]) for key in attributes),
        *((f"config.{key}", [run.config.get(key) for run in runs]) for key in config),
        *((f"metric.{name}" if name in others else name, [run.metrics.get(name) for run in runs]) for name in metrics),
        ("stub", [UNKNOWN if run.stub is None else run.stub for run in runs]),
        ("signature", [run.signature if run.signatures else NO_SIGNATURE for run in runs]),
    ]
    header_of, cells = zip(*columns, strict=True)
    return write_csv(header_of, zip(*cells, strict=True), cell)


def _of_training(run: Run, name: str) -> int | None:
    value: int | None = getattr(run.training, name) if run.training else None
    return value


def runs_table(export: Export, signature: str) -> ExportTable:
    """Return the table of runs to read: what distinguishes them, and the metrics that readers look for first."""
    identity = [name for name in _IDENTITY[:3] if any(getattr(run, name) is not None for run in export.runs)]
    metrics = shown_metrics(export)
    rows: list[tuple[str, tuple[Value, ...]]] = [
        (run.name, (*(_as_text(getattr(run, name)) for name in identity), *map(run.metrics.get, metrics)))
        for run in export.runs
    ]
    like = export.is_of_like_runs
    if like and len(export.runs) > 1:
        rows.insert(0, ("mean ± σ", (*[None] * len(identity), *(export.aggregated[name] for name in metrics))))
    shown = displayed(export.runs)
    n_left_out = len(export.aggregated) - len(metrics)
    n = len(export.runs)
    notes = [
        f"n = {n} run{'' if n == 1 else 's'}; {_POPULATION}"
        if like
        else f"n = {n} runs, which differ in more than seed or fold: no mean is taken over all."
    ]
    if export.best and export.best.tied:
        tied = (export.best.run, *export.best.tied)
        notes.append(f"Tied for the best {shown(export.primary_metric or '')}: {first_few(tied, _TIED_AT_MOST)}.")
    notes += undefined_note({name: export.aggregated[name] for name in metrics}, shown=shown) if like else ()
    notes += [f"{n_left_out} further metrics stand in {RUNS_CSV}."] if n_left_out else []
    return ExportTable(
        RUNS,
        "Metrics per run",
        "Run",
        (*identity, *metrics),
        tuple(rows),
        tuple(notes),
        signature,
        stub=export.stub,
        best=export.best.run if export.best and export.worst and not export.best.tied else "",
        headings={name: shown(name) for name in metrics},
    )


def _as_text(value: object) -> str | None:
    """Return a seed or a trial as the name that it is, which has no thousands' commas."""
    return None if value is None else str(value)


def shown_metrics(export: Export) -> list[str]:
    """Return the metrics that readers look for first: the primary one, the standard ones, then by name."""
    wanted = [export.primary_metric, *STANDARD, *export.aggregated]
    return list(dict.fromkeys(name for name in wanted if name in export.aggregated))[:_SHOWN_METRICS]


def aggregated_table(export: Export, signature: str) -> ExportTable:
    """Return mean ± σ over runs: a row a metric, and of each group of runs where they are of several kinds.

    Of the trials of a search, or reports of models, it has the range alone.
    """
    over = _OVER.get(export.by, "runs")
    several = len(export.groups) > 1
    groups = [(group.name, group.aggregated) for group in export.groups] if several else [("", export.aggregated)]
    rows: tuple[tuple[str, tuple[Value, ...]], ...] = tuple(
        (_row_name(name, metric), (one, one.min, one.max, one.ci95_t_low, one.ci95_t_high, one.n, one.n_missing))
        for name, aggregated in groups
        for metric, one in aggregated.items()
        if not several or one.n
    )
    shown = displayed(export.runs)
    together = (
        f"Mean ± σ over n = {len(export.runs)} {over}; {_POPULATION} "
        if not several
        else f"Mean ± σ over the {over} of each of {len(groups)} groups, which differ in more than seed or fold "
        f"({first_few([name for name, _ in groups], _NAMED_AT_MOST, ' …')}); "
        f"{_POPULATION} "
    )
    notes: tuple[str, ...] = (
        together + "The 95 % interval is mean ± t · s/√n with s of the sample (ddof 1) and Student's t; the CSV and "
        "JSON have that with 1.96 in place of t beside it.",
        *(() if several else undefined_note(export.aggregated, over, shown)),
    )
    columns: tuple[str, ...] = ("mean ± σ", "Min", "Max", "CI low", "CI high", "n", "Missing")
    if not several and not export.is_of_like_runs:
        columns = ("Min", "Max", "n", "Missing")
        rows = tuple((name, (*values[1:3], *values[5:])) for name, values in rows)
        notes = (f"Over n = {len(export.runs)} {over}, which differ in more than seed or fold: no mean is taken.",)
    return ExportTable(
        AGGREGATED,
        f"Metrics over {over}",
        "Metric",
        columns,
        rows,
        notes,
        signature,
        stub=export.stub,
        best=export.primary_metric or "",
        warnings=export.warnings,
        labels=_labels(groups, shown),
    )


def _row_name(group: str, of: str) -> str:
    """Return what a row is called: a metric or class, with its group where there are several."""
    return f"{group}: {of}" if group else of


def _labels(groups: Iterable[tuple[str, Mapping[str, Aggregate]]], shown: Callable[[str], str]) -> dict[str, str]:
    """Return the name of each row → its name for readers."""
    return {_row_name(name, one): _row_name(name, shown(one)) for name, aggregated in groups for one in aggregated}


def class_table(export: Export, signature: str) -> ExportTable | None:
    """Return mean ± σ of each class over runs; None where no run has metrics per class."""
    if not export.per_class:
        return None
    several = len(export.groups) > 1
    metrics = tuple(next(iter(export.per_class.values())))
    groups = (
        [(group.name, group.runs, aggregate_classes(group.runs)) for group in export.groups]
        if several
        else [("", export.runs, export.per_class)]
    )
    rows = [
        (_row_name(name, of), (*map(one.get, metrics), _items(runs, of)))
        for name, runs, classes in groups
        for of, one in classes.items()
    ]
    n = sum(bool(run.per_class) for run in export.runs)
    of_each = f", those of each of {len(export.groups)} groups together" if several else ""
    notes = (f"Mean ± σ over {n} runs{of_each}; {_POPULATION} Items are those of all its runs.",)
    title, columns = "Metrics per class over runs", (*metrics, "items")
    return ExportTable(CLASSES, title, "Class", columns, tuple(rows), notes, signature, stub=export.stub)


def _items(runs: Sequence[Run], of: str) -> int | None:
    """Return how many items are of a class, over the runs of which it is known which are.

    Of a run whose report names other classes than its predictions nothing says that.
    """
    counted = [
        run.predictions.support
        for run in runs
        if run.predictions and run.per_class.keys() <= run.predictions.support.keys()
    ]
    return sum(one.get(of, 0) for one in counted) or None


def cv_record(export: Export, signature: str) -> dict[str, Any]:
    """Return the record: of each cross-validation its folds, and mean, σ, range and n of each metric."""
    return _record(export, signature, CV) | {
        "groups": {
            group.name: {
                "folds": [{"run": run.name, "fold": run.fold} for run in group.runs],
                "n_expected": group.n_expected,
                "failed": [{"run": one.run, "fold": int(one.number), "problem": one.problem} for one in group.failed],
                "metrics": {
                    name: {**record, "range": _range(group.aggregated[name])}
                    for name, record in records_of(group.aggregated).items()
                },
            }
            for group in export.folds
        }
    }


def _record(export: Export, signature: str, kind: str) -> dict[str, Any]:
    return {**header("exaid.export"), "record_type": kind, "signature": signature, "stub": export.stub}


def cv_table(export: Export, signature: str) -> ExportTable:
    """Return the table: a row per cross-validation and metric."""
    several = len(export.folds) > 1
    groups = [(group.name if several else "", group) for group in export.folds]
    rows = tuple(
        (_row_name(called, name), (one, one.min, one.max, _range(one), len(group.runs), one.n, one.n_missing))
        for called, group in groups
        for name, one in group.aggregated.items()
    )
    notes = (
        f"Mean ± σ over folds ({sum(len(group.runs) for group in export.folds)} in all); {_POPULATION}",
        *(
            f"{len(group.failed)} of {group.n_expected} folds{f' of {group.name}' if several else ''} cannot be read "
            f"and {'is' if len(group.failed) == 1 else 'are'} left out: {', '.join(one.run for one in group.failed)}."
            for group in export.folds
            if group.failed
        ),
    )
    columns = ("mean ± σ", "Min", "Max", "Range", "Folds", "n", "Missing")
    title = "Cross-validation" if several else f"Cross-validation of {export.folds[0].name}"
    labels = _labels([(called, group.aggregated) for called, group in groups], displayed(export.runs))
    return ExportTable(CV, title, "Metric", columns, rows, notes, signature, stub=export.stub, labels=labels)


def _range(one: Aggregate) -> float | None:
    return None if one.max is None or one.min is None else one.max - one.min


def hpo_record(export: Export, signature: str) -> dict[str, Any]:
    """Return the record: of each search its trials, best first."""
    return _record(export, signature, HPO) | {
        "primary_metric": export.primary_metric,
        "groups": {
            group.name: {
                "varying": (keys := varying(group.runs)),
                "n_expected": group.n_expected,
                "failed": [{"run": one.run, "trial": one.number, "problem": one.problem} for one in group.failed],
                "trials": [
                    {
                        "rank": rank,
                        "run": run.name,
                        "trial": run.trial,
                        "config": {key: run.config.get(key) for key in keys},
                        "metrics": dict(run.metrics),
                    }
                    for rank, run in _ranked(export, group)
                ],
            }
            for group in export.trials
        },
    }


def hpo_table(export: Export, signature: str) -> ExportTable:
    """Return the table: a row per trial, best first; trials without the primary metric come last, without a rank.

    Hyper-parameters that vary stand beside the metrics.
    """
    several = len(export.trials) > 1
    keys = list(dict.fromkeys(key for group in export.trials for key in varying(group.runs)))
    first = shown_metrics(export)
    metrics = list(dict.fromkeys([*first, *export.aggregated]))
    rows: list[tuple[str, tuple[Value, ...]]] = [
        (
            run.name,
            (
                *(rank, *((group.name,) if several else ()), run.trial),
                *(_setting(run.config.get(key)) for key in keys),
                *map(run.metrics.get, metrics),
            ),
        )
        for group in export.trials
        for rank, run in _ranked(export, group)
    ]
    shown = displayed(export.runs)
    failed = [one.run for group in export.trials for one in group.failed]
    notes: tuple[str, ...] = (
        f"Best first by {shown(export.primary_metric)} ({_WAYS[export.lower]} is better). "
        "Hyper-parameters that all trials share are left out."
        if export.primary_metric
        else "In order of the trials: no metric ranks them.",
        *([f"{len(failed)} further trials cannot be read: {', '.join(failed[:5])}."] if failed else []),
    )
    columns = ("rank", *(("group",) if several else ()), "trial", *keys, *metrics)
    # Keys and metrics may bear one name.
    columns = tuple(f"metric.{name}" if name in columns[:index] else name for index, name in enumerate(columns))
    return ExportTable(
        HPO,
        "Trials",
        "Run",
        columns,
        tuple(rows),
        notes,
        signature,
        stub=export.stub,
        shown=columns[: len(columns) - len(metrics) + len(first)],
        best=rows[0][0] if rows and rows[0][1][0] == 1 else "",
        headings={name: shown(name) for name in metrics},
    )


def varying(runs: Sequence[Run]) -> list[str]:
    """Return the settings in which runs differ, by name; one that some runs lack differs."""
    keys = sorted({key for run in runs for key in run.config})
    return [key for key in keys if len({compared(run.config[key]) if key in run.config else None for run in runs}) > 1]


_WAYS = {True: "lower", False: "higher", None: "what each search says"}


def _ranked(export: Export, group: Group) -> list[tuple[int | None, Run]]:
    primary = export.primary_metric or ""
    lower = export.lower if export.lower is not None else direction_of(primary, group.runs) == LOWER

    def key(run: Run) -> float:
        value = run.metrics.get(primary)
        return math.inf if value is None else (value if lower else -value)

    ordered = sorted(group.runs, key=key)
    return [(None if run.metrics.get(primary) is None else rank, run) for rank, run in enumerate(ordered, start=1)]


def _setting(value: object) -> Value:
    if value is None or isinstance(value, str | int | bool):
        return value
    # 0.0003 must not be shown as 0.000.
    return f"{value:.6g}" if isinstance(value, float) else canonical_json(value)
