"""A table of an export before it takes a form: plain values, and means with their spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from exaid_evals.artifacts.canonical import canonical_json, rounded
from exaid_evals.export.aggregate import Aggregate
from exaid_evals.export.writers.page_width import fitted
from exaid_evals.report.base import MISSING, STUB_NOTE, Column, Row, Table
from exaid_evals.report.cells import Cell, Digits, Number, Text
from exaid_evals.report.formats import csv_table
from exaid_evals.report.formats.csv_table import inert
from exaid_evals.report.registry import FORMATS, load
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.standard_names import KAPPA, display_name

_SHORT = {"quadratic": "quadr.", "linear": "linear", "none": "unweighted"}
ROWS_AT_MOST = 200
"""Rows that a page to be read shows; CSV and JSON have all."""
_DECIMALS = 3
_WARNINGS_AT_MOST = 5
_NAMED_AT_MOST = 8


@dataclass(frozen=True, slots=True)
class Spread:
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

    def below(self, digits: Digits) -> str:
        """Return nothing."""
        return ""

    def values(self) -> tuple[object, ...]:
        """Return every statistic."""
        return tuple(getattr(self.aggregate, name) for name in self.STATISTICS)


Value = str | int | float | bool | None | Aggregate


@dataclass(frozen=True, slots=True)
class Sheet:
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
        """Return the sheet in every form, CSV among them unless it is made elsewhere: file name → content."""
        made = forms(self.table(), self.warnings)
        if csv:  # of an aggregate it has every statistic, which a table of the report does not hold
            made["csv"] = self.csv()
        else:
            del made["csv"]
        return {f"{self.name}.{suffix}": text.encode() for suffix, text in made.items()}

    def csv(self) -> str:
        """Return the sheet as CSV: every number, and of an aggregate every statistic in a column of its own."""
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
                    line += [cell(one) for one in asdict(value).values()]
                else:
                    line += [cell(value), *[None] * (len(Spread.STATISTICS) - 1 if index in spread else 0)]
            lines.append([*line, self.stub, self.signature])
        return csv_table.write_csv([str(cell(name)) for name in [*header, "stub", "signature"]], lines)

    def table(self) -> Table:
        """Return the sheet as a table of the report, cut to what a page can show, which a note says."""
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
    more = f" and {len(lacking) - _NAMED_AT_MOST} more" if len(lacking) > _NAMED_AT_MOST else ""
    return (f"Undefined in some {what}, which are left out of its mean: {', '.join(lacking[:_NAMED_AT_MOST])}{more}.",)


def records_of(aggregated: Mapping[str, Aggregate]) -> dict[str, dict[str, Any]]:
    """Return aggregates as a record has them."""
    return {name: asdict(one) for name, one in aggregated.items()}


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
