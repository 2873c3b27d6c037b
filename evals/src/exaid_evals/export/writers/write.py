"""Writes every file of an export."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.artifacts.atomic import remove_leftovers, write_text
from exaid_evals.export.stage import Export
from exaid_evals.export.writers import csv_runs, json_summary, variants_table
from exaid_evals.report.base import Table
from exaid_evals.report.formats import csv_table, latex, markdown


def write_export(export: Export, out: Path) -> Table | None:
    """Write the files into a folder and return the table of variants, where there is one."""
    remove_leftovers(out)
    write_text(out / csv_runs.NAME, csv_runs.render(export))
    write_text(out / json_summary.NAME, json_summary.render(export))
    table = variants_table.build(export)
    if table is not None:
        for suffix, form in (("csv", csv_table), ("md", markdown), ("tex", latex)):
            write_text(out / f"{table.name}.{suffix}", form.render(table))
    return table
