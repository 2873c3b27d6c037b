"""A table as CSV: every number with all its decimals, and on each row how it was made."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from exaid_evals.report.base import Table

_STATISTICS = ("mean", "ci95_low", "ci95_high", "sd", "n", "n_undefined")


def render(table: Table) -> str:
    """Return the table: a row per variant, and six columns per measure; empty where undefined."""
    header = ["variant", f"n_{table.counted}", "n_failed"]
    header += [f"{column.measure}_{statistic}" for column in table.columns for statistic in _STATISTICS]
    lines: list[list[object]] = []
    for row in table.rows:
        line: list[object] = [row.variant_id, row.n_cases, row.n_failed]
        for estimate in row.estimates:
            line += [None if estimate is None else getattr(estimate, statistic) for statistic in _STATISTICS]
        lines.append([*line, row.stub, row.signature])
    return write_csv([*header, "stub", "signature"], lines)


def write_csv(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    r"""Return CSV as RFC 4180 has it, but with `\n`; None is empty, truth values are true and false.

    >>> write_csv(["a", "b", "c"], [[0.25, None, True]])
    'a,b,c\n0.25,,true\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in line] for line in lines)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value
