"""What a table is before it takes a form: columns, rows of cells, and notes that no form may drop.

Measures are called and shown in the same way in every table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.cells import MISSING, Cell, Digits, Mean, Text
from exaid_evals.report.notes import (
    STUB_NOTE,
    cases_note,
    models_note,
    rests_on_time,
    signature_lines,
    time_note,
    undefined_note,
)

__all__ = [
    "MISSING",
    "STUB_NOTE",
    "Column",
    "Row",
    "Table",
    "build_table",
    "cases_note",
    "column",
    "nearest_parameter",
    "parameters",
    "signature_lines",
]

MEAN_NOTE = "Mean over cases with its 95 % bootstrap percentile interval."

_SECONDS = 0.001
# measure → heading, unit, decimals, factor from the record's unit to the shown one
_SHOWN: dict[str, tuple[str, str, int, float]] = {
    "update_count": ("Updates", "", 1, 1.0),
    "output_ctu": ("Output", "CTU", 0, 1.0),
    "trace_ctu": ("CTU", "", 0, 1.0),
    "trace_messages": ("Messages", "", 1, 1.0),
    "trace_concepts": ("Concepts", "", 1, 1.0),
    "compression": ("Compression", "", 3, 1.0),
    "coverage": ("Coverage", "", 3, 1.0),
    "coverage_auc": ("AUC", "", 3, 1.0),
    "unsupported": ("Unsupported", "", 3, 1.0),
    "time_to_first_update_ms": ("First update", "s", 1, _SECONDS),
    "concept_delay_ms_p50": ("Delay p50", "s", 1, _SECONDS),
    "concept_delay_ms_p95": ("Delay p95", "s", 1, _SECONDS),
    "concept_delay_km_p50": ("Delay median, KM", "s", 1, _SECONDS),
    "concept_delay_rmst": ("Restricted mean", "s", 1, _SECONDS),
    "concepts_told": ("Reported", "", 1, 1.0),
    "concepts_never_told": ("Never reported", "", 1, 1.0),
    "anticipated": ("Anticipated", "", 3, 1.0),
    "restated": ("Restated", "", 3, 1.0),
    "lag_al": ("AL", "concepts", 1, 1.0),
    "lag_laal": ("LAAL", "concepts", 1, 1.0),
    "lag_dal": ("DAL", "concepts", 1, 1.0),
    "silence_count": ("Silences", "", 1, 1.0),
    "silence_ms_max": ("Longest", "s", 1, _SECONDS),
    "llm_calls": ("LLM calls", "", 1, 1.0),
    "prompt_ctu": ("Prompts", "CTU", 0, 1.0),
    "completion_ctu": ("Answers", "CTU", 0, 1.0),
    "trigger_calls": ("Trigger calls", "", 1, 1.0),
    "trigger_ctu": ("Trigger", "CTU", 0, 1.0),
    "latency_ms_p50": ("Update p50", "s", 2, _SECONDS),
    "latency_ms_p95": ("Update p95", "s", 2, _SECONDS),
    "trigger_latency_ms_p50": ("Decision p50", "s", 2, _SECONDS),
    "trigger_latency_ms_p95": ("Decision p95", "s", 2, _SECONDS),
    "schema_failure_rate": ("Schema fails", "", 3, 1.0),
}
_WITH_PARAMETER = {
    "coverage_at_": "Coverage@{}",
    "redundancy_text_": "Redundant text ≥ {}",
    "redundancy_": "Redundant ≥ {}",
}
_PARAMETER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Column:
    """One measure, or one statistic, in a table.

    Attributes:
        measure: its name in the records, and in CSV.
        heading: its name for readers, short.
        unit: what the shown numbers are in; empty for shares and counts.
        decimals: shown; CSV always has all.
        panel: heading of the group of columns; forms with narrow pages set groups below each other.
        scale: factor from the record's unit to the shown one.
        holds: kind of its cells.
    """

    measure: str
    heading: str
    unit: str = ""
    decimals: int = 2
    panel: str = ""
    scale: float = 1.0
    holds: type[Cell] = Mean

    @property
    def digits(self) -> Digits:
        """Return how its numbers are shown."""
        return Digits(self.decimals, self.scale)

    @property
    def left(self) -> bool:
        """Return whether its cells stand at the left, as words do."""
        return self.holds is Text

    @property
    def csv_names(self) -> list[str]:
        """Return the names of its columns in CSV."""
        return [f"{self.measure}_{statistic}" if statistic else self.measure for statistic in self.holds.STATISTICS]

    def shown(self, cell: Cell | None) -> str:
        """Return a cell's text."""
        return MISSING if cell is None else cell.shown(self.digits)

    def below(self, cell: Cell | None) -> str:
        """Return what stands below it in smaller print; empty for nothing."""
        return "" if cell is None else cell.below(self.digits)

    def values(self, cell: Cell | None) -> tuple[object, ...]:
        """Return a cell's values for CSV."""
        return (None,) * len(self.holds.STATISTICS) if cell is None else cell.values()


def column(measure: str, *, heading: str = "", panel: str = "") -> Column:
    """Return the column of a measure; one that is not known here is called as in the records.

    >>> column("redundancy_0.90").heading, column("my_own").heading, column("time_to_first_update_ms").unit
    ('Redundant ≥ 0.90', 'my_own', 's')
    """
    name, unit, decimals, scale = _SHOWN.get(measure) or (_with_parameter(measure), "", 3, 1.0)
    return Column(measure, heading or name, unit=unit, decimals=decimals, panel=panel, scale=scale)


def _with_parameter(measure: str) -> str:
    for prefix, heading in _WITH_PARAMETER.items():
        parameter = measure.removeprefix(prefix)
        if parameter != measure and _PARAMETER.fullmatch(parameter):
            return heading.format(parameter)
    return measure


def parameters(variants: Iterable[VariantMetrics], prefix: str) -> list[str]:
    """Return the parameters of the measures `<prefix><number>`, as written in their names, in the order found."""
    names = [name for variant in variants for name in variant.measures if name.startswith(prefix)]
    found = dict.fromkeys(name.removeprefix(prefix) for name in names)
    return [parameter for parameter in found if parameter.replace(".", "", 1).isdecimal()]


def nearest_parameter(variants: Iterable[VariantMetrics], prefix: str, wanted: float) -> str:
    """Return the parameter nearest to a wanted one, the lesser of two; empty where there is none."""
    return min(parameters(variants, prefix), key=lambda text: (abs(float(text) - wanted), float(text)), default="")


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        keys: what identifies it, a value per name in `Table.key_names`: a variant, or a measure and two variants.
        cells: one a column; None where the row has no such thing.
        stub: whether its numbers come from simulated data.
        signature: how they were made.
        label: its name for readers; empty takes the keys.
        group: heading under which it stands, with the rows beside it that have the same one.
        n_cases: what its means are over, failed cases included; None where the table says n in another way.
        n_failed: cases without a conversation.
        case_source: where the cases came from, as the manifest says.
        measures: the measure of each cell; empty where the columns, or a key called `measure`, name it.
    """

    keys: tuple[str, ...]
    cells: tuple[Cell | None, ...]
    stub: bool
    signature: str
    label: str = ""
    group: str = ""
    n_cases: int | None = None
    n_failed: int | None = None
    case_source: str | None = None
    measures: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return what names the row on a command line: `V3`, or `coverage/V0/V3`."""
        return "/".join(self.keys)

    @property
    def name(self) -> str:
        """Return what the row is called in a form."""
        return self.label or self.key


@dataclass(frozen=True, slots=True)
class Table:
    """A table before it takes a form.

    Attributes:
        name: of its files.
        title: first sentence of the caption.
        notes: further sentences: cases, what is undefined, tests, stub. The signatures are `signature_lines`.
        primary: key of the row that stands out; empty for none.
        counted: what the means are over.
        key_names: names of `Row.keys`, in CSV.
        row_heading: heading of the rows' names.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    primary: str = ""
    counted: str = "cases"
    key_names: tuple[str, ...] = ("variant",)
    row_heading: str = "Variant"

    @property
    def panels(self) -> list[tuple[str, list[int]]]:
        """Return panel → indices of its columns, in order."""
        grouped = groupby(range(len(self.columns)), key=lambda index: self.columns[index].panel)
        return [(panel, list(indices)) for panel, indices in grouped]

    @property
    def stub(self) -> bool:
        """Return whether any row comes from simulated data."""
        return any(row.stub for row in self.rows)

    @property
    def signature_lines(self) -> list[str]:
        """Return the signature, or what each of several belongs to."""
        return signature_lines((row.key, row.signature) for row in self.rows)

    def row(self, key: str) -> Row:
        """Return the row of a key.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)


def build_table(
    name: str, title: str, columns: Iterable[Column], variants: Sequence[VariantMetrics], primary: str
) -> Table:
    """Return a table with a row per variant and its means; columns that no variant has are left out."""
    kept = tuple(column for column in columns if any(column.measure in variant.measures for variant in variants))
    assumed = time_note(variants)
    kept = tuple(_marked(column) if assumed else column for column in kept)
    rows = tuple(
        Row(
            (variant.variant_id,),
            tuple(
                Mean(variant.measures[column.measure]) if column.measure in variant.measures else None
                for column in kept
            ),
            variant.stub,
            variant.signature,
            n_cases=variant.n_cases,
            n_failed=variant.n_failed,
            case_source=variant.case_source,
        )
        for variant in variants
    )
    notes = [MEAN_NOTE, cases_note(variants)]
    undefined = undefined_note(((column.heading, column.measure) for column in kept), variants)
    notes += [undefined] if undefined else []
    notes += filter(None, [models_note(variants)])
    notes += [assumed] if any(rests_on_time(column.measure) for column in kept) and assumed else []
    notes += [STUB_NOTE] if any(variant.stub for variant in variants) else []
    return Table(name, title, kept, rows, tuple(notes), primary)


def _marked(column: Column) -> Column:
    """State beside a time that it is not recorded."""
    unit = f"{column.unit}, assumed" if column.unit else "assumed"
    return replace(column, unit=unit) if rests_on_time(column.measure) else column
