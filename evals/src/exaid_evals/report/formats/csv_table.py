"""A table as CSV: every number with all its decimals, and on each row how it was made."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence

from exaid_evals.report.base import Table

_UNSEEN = r"\x00-\x20\x7f-\xa0\xad" + "\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2069\u3000\ufeff"
FORMULA = rf"[{_UNSEEN}]*[=+\-@" + "\uff1d\uff0b\uff0d\uff20" + r"]|[\t\r\n]"
"""How text begins that some spreadsheet computes: several cut off blanks, and what nobody sees, before they look."""
_FORMULA = re.compile(FORMULA)
_TRUTH = {True: "true", False: "false"}


def render(table: Table) -> str:
    """Return the table: what identifies a row, each cell's statistics, stub and signature; empty where undefined."""
    counts = any(row.n_cases is not None for row in table.rows)
    header = [*table.key_names, *([f"n_{table.counted}", "n_failed"] if counts else [])]
    header += [name for column in table.columns for name in column.csv_names]
    lines: list[list[object]] = []
    for row in table.rows:
        line: list[object] = [*row.keys, *([row.n_cases, row.n_failed] if counts else [])]
        for column, cell in zip(table.columns, row.cells, strict=True):
            line += column.values(cell)
        lines.append([*line, row.stub, row.signature])
    return write_csv([*header, "stub", "signature"], lines)


def write_csv(
    header: Sequence[str], lines: Iterable[Sequence[object]], cell: Callable[[object], object] | None = None
) -> str:
    r"""Return CSV as RFC 4180 has it, but with `\n`; None is empty, truth values are true and false.

    Args:
        header: names of the columns.
        lines: values.
        cell: makes the text or number of a value, formulas inert; None for the usual.

    >>> write_csv(["a", "b", "c"], [[0.25, None, True], ["=1+1", "-0.5", " @x"]])
    "a,b,c\n0.25,,true\n'=1+1,-0.5,' @x\n"
    """
    return csv_lines([header, *lines], cell)


def csv_lines(lines: Iterable[Sequence[object]], cell: Callable[[object], object] | None = None) -> str:
    """Return lines of such a file, the heading among them where it is one of them."""
    made = cell or _cell
    # The writer itself leaves None empty.
    rows = [[made(value) for value in line] for line in lines]
    text = _written(rows, "\n")
    if "\r" in text:  # which would end a row for many readers: it is quoted where it is in the line's end
        text = "".join(_written([row], "\r\n").removesuffix("\r\n") + "\n" for row in rows)
    return text


def _written(rows: Iterable[Sequence[object]], end: str) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator=end).writerows(rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return _TRUTH[value]
    return inert(value) if isinstance(value, str) else value


def inert(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: behind an apostrophe where it begins like one.

    >>> [inert(text) for text in ("=1+1", "-0.5", "a=b", "-x")]
    ["'=1+1", '-0.5', 'a=b', "'-x"]
    """
    if text[:1].isalnum():  # nearly all do
        return text
    if _FORMULA.match(text) is None:
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
