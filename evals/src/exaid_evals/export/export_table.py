"""A table of an export before it takes a form: plain values, and means with their spread.

On a page of LaTeX, columns that do not fit beside each other stand in panels below each other. Widths are those of
Computer Modern at 8 pt, as tables are set, on the text width of a plain article.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar

from exaid_evals.artifacts.canonical import canonical_json, rounded
from exaid_evals.artifacts.redaction import first_few
from exaid_evals.export.aggregate import Aggregate
from exaid_evals.report.base import MISSING, STUB_NOTE, Column, Row, Table
from exaid_evals.report.cells import Cell, Digits, Number, Text
from exaid_evals.report.formats import csv_table
from exaid_evals.report.formats.csv_table import inert
from exaid_evals.report.registry import FORMATS, load
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.reported import KAPPA, display_name

_SHORT = {"quadratic": "quadr.", "linear": "linear", "none": "unweighted"}
ROWS_AT_MOST = 200
"""Rows that a page to be read shows; CSV and JSON have all."""
_DECIMALS = 3
_WARNINGS_AT_MOST = 5
_NAMED_AT_MOST = 8


@dataclass(frozen=True, slots=True)
class Spread(Cell):
    """A metric over runs, as papers print it: mean ± σ."""

    STATISTICS: ClassVar[tuple[str, ...]] = tuple(Aggregate.__dataclass_fields__)
    aggregate: Aggregate

    def shown(self, digits: Digits) -> str:
        """Return mean ± population σ; the mean alone where there is one run.

        >>> from exaid_evals.export.aggregate import aggregate
        >>> Spread(aggregate([0.676, 0.733, 0.679])).shown(Digits(3))
        '0.696 ± 0.026'
        """
        if self.aggregate.mean is None or self.aggregate.n < 2:
            return digits.show(self.aggregate.mean)
        return f"{digits.show(self.aggregate.mean)} ± {digits.show(self.aggregate.std)}"

    def values(self) -> tuple[object, ...]:
        """Return every statistic."""
        return tuple(getattr(self.aggregate, name) for name in self.STATISTICS)


Value = str | int | float | bool | None | Aggregate


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A table.

    Attributes:
        name: of its files.
        title: first sentence of the caption.
        heading: of the first column, which names the rows.
        columns: of the others.
        rows: name and values, a value per column.
        notes: further sentences of the caption.
        signature: how all of it was made.
        stub: whether any of it is simulated.
        shown: columns that pages to be read show; empty for all.
        best: name of the row that stands out; empty for none.
        warnings: for who reads the table as it was made; no part of a paper's caption.
        headings: column → its name for readers, where it is not the column's own.
        labels: row → its name for readers, where it is not the row's own.
    """

    name: str
    title: str
    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Value, ...]], ...]
    notes: tuple[str, ...]
    signature: str
    stub: bool = False
    shown: tuple[str, ...] = ()
    best: str = ""
    warnings: tuple[str, ...] = ()
    headings: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def files(self, *, csv: bool = True) -> dict[str, bytes]:
        """Return the table in every form, CSV among them unless it is made elsewhere: file name → content."""
        made = forms(self.table(), self.warnings)
        if csv:  # of an aggregate it has every statistic, which a table of the report does not hold
            made["csv"] = self.csv()
        else:
            del made["csv"]
        return {f"{self.name}.{suffix}": text.encode() for suffix, text in made.items()}

    def csv(self) -> str:
        """Return the table as CSV: every number, and of an aggregate every statistic in a column of its own."""
        spread = {
            index
            for index in range(len(self.columns))
            if any(isinstance(row[index], Aggregate) for _, row in self.rows)
        }
        header = [self.heading.lower()]
        for index, name in enumerate(self.columns):
            header += [f"{name}_{one}" for one in Spread.STATISTICS] if index in spread else [name]
        lines = []
        for name, values in self.rows:
            line: list[object] = [cell(name)]
            for index, value in enumerate(values):
                if isinstance(value, Aggregate):
                    line += map(cell, Spread(value).values())
                else:
                    line += [cell(value), *[None] * (len(Spread.STATISTICS) - 1 if index in spread else 0)]
            lines.append([*line, self.stub, self.signature])
        return csv_table.write_csv([str(cell(name)) for name in [*header, "stub", "signature"]], lines)

    def table(self) -> Table:
        """Return the table as a table of the report, cut to what a page can show, which a note says."""
        indices = [index for index, name in enumerate(self.columns) if not self.shown or name in self.shown]
        kinds = {index: _kind([row[index] for _, row in self.rows]) for index in indices}
        columns = tuple(
            Column(name, self.headings.get(name, display_name(name)), "", _DECIMALS, holds=kinds[index])
            for index, name in ((index, self.columns[index]) for index in indices)
        )
        rows = tuple(
            Row(
                (name,),
                tuple(_cell(values[index], kinds[index]) for index in indices),
                self.stub,
                self.signature,
                label=self.labels.get(name, ""),
            )
            for name, values in self.rows[:ROWS_AT_MOST]
        )
        notes = list(self.notes)
        if len(self.rows) > ROWS_AT_MOST:
            notes.append(f"The first {ROWS_AT_MOST} of {len(self.rows)} rows; {self.name}.csv has all.")
        if len(indices) < len(self.columns):
            notes.append(f"{len(self.columns) - len(indices)} further columns stand in {self.name}.csv.")
        notes += [STUB_NOTE] if self.stub else []
        return Table(
            self.name,
            self.title,
            columns,
            rows,
            tuple(notes),
            self.best,
            key_names=(self.heading.lower(),),
            row_heading=self.heading,
        )


def forms(table: Table, warnings: Sequence[str] = ()) -> dict[str, str]:
    """Return suffix → text of a table in every form; on a page it is fitted to its width, beside warnings only read."""
    noted = replace(table, notes=(*table.notes, *warning_notes(warnings)))
    of_form = {"tex": fitted(table), "md": noted}
    return {suffix: load(module).render(of_form.get(suffix, table)) for suffix, module in FORMATS.items()}


def displayed(runs: Sequence[Run]) -> Callable[[str], str]:
    """Return what tables of runs call a metric: kappa says its weights where all runs have the same."""
    weights = {run.attributes.get("kappa_weights") for run in runs if run.metrics.get(KAPPA) is not None}
    kappa = f"{display_name(KAPPA)} ({_SHORT[only]})" if len(weights) == 1 and (only := weights.pop()) in _SHORT else ""
    return lambda name: kappa if kappa and name == KAPPA else display_name(name)


def _kind(values: Sequence[Value]) -> type[Cell]:
    if any(isinstance(value, Aggregate) for value in values):
        return Spread
    numbers = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    return Number if numbers else Text


def _cell(value: Value, kind: type[Cell]) -> Cell | None:
    if value is None:
        return None
    if isinstance(value, Aggregate):
        return Spread(value)
    if kind is Number and isinstance(value, int | float):
        return Number(value, Digits(0) if isinstance(value, int) else None)
    if isinstance(value, float):
        return Text(Digits(_DECIMALS).show(value))
    return Text(str(value) or MISSING)


def warning_notes(warnings: Sequence[str]) -> tuple[str, ...]:
    """Return warnings as notes below a table, the first ones where there are many."""
    more = len(warnings) - _WARNINGS_AT_MOST
    return (
        *(f"Warning: {warning}." for warning in warnings[:_WARNINGS_AT_MOST]),
        *([f"{more} further warnings stand in exported_summary.json."] if more > 0 else []),
    )


def undefined_note(
    aggregated: Mapping[str, Aggregate], what: str = "runs", shown: Callable[[str], str] = display_name
) -> tuple[str, ...]:
    """Return a note that says which metrics are undefined in how many runs; nothing where none is."""
    lacking = [f"{shown(name)} ({one.n_missing})" for name, one in aggregated.items() if one.n_missing]
    if not lacking:
        return ()
    return (f"Undefined in some {what}, which are left out of its mean: {first_few(lacking, _NAMED_AT_MOST)}.",)


def records_of(aggregated: Mapping[str, Aggregate]) -> dict[str, dict[str, Any]]:
    """Return aggregates as a record has them."""
    return {name: dict(zip(Spread.STATISTICS, Spread(one).values(), strict=True)) for name, one in aggregated.items()}


def cell(value: object) -> object:
    r"""Return a value as a cell: numbers rounded, lists and mappings as JSON, formulas behind an apostrophe.

    >>> cell("=1+1"), cell(-0.12345678), cell(None), cell([1, "a"])
    ("'=1+1", -0.123457, None, '[1,"a"]')
    >>> cell(" =cmd|' /C calc'!A0"), cell("-"), cell("results_4")
    ("' =cmd|' /C calc'!A0", "'-", 'results_4')
    """
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return canonical_json(value) if isinstance(value, list | tuple | dict) else value


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
_WIDTH_OF = {one: width for width, characters in _WIDTHS.items() for one in characters}
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
        parts = _parts(indices, [_column_width(table, rows, index) for index in indices], names)
        if len(parts) > 1:
            for number, part in enumerate(parts):
                for index in part:
                    columns[index] = replace(columns[index], panel=f"{title} ({_letter(number)})".strip())
    notes = (*table.notes, *([f"Names of rows are below {above}."] if above else []))
    return replace(table, rows=rows, columns=tuple(columns), notes=notes)


def _column_width(table: Table, rows: Sequence[Row], index: int) -> float:
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
    return sum(_WIDTH_OF.get(one) or (_UNKNOWN_PT if ord(one) > 0x24F and one.isalpha() else _OTHER_PT) for one in text)


def _cut(row: Row, table: Table, label: str) -> Row:
    cells = tuple(
        Text(_shortened(cell.text, _TEXT_PT)) if isinstance(cell, Text) and column.holds is Text else cell
        for column, cell in zip(table.columns, row.cells, strict=True)
    )
    return replace(row, cells=cells, label=label, group=_shortened(row.group, _PAGE_PT))


def _short_names(names: Sequence[str]) -> tuple[list[str], str]:
    """Return names that fit and differ as the whole ones do, and the folders that all of them share and lost."""
    if all(width_of(name) <= _NAME_PT for name in names):
        return list(names), ""
    paths = [name for name in names if "/" in name]
    alike = len({name.startswith("/") for name in paths}) == 1  # some tool's own names begin so
    shared = os.path.commonpath(paths) if alike and len(paths) > 1 and len(paths) >= len(names) - 1 else ""
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
