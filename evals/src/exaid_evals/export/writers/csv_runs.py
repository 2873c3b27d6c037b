"""`exported_metrics.csv`: a row per run."""

from __future__ import annotations

from exaid_evals.artifacts.canonical import FLOAT_DECIMALS, canonical_json
from exaid_evals.export.stage import Export
from exaid_evals.report.formats.csv_table import write_csv

NAME = "exported_metrics.csv"

# What a spreadsheet takes for a formula when a cell begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(export: Export) -> str:
    """Return the table: run, format, attributes, metrics in order of their names, stub, signature.

    Attributes that are lists are written as JSON; text that a spreadsheet would run as a formula gets an apostrophe.
    """
    attributes = sorted({key for run in export.runs for key in run.attributes})
    metrics = list(export.aggregated)
    rows = [
        [
            _cell(run.name),
            _cell(run.format),
            *(_cell(run.attributes.get(key)) for key in attributes),
            *(_cell(run.metrics.get(name)) for name in metrics),
            _cell(run.stub),
            _cell(run.signature),
        ]
        for run in export.runs
    ]
    return write_csv(["run", "format", *attributes, *metrics, "stub", "signature"], rows)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return round(value, FLOAT_DECIMALS) + 0.0
    if isinstance(value, list | dict):
        return canonical_json(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
