"""The files of a comparison."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.analysis.compare.configuration import setting_text
from exaid_evals.analysis.compare.dashboard import page
from exaid_evals.analysis.compare.plots import chosen_rankings, draw
from exaid_evals.analysis.compare.record import comparison_record, csv_number, csv_text, signature
from exaid_evals.analysis.compare.sections import sections
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.analysis.report.sections import pictures
from exaid_evals.analysis.report.write import write_files
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.document import Document
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.report.render import to_markdown

DASHBOARD, REPORT, RECORD, TABLE = "dashboard.html", "comparison.md", "comparison.json", "comparison.csv"


def write_comparison(comparison: Comparison, out: Path) -> Path:
    """Write the record, the table, the report with its plots and the dashboard; return the dashboard's path.

    Args:
        comparison: of runs.
        out: folder, made where it is missing; files of an earlier comparison are replaced.
    """
    record = canonical_bytes(comparison_record(comparison)) + b"\n"
    plots = {one.metric: draw(comparison, one) for one in chosen_rankings(comparison)}
    parts = sections(comparison)
    parts[2:2] = pictures(plots)
    report = Document(f"Comparison of {len(comparison.runs)} runs", parts, signature(comparison))
    files: dict[str, str | bytes] = {
        REPORT: to_markdown(report),
        TABLE: _csv(comparison),
        RECORD: record,
        DASHBOARD: page.render(comparison),
    }
    write_files(out, files, plots)
    return out / DASHBOARD


def _csv(comparison: Comparison) -> str:
    """Return a row a group and metric, numbers rounded as in the record."""
    keys = comparison.grouping.differing
    groups = {group.name: group for group in comparison.groups}
    header = ["metric", "direction", "rank", "group", "value", "ci95_low", "ci95_high", "sd", "n", "interval_of"]
    header += ["behind_first", "behind_low", "behind_high", "n_paired"]
    header += ["n_runs", "n_missing", "best", "best_run", "best_step", *(f"setting.{printable(key)}" for key in keys)]
    lines: list[list[object]] = []
    for ranking in comparison.rankings:
        for place, one in enumerate(ranking.performances, start=1):
            level = one.level
            numbers = [csv_number(value) for value in (level.value, level.low, level.high, level.sd)]
            value, run, step = one.best or (None, None, None)
            settings = [csv_text(setting_text(groups[one.group].settings, key)) for key in keys]
            ranked = place if ranking.direction else None
            head = [
                csv_text(ranking.metric),
                ranking.direction,
                ranked,
                csv_text(one.group),
                *numbers,
                level.n,
                one.basis,
            ]
            lead = ranking.leads.get(one.group)
            behind = (
                [None] * 4
                if lead is None
                else [csv_number(lead.value), csv_number(lead.low), csv_number(lead.high), lead.n]
            )
            known = len(one.values) - one.n_missing
            best = [csv_number(value), None if run is None else csv_text(run), csv_number(step)]
            lines.append([*head, *behind, known, one.n_missing, *best, *settings])
    return write_csv([*header, "signature"], [[*line, signature(comparison)] for line in lines])
