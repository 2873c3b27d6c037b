"""A table as Markdown: one line a row, and below the table everything that a reader must know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from exaid_evals.report.base import Column, Row, Table


def render(table: Table) -> str:
    """Return the table with its title above and its notes below."""
    heading = [escape(table.row_heading), *(_heading(column) for column in table.columns)]
    lines = [_line(heading), "| " + " | ".join([":--", *(_ruler(column) for column in table.columns)]) + " |"]
    for group, rows in groupby(table.rows, key=lambda row: row.group):
        lines += [_line([_bold(group), *[""] * len(table.columns)])] if group else []
        lines += [_line(_cells(table, row)) for row in rows]
    notes = " ".join(escape(note) for note in table.notes)
    signatures = "\n".join(f"{line}  " if index else line for index, line in enumerate(_code(table.signature_lines)))
    return f"**{escape(table.title)}**\n\n" + "\n".join(lines) + f"\n\n{notes}\n\n{signatures}\n"


def escape(text: str) -> str:
    r"""Return text in which Markdown sees only text; underscores within words need no care.

    >>> escape("a|b *c* V10_b [0.1, 0.2] <i>  [x](y)")
    'a\\|b \\*c\\* V10_b [0.1, 0.2] \\<i> [x\\](y)'
    """
    text = " ".join(text.split())
    return re.sub(r"[\\`*|<]|\](?=[(\[])|&(?=#?\w+;)|~(?=~)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", text)


def escape_paragraph(text: str) -> str:
    r"""Return text that is a paragraph, or an item, of text: whatever it begins with starts nothing else.

    >>> [escape_paragraph(text) for text in ("# a", "- a", "12. a", "[a]: b", "-0.5", "---")]
    ['\\# a', '\\- a', '12\\. a', '\\[a]: b', '-0.5', '\\---']
    """
    shown = escape(text)
    return re.sub(
        r"^(\d{1,9}(?=[.)](?: |$))|(?=#{1,6}(?: |$)|>|[-+](?: |$)|-[- ]*$|=+$|\[[^\]]*\]:))", r"\1\\", shown, count=1
    )


def _cells(table: Table, row: Row) -> list[str]:
    name = _bold(row.name) if row.key == table.primary else escape(row.name)
    shown = [
        f"{column.shown(cell)} {column.below(cell)}".rstrip()
        for column, cell in zip(table.columns, row.cells, strict=True)
    ]
    return [name, *(escape(text) for text in shown)]


def _bold(text: str) -> str:
    return f"**{escape(text)}**"


def _heading(column: Column) -> str:
    return escape(f"{column.heading} ({column.unit})" if column.unit else column.heading)


def _ruler(column: Column) -> str:
    return ":--" if column.left else "--:"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _code(lines: Sequence[str]) -> list[str]:
    """Return signature lines as code, what stands before a signature as text."""
    shown = []
    for line in lines:
        before, found, signature = line.partition("exaid-evals/")
        shown.append(escape(before) + (" " if before.endswith(" ") else "") + f"`{found}{signature.replace('`', '')}`")
        if not found:
            shown[-1] = escape(line)
    return shown
