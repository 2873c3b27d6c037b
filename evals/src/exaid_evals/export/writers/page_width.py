"""Tables of any width on a page of one: columns that do not fit beside each other stand in panels below each other.

Widths are of Computer Modern at 8 pt, as tables are set, on the text width of a plain article, and rather too large: a
panel more costs a line, and an overfull one runs off the page.
"""

from __future__ import annotations

from dataclasses import replace

from exaid_evals.report.base import Column, Row, Table
from exaid_evals.report.cells import Text

_PAGE_PT = 345.0
_BETWEEN_PT = 7.0
_NAME_PT, _TEXT_PT = 150.0, 110.0
"""The widest that a row's name, and a cell of text, may be; longer ones are cut in their middle."""
_NARROW, _WIDE, _WIDEST = frozenset("iljtfrI.,;:'|!()[]/ "), frozenset("mwMW%@&±−"), 8.2


def fitted(table: Table) -> Table:
    """Return a table whose columns are divided into panels that fit the page, and whose texts are cut to fit them."""
    rows = tuple(_cut(row, table) for row in table.rows)
    names = max((width_of(text) * 1.2 for text in (table.row_heading, *(row.name for row in rows))), default=0.0)
    panels: list[list[int]] = [[]]
    used = names
    for index, column in enumerate(table.columns):
        cells = [width_of(column.shown(row.cells[index])) for row in rows]
        width = max([width_of(column.heading), *cells]) + _BETWEEN_PT
        if panels[-1] and used + width > _PAGE_PT:
            panels.append([])
            used = names
        panels[-1].append(index)
        used += width
    if len(panels) == 1 or any(column.panel for column in table.columns):
        return replace(table, rows=rows)
    titles = {index: f"({_letter(number)})" for number, panel in enumerate(panels) for index in panel}
    columns = tuple(replace(column, panel=titles[index]) for index, column in enumerate(table.columns))
    return replace(table, rows=rows, columns=columns)


def width_of(text: str) -> float:
    """Return the width of a text in points, rather too large than too small.

    >>> width_of("0.947 ± 0.019") < 70, width_of("accuracy") < 45
    (True, True)
    """
    return sum(
        2.8 if one in _NARROW else _WIDEST if one in _WIDE or ord(one) > 0x2E80 else 6.2 if one.isupper() else 4.8
        for one in text
    )


def _cut(row: Row, table: Table) -> Row:
    cells = tuple(
        Text(_shortened(cell.text, _TEXT_PT)) if isinstance(cell, Text) and _is_text(column) else cell
        for column, cell in zip(table.columns, row.cells, strict=True)
    )
    return replace(row, cells=cells, label=_shortened(row.name, _NAME_PT))


def _is_text(column: Column) -> bool:
    return column.holds is Text


def _shortened(text: str, most: float) -> str:
    if width_of(text) <= most:
        return text
    tail = len(text) // 3
    for kept in range(len(text), 1, -1):
        shown = f"{text[: max(kept - tail, 1)]}…{text[-min(tail, kept - 1) :]}"
        if width_of(shown) <= most:
            return shown
        tail = min(tail, max(kept // 3, 1))
    return text[:1]


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else str(number + 1)
