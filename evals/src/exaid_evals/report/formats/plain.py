"""A table as aligned text, narrow enough for a terminal: the interval stands below its mean."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.report.base import Table

_GAP = "  "


def render(table: Table) -> str:
    """Return the panels below each other, then the notes and the signature."""
    parts = [table.title, *(_panel(table, title, columns) for title, columns in table.panels)]
    return "\n\n".join([*parts, "\n".join([*table.notes, *table.signature_lines])]) + "\n"


def _panel(table: Table, title: str, columns: Sequence[int]) -> str:
    shown = [table.columns[index] for index in columns]
    grid = [["Variant", *(column.heading for column in shown)]]
    if any(column.unit for column in shown):
        grid.append(["", *(f"({column.unit})" if column.unit else "" for column in shown)])
    n_heading = len(grid)
    for row in table.rows:
        estimates = [row.estimates[index] for index in columns]
        grid.append([row.variant_id, *(column.mean(one) for column, one in zip(shown, estimates, strict=True))])
        grid.append(["", *(column.interval(one) for column, one in zip(shown, estimates, strict=True))])
    widths = [max(len(line[index]) for line in grid) for index in range(len(grid[0]))]
    lines = [_line(line, widths) for line in grid]
    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    heading = [title, rule] if title else [rule]
    return "\n".join([*heading, *lines[:n_heading], rule, *lines[n_heading:], rule])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return _GAP.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()
