"""A table as Markdown: one line a variant, and below the table everything that a reader must know."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.report.base import Column, Row, Table


def render(table: Table) -> str:
    """Return the table with its title above and its notes below."""
    heading = ["Variant", *(_heading(column) for column in table.columns)]
    lines = [_line(heading), _line([":--", *["--:"] * len(table.columns)])]
    lines += [_line(_cells(table, row)) for row in table.rows]
    notes = " ".join(table.notes)
    signatures = "\n".join(f"{line}  " if index else line for index, line in enumerate(_code(table.signature_lines)))
    return f"**{table.title}**\n\n" + "\n".join(lines) + f"\n\n{notes}\n\n{signatures}\n"


def _cells(table: Table, row: Row) -> list[str]:
    name = f"**{row.variant_id}**" if row.variant_id == table.primary else row.variant_id
    cells = [name]
    for column, estimate in zip(table.columns, row.estimates, strict=True):
        interval = column.interval(estimate)
        cells.append(f"{column.mean(estimate)} {interval}".rstrip())
    return cells


def _heading(column: Column) -> str:
    return f"{column.heading} ({column.unit})" if column.unit else column.heading


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _code(signatures: Sequence[str]) -> list[str]:
    return [f"`{line}`" if line.startswith("exaid-evals/") else line for line in signatures]
