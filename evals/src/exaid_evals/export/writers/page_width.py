"""Tables of any width on a page of one: columns that do not fit beside each other stand in panels below each other.

Widths are those of Computer Modern at 8 pt, as tables are set, on the text width of a plain article.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from exaid_evals.report.base import Column, Row, Table
from exaid_evals.report.cells import Text

_PAGE_PT = 345.0
_BETWEEN_PT = 6.2
_INDENT_PT = 9.0
_NAME_PT, _TEXT_PT = 150.0, 110.0
"""The widest that a row's name, and a cell of text, may be; longer ones are cut in their middle."""
_WIDTHS = {  # of cmr8, by its font metrics; what the face does not have is set in others, or as a sign of mathematics
    2.36: "!',.:;[]`il",
    2.83: "fj- /",
    3.35: "I()rts",
    3.78: "cez",
    4.36: '"$*0123456789^ago{}~?J',
    4.72: "kqvxySbdhnpu_–",
    5.54: "ZLF<>",
    6.14: "EPBCTwσ",
    6.7: "RAHNUVXYDK&+=@OQG±−×≥≤",
    7.78: "#%mM…",
    8.73: "|W",
}
_OF = {one: width for width, characters in _WIDTHS.items() for one in characters}
_OTHER_PT = 8.0
_BOLD, _SMALL = 1.17, 0.9
_UNKNOWN_PT = 38.0
"""A letter that an engine prints by its code point, such as [U+6F22]."""


def fitted(table: Table) -> Table:
    """Return a table whose columns are divided into panels that fit the page, and whose texts are cut to fit them."""
    labels, above = _short_names([row.name for row in table.rows])
    rows = tuple(_cut(row, table, label) for row, label in zip(table.rows, labels, strict=True))
    of_rows = (width_of(row.name) * (_BOLD if row.key == table.primary else 1.0) for row in rows)
    names = max([width_of(table.row_heading), *of_rows])
    names += _INDENT_PT if any(row.group for row in rows) else 0.0
    columns = list(table.columns)
    for title, indices in table.panels:
        parts = _parts(indices, [_width(table, rows, index) for index in indices], names)
        if len(parts) > 1:
            for number, part in enumerate(parts):
                for index in part:
                    columns[index] = replace(columns[index], panel=f"{title} ({_letter(number)})".strip())
    notes = (*table.notes, *([f"Names of rows are below {above}."] if above else []))
    return replace(table, rows=rows, columns=tuple(columns), notes=notes)


def _width(table: Table, rows: Sequence[Row], index: int) -> float:
    column = table.columns[index]
    cells = [width_of(column.shown(row.cells[index])) for row in rows]
    below = [width_of(column.below(row.cells[index])) * _SMALL for row in rows]
    return max([width_of(column.heading), width_of(f"({column.unit})") * _SMALL, *cells, *below]) + _BETWEEN_PT


def _parts(indices: Sequence[int], widths: Sequence[float], names: float) -> list[list[int]]:
    """Return the columns of a panel, divided so that each part fits the page beside the names."""
    parts: list[list[int]] = [[]]
    used = names
    for index, width in zip(indices, widths, strict=True):
        if parts[-1] and used + width > _PAGE_PT:
            parts.append([])
            used = names
        parts[-1].append(index)
        used += width
    return parts


@lru_cache(maxsize=4096)
def width_of(text: str) -> float:
    """Return the width of a text in points.

    >>> round(width_of("0.947 ± 0.019"), 1), round(width_of("accuracy"), 1)
    (52.0, 32.9)
    """
    return sum(_OF.get(one) or (_UNKNOWN_PT if ord(one) > 0x24F and one.isalpha() else _OTHER_PT) for one in text)


def _cut(row: Row, table: Table, label: str) -> Row:
    cells = tuple(
        Text(_shortened(cell.text, _TEXT_PT)) if isinstance(cell, Text) and _is_text(column) else cell
        for column, cell in zip(table.columns, row.cells, strict=True)
    )
    return replace(row, cells=cells, label=label, group=_shortened(row.group, _PAGE_PT))


def _is_text(column: Column) -> bool:
    return column.holds is Text


def _short_names(names: Sequence[str]) -> tuple[list[str], str]:
    """Return names that fit and differ as the whole ones do, and the folders that all of them share and lost."""
    if all(width_of(name) <= _NAME_PT for name in names):
        return list(names), ""
    paths = [name for name in names if "/" in name]
    shared = os.path.commonpath(paths) if len(paths) > 1 and len(paths) >= len(names) - 1 else ""
    shared = shared.rpartition("/")[0] if shared in paths else shared
    bare = [name.removeprefix(f"{shared}/") if shared else name for name in names]
    short = [_shortened(name, _NAME_PT) for name in bare]
    if len(set(short)) < len(set(bare)):  # what tells them apart stood in the middle
        short = [_shortened(name, _NAME_PT, tail=0.75) for name in bare]
    if len(set(short)) < len(set(bare)):
        short = [f"{_shortened(name, _NAME_PT - 24.0)} ({number})" for number, name in enumerate(bare, start=1)]
    return short, shared


def _shortened(text: str, most: float, tail: float = 1 / 3) -> str:
    if width_of(text) <= most:
        return text
    for kept in range(len(text) - 1, 1, -1):
        behind = min(max(int(kept * tail), 1), kept - 1)
        shown = f"{text[: kept - behind]}…{text[-behind:]}"
        if width_of(shown) <= most:
            return shown
    return text[:1]


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else str(number + 1)
