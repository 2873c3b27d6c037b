"""What a table is before it takes a form: columns, rows of estimates, and notes that no form may drop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from exaid_evals.metrics.records import Estimate, VariantMetrics

MISSING = "–"
STUB_NOTE = "Stub data: talk or language model are simulated, and the numbers say nothing about a real middleware."


@dataclass(frozen=True, slots=True)
class Column:
    """One measure in a table.

    Attributes:
        measure: its name in the records, and in CSV.
        heading: its name for readers, short.
        unit: what the shown numbers are in; empty for shares and counts.
        decimals: shown; CSV always has all.
        panel: heading of the group of columns; forms with narrow pages set groups below each other.
        scale: factor from the record's unit to the shown one.
    """

    measure: str
    heading: str
    unit: str = ""
    decimals: int = 2
    panel: str = ""
    scale: float = 1.0

    def mean(self, estimate: Estimate | None) -> str:
        """Return the mean as shown."""
        return MISSING if estimate is None else self._number(estimate.mean)

    def interval(self, estimate: Estimate | None) -> str:
        """Return the interval as shown, in brackets; empty where there is none."""
        if estimate is None or estimate.ci95_low is None or estimate.ci95_high is None:
            return ""
        return f"[{self._number(estimate.ci95_low)}, {self._number(estimate.ci95_high)}]"

    def _number(self, value: float | None) -> str:
        if value is None:
            return MISSING
        # + 0.0 turns the -0.0 that rounding can leave into 0.0.
        return f"{round(value * self.scale, self.decimals) + 0.0:,.{self.decimals}f}".replace("-", "−")


@dataclass(frozen=True, slots=True)
class Row:
    """One variant in a table, with an estimate per column; None where the variant has no such measure."""

    variant_id: str
    estimates: tuple[Estimate | None, ...]
    n_cases: int
    n_failed: int
    stub: bool
    signature: str
    case_source: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table before it takes a form.

    Attributes:
        name: of its files.
        title: first sentence of the caption.
        notes: further sentences: cases, what is undefined, stub. The signatures are `signature_lines`.
        primary: the variant that stands out.
        counted: what the means are over.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    primary: str
    counted: str = "cases"

    @property
    def panels(self) -> list[tuple[str, list[int]]]:
        """Return panel → indices of its columns, in order."""
        grouped = groupby(range(len(self.columns)), key=lambda index: self.columns[index].panel)
        return [(panel, list(indices)) for panel, indices in grouped]

    @property
    def signature_lines(self) -> list[str]:
        """Return the signature, or what each of several belongs to."""
        return signature_lines({row.variant_id: row.signature for row in self.rows})


def build_table(
    name: str, title: str, columns: Iterable[Column], variants: Sequence[VariantMetrics], primary: str
) -> Table:
    """Fill a table's rows from variants; columns that no variant has are left out."""
    kept = tuple(column for column in columns if any(column.measure in variant.measures for variant in variants))
    rows = tuple(
        Row(
            variant.variant_id,
            tuple(variant.measures.get(column.measure) for column in kept),
            variant.n_cases,
            variant.n_failed,
            variant.stub,
            variant.signature,
            variant.case_source,
        )
        for variant in variants
    )
    return Table(name, title, kept, rows, tuple(_notes(kept, rows)), primary)


def signature_lines(by_variant: Mapping[str, str]) -> list[str]:
    """Return the one signature, or a warning and each signature with its variants."""
    groups: dict[str, list[str]] = {}
    for variant, signature in by_variant.items():
        groups.setdefault(signature, []).append(variant)
    if len(groups) == 1:
        return list(groups)
    lines = [f"{', '.join(variants)}: {signature}" for signature, variants in groups.items()]
    return ["Mixed signatures: rows were made differently and must not be compared.", *lines]


def cases_note(rows: Iterable[Row] | Iterable[VariantMetrics]) -> str:
    """Return how many cases the means are over, where they came from, and how many failed."""
    groups: dict[tuple[int, int, str | None], list[str]] = {}
    for row in rows:
        groups.setdefault((row.n_cases, row.n_failed, row.case_source), []).append(row.variant_id)
    parts = []
    for (n_cases, n_failed, source), names in groups.items():
        failed = f"; {n_failed} of {n_cases} failed and {'is' if n_failed == 1 else 'are'} left out" if n_failed else ""
        from_source = f" ({source})" if source else ""
        of = f" ({', '.join(names)})" if len(groups) > 1 else ""
        parts.append(f"n = {n_cases - n_failed} cases{from_source}{failed}{of}")
    return ". ".join(parts) + "."


def _notes(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    notes = ["Mean over cases with its 95 % bootstrap percentile interval.", cases_note(rows)]
    undefined = []
    for index, column in enumerate(columns):
        counts = [
            f"{row.variant_id} {estimate.n_undefined}"
            for row in rows
            if (estimate := row.estimates[index]) is not None and estimate.n_undefined
        ]
        if counts:
            undefined.append(f"{column.heading} ({', '.join(counts)})")
    if undefined:
        notes.append(f"Cases for which a measure is undefined, left out of its mean: {'; '.join(undefined)}.")
    if any(row.stub for row in rows):
        notes.append(STUB_NOTE)
    return notes
