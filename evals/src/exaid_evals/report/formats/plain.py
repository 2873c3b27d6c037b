"""A table as aligned text, narrow enough for a terminal: what belongs below a cell stands below it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from exaid_evals.report.base import Column, Row, Table

_GAP = "  "


def render(table: Table) -> str:
    """Return the panels below each other, then the notes and the signature."""
    parts = [table.title, *(_panel(table, title, columns) for title, columns in table.panels)]
    return "\n\n".join([*parts, "\n".join([*table.notes, *table.signature_lines])]) + "\n"


def _panel(table: Table, title: str, columns: Sequence[int]) -> str:
    shown = [table.columns[index] for index in columns]
    heading = [[table.row_heading, *(column.heading for column in shown)]]
    if any(column.unit for column in shown):
        heading.append(["", *(f"({column.unit})" if column.unit else "" for column in shown)])
    bodies = [
        (group, [line for row in rows for line in _lines(row, shown, columns)])
        for group, rows in groupby(table.rows, key=lambda row: row.group)
    ]
    grid = [*heading, *(line for _, lines in bodies for line in lines)]
    widths = [max(len(line[index]) for line in grid) for index in range(len(grid[0]))]
    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    out = [title, rule] if title else [rule]
    out += [*(_line(line, widths, shown) for line in heading), rule]
    for group, lines in bodies:
        out += [f"· {group}"] if group else []
        out += [_line(line, widths, shown) for line in lines]
    return "\n".join([*out, rule])


def _lines(row: Row, shown: Sequence[Column], columns: Sequence[int]) -> list[list[str]]:
    cells = [(column, row.cells[index]) for column, index in zip(shown, columns, strict=True)]
    below = [column.below(cell) for column, cell in cells]
    lines = [[row.name, *(column.shown(cell) for column, cell in cells)]]
    return [*lines, ["", *below]] if any(below) else lines


def _line(cells: Sequence[str], widths: Sequence[int], shown: Sequence[Column]) -> str:
    first, *others = zip(cells, widths, strict=True)
    rest = [
        text.ljust(width) if column.left else text.rjust(width)
        for (text, width), column in zip(others, shown, strict=True)
    ]
    return _GAP.join([first[0].ljust(first[1]), *rest]).rstrip()
