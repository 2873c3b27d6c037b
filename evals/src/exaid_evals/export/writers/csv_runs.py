"""`exported_metrics.{csv,md,tex}`: a row per run."""

from __future__ import annotations

from collections.abc import Iterable

from exaid_evals.export.stage import Export
from exaid_evals.export.writers.sheet import Sheet, Value, cell, displayed, undefined_note
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.standard_names import STANDARD

NAME = "exported_metrics.csv"
_IDENTITY = ("seed", "fold", "trial", "group", "git_hash", "git_dirty")
_TRAINING = ("n_epochs", "expected_epochs", "best_epoch")
_SHOWN_METRICS = 6
_TIED_AT_MOST = 5
UNKNOWN = "unknown"
"""Stands for whether a run is a stub where its format cannot say."""
NO_SIGNATURE = "none"
"""Stands for the signature of a run that has none of its own."""


def render(export: Export) -> str:
    """Return the CSV: run, format, what identifies it, attributes, settings, metrics, stub, signature.

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
    header = [
        *("run", "format", *identity, *training, *attributes),
        *(f"config.{key}" for key in config),
        *(f"metric.{name}" if name in others else name for name in metrics),
        *("stub", "signature"),
    ]
    columns: list[Iterable[object]] = [
        [run.name for run in runs],
        [run.format for run in runs],
        *([getattr(run, name) for run in runs] for name in identity),
        *([_of_training(run, name) for run in runs] for name in training),
        *([run.attributes.get(key) for run in runs] for key in attributes),
        *([run.config.get(key) for run in runs] for key in config),
        *([run.metrics.get(name) for run in runs] for name in metrics),
        [UNKNOWN if run.stub is None else run.stub for run in runs],
        [run.signature if run.signatures else NO_SIGNATURE for run in runs],
    ]
    rows = zip(*columns, strict=True)
    return write_csv(header, rows, cell)


def sheet(export: Export, signature: str) -> Sheet:
    """Return the table for reading: what distinguishes the runs, and the metrics that readers look for first."""
    identity = [
        name for name in ("seed", "fold", "trial") if any(getattr(run, name) is not None for run in export.runs)
    ]
    metrics = shown_metrics(export)
    rows: list[tuple[str, tuple[Value, ...]]] = [
        (run.name, (*(_identity(run, name) for name in identity), *(run.metrics.get(name) for name in metrics)))
        for run in export.runs
    ]
    if len(export.runs) > 1:
        rows.insert(0, ("mean ± σ", (*[None] * len(identity), *(export.aggregated[name] for name in metrics))))
    shown = displayed(export.runs)
    n_left_out = len(export.aggregated) - len(metrics)
    n = len(export.runs)
    notes = [f"n = {n} run{'' if n == 1 else 's'}; σ is the population form (ddof 0)."]
    if export.best and export.best.tied:
        tied = (export.best.run, *export.best.tied)
        more = f" and {len(tied) - _TIED_AT_MOST} more" if len(tied) > _TIED_AT_MOST else ""
        notes.append(
            f"Tied for the best {shown(export.primary_metric or '')}: {', '.join(tied[:_TIED_AT_MOST])}{more}."
        )
    notes += undefined_note({name: export.aggregated[name] for name in metrics}, shown=shown)
    notes += [f"{n_left_out} further metrics stand in exported_metrics.csv."] if n_left_out else []
    return Sheet(
        "exported_metrics",
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


def shown_metrics(export: Export) -> list[str]:
    """Return the metrics that readers look for first: the primary one, the standard ones, then by name."""
    wanted = [export.primary_metric, *STANDARD, *export.aggregated]
    return list(dict.fromkeys(name for name in wanted if name in export.aggregated))[:_SHOWN_METRICS]


def _identity(run: Run, name: str) -> str | None:
    # Seeds and trials are names, and are not written with thousands' commas.
    value = getattr(run, name)
    return None if value is None else str(value)


def _of_training(run: Run, name: str) -> int | None:
    value: int | None = getattr(run.training, name) if run.training else None
    return value
