"""The data set: how large the conversations are that the middleware listens to."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.metrics.records import Estimate, VariantMetrics
from exaid_evals.report.base import STUB_NOTE, Column, Row, Table, cases_note, column
from exaid_evals.report.cells import Number

NAME = "data_set"
_MEASURES = ("trace_messages", "trace_ctu", "trace_concepts")
_STATISTICS = {"n": "Cases", "mean": "Mean", "sd": "SD", "median": "Median", "min": "Min", "max": "Max"}


def build(variants: Sequence[VariantMetrics], primary: str) -> Table:
    """Build the table: a row per source of cases and measure of the conversation.

    Every variant hears the same conversation, so one variant a source speaks for all: the primary one where it is
        there.
    """
    by_source: dict[str, list[VariantMetrics]] = {}
    for variant in variants:
        by_source.setdefault(variant.case_source or "unknown", []).append(variant)
    columns = tuple(Column(name, heading, holds=Number) for name, heading in _STATISTICS.items())
    spoken = {
        source: next((one for one in there if one.variant_id == primary), there[0])
        for source, there in by_source.items()
    }
    rows = [row for source, variant in spoken.items() for row in _rows(source, variant)]
    notes = [
        "Per case: messages of the agents, their text in CTU (1 CTU = 4 characters, rounded up per message), and "
        "distinct concepts that the extractor finds in it. SD of the sample.",
        cases_note(spoken.values()),
        *([STUB_NOTE] if any(row.stub for row in rows) else []),
    ]
    return Table(
        NAME,
        "The frozen conversations",
        columns,
        tuple(rows),
        tuple(notes),
        key_names=("source", "measure"),
        row_heading="Per case",
    )


def _rows(source: str, variant: VariantMetrics) -> list[Row]:
    group = "Cases of unknown source" if source == "unknown" else f"{source[:1].upper()}{source[1:]} cases"
    return [
        Row(
            (source, measure),
            _cells(variant.measures[measure], measure),
            variant.stub,
            variant.signature,
            label=column(measure).heading,
            group=group,
        )
        for measure in _MEASURES
        if measure in variant.measures
    ]


def _cells(estimate: Estimate, measure: str) -> tuple[Number, ...]:
    own = column(measure)
    whole = Column(measure, "", decimals=0).digits
    return tuple(
        Number(getattr(estimate, name), whole if name in ("n", "min", "max") else own.digits) for name in _STATISTICS
    )
