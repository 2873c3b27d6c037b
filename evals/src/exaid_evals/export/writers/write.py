"""Writes every file of an export, and removes those of an earlier one that this one does not have."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from exaid_evals.artifacts.atomic import remove_leftovers, write_unless_same
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.errors import DataError
from exaid_evals.export.stage import Export
from exaid_evals.export.writers import (
    aggregated,
    csv_runs,
    cv_summary,
    hpo_summary,
    json_summary,
)
from exaid_evals.export.writers.sheet import forms
from exaid_evals.files import lies_in
from exaid_evals.report.base import Table
from exaid_evals.report.registry import FORMATS
from exaid_evals.runs.base import Format
from exaid_evals.runs.formats.campaign import CampaignFormat

_TABLES = (
    "exported_metrics",
    "aggregated_metrics",
    "per_class_summary",
    cv_summary.NAME,
    hpo_summary.NAME,
    "over_seeds",
)
# The last was this table's name before it was over seeds and cases.
_EVERY = [json_summary.RUNS_NAME] + [
    f"{name}.{suffix}" for name in (*_TABLES, "variants_over_runs") for suffix in (*FORMATS, "json")
]
# Formats whose runs get tables and figures of their own, and the module that makes them: imported where there are any.
_OF_FORMATS = {"model_reports": "exaid_evals.export.model_report_outputs"}


def write_export(
    export: Export, out: Path, readers: Sequence[Format] = (), texts: Mapping[str, str] | None = None
) -> Table | None:
    """Write the files into a folder and return the table of variants over seeds, where there is one.

    Args:
        export: what to write.
        out: the folder.
        readers: are asked for files of their own.
        texts: name of a run → canonical text of its record, of those that have been made; None for none.
    """
    remove_leftovers(out)
    files = _common(export, texts)
    table = None
    if sum(run.cases is not None for run in export.runs) > 1:
        from exaid_evals.export.writers import over_seeds  # late: of other runs none needs NumPy

        table = over_seeds.build(export)
    if table is not None:
        files |= {f"{table.name}.{suffix}": text.encode() for suffix, text in forms(table, export.warnings).items()}
    for reader in readers:
        files |= _own(reader, export, out)
    for name, content in files.items():
        write_unless_same(out / name, content)
    for name in _EVERY:
        if name not in files:
            (out / name).unlink(missing_ok=True)
    return table


def _common(export: Export, texts: Mapping[str, str] | None) -> dict[str, bytes]:
    runs_csv = csv_runs.render(export)
    signature = json_summary.signature_of(export, runs_csv)
    files: dict[str, bytes] = {
        **json_summary.files(export, signature, texts),
        csv_runs.NAME: runs_csv.encode(),
    }
    sheets = [aggregated.sheet(export, signature), aggregated.class_sheet(export, signature)]
    # A campaign has hundreds of metrics; its own tables show them.
    if any(run.format != CampaignFormat.name for run in export.runs):
        files |= csv_runs.sheet(export, signature).files(csv=False)
    if export.folds:
        files[f"{cv_summary.NAME}.json"] = canonical_bytes(cv_summary.to_record(export, signature)) + b"\n"
        sheets.append(cv_summary.sheet(export, signature))
    if export.trials:
        files[f"{hpo_summary.NAME}.json"] = canonical_bytes(hpo_summary.to_record(export, signature)) + b"\n"
        sheets.append(hpo_summary.sheet(export, signature))
    for sheet in sheets:
        files |= sheet.files() if sheet is not None else {}
    return files


def _own(reader: Format, export: Export, out: Path) -> dict[str, bytes]:
    """Return a format's own files.

    Raises:
        DataError: one of them would lie outside the output folder.
    """
    runs = [run for run in export.runs if run.format == reader.name]
    if not runs:
        return {}
    made = dict(reader.outputs(runs))
    if reader.name in _OF_FORMATS:
        outputs = getattr(importlib.import_module(_OF_FORMATS[reader.name]), "outputs")  # noqa: B009
        made |= outputs(runs, reader.settings)
    for name in made:
        if not lies_in(out / name, out):
            raise DataError(f"the reader {reader.name} would write {name!r} outside --out", where=str(out))
    return made
