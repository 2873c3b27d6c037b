"""The tables of the overview, and what `explain` says of each of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exaid_evals.provenance.lineage import Lineages
from exaid_evals.provenance.lines import lineage_lines
from exaid_evals.provenance.tables import Place
from exaid_evals.report.base import Column, Row, Table, build_table
from exaid_evals.report.headings import column
from exaid_evals.report.results import Results

SHOWN = ("main", "coverage_at_budget", "comparisons", "delays", "data_set")
"""Those of the report that the overview shows; the others stand in the campaign's folder."""
COST = "cost"
_COSTS = ("llm_calls", "trigger_calls", "prompt_ctu", "completion_ctu", "trigger_ctu")
_LATENCIES = ("latency_ms_p50", "latency_ms_p95", "trigger_latency_ms_p50", "trigger_latency_ms_p95")
_LOCAL_FILES = "tables"


def cost_table(results: Results, primary: str) -> Table:
    """Return what each variant asks of the language model, and how long it waits for it."""
    columns = [
        *(column(name, panel="What it asks of the language model, per case") for name in _COSTS),
        *(column(name, panel="How long it waits for it") for name in _LATENCIES),
    ]
    return build_table(COST, "Cost", columns, results, primary)


class TableWriter:
    """Writes tables as the page has them; lines that many numbers share are held once.

    Attributes:
        lines: label and text of every line of provenance.
    """

    def __init__(self, lineages: Lineages) -> None:
        self._lineages = lineages
        self._numbers: dict[tuple[str, str], int] = {}

    @property
    def lines(self) -> list[list[str]]:
        """Label and text of every line; cells name them by number."""
        return [list(line) for line in self._numbers]

    def write(self, table: Table) -> dict[str, Any]:
        """Return a table: headings, and per cell its text, its measure and variants, and its lines of provenance."""
        return {
            "name": table.name,
            "title": table.title,
            "notes": list(table.notes),
            "heading": table.row_heading,
            "columns": [
                {"heading": one.heading, "unit": one.unit, "panel": one.panel, "left": one.left}
                for one in table.columns
            ],
            "rows": [
                {
                    "key": row.key,
                    "label": row.name,
                    "group": row.group,
                    "primary": row.key == table.primary,
                    "cells": [self._cell(table, row, one) for one in table.columns],
                }
                for row in table.rows
            ],
        }

    def _cell(self, table: Table, row: Row, of: Column) -> dict[str, Any] | None:
        place = Place(table, row, of)
        if place.empty:
            return None
        cell = row.cells[table.columns.index(of)]
        written = {"text": of.shown(cell), "below": of.below(cell), "measure": place.measure}
        keys = {name: key for name, key in place.keys.items() if name in ("variant", "against")}
        return {**written, **keys, "lines": [self._number(line) for line in self._lines(place)]}

    def _lines(self, place: Place) -> Iterator[tuple[str, str]]:
        local = place.table.name == COST  # which no file has
        label = ""
        for name, text in lineage_lines(self._lineages.of(place)):
            label = name or label
            if not (local and label == _LOCAL_FILES):
                yield name, text

    def _number(self, line: tuple[str, str]) -> int:
        return self._numbers.setdefault(line, len(self._numbers))


def shown_tables(tables: Mapping[str, Table], results: Results, primary: str) -> list[Table]:
    """Return the tables of the overview, in their order; those that the data do not give are left out."""
    return [*(tables[name] for name in SHOWN if name in tables), cost_table(results, primary)]
