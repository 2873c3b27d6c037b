"""Coverage as the extractor sees it beside coverage by gold labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import Table, build_table
from exaid_evals.report.headings import column
from exaid_evals.report.tables.pick import nearest_parameter

NAME = "coverage_gold"
WHY_NOT = "it needs messages whose concepts are known, which only stub traces have"
_NOTE = (
    "Gold: coverage of the concepts that the generator put into the conversation, counted where updates copy its "
    "sentences; difference: coverage − gold, case by case, from what the extractor misses or makes up and "
    "from what it finds in text without labels."
)


def build(variants: Sequence[VariantMetrics], primary: str) -> Table | None:
    """Build the table; of budgets it shows that nearest to 500 CTU. None where no case has gold labels."""
    judged = [one for variant in variants if (one := variant.measures.get("coverage_gold")) and one.n]
    if not judged:
        return None
    budget = nearest_parameter(variants, "coverage_at_", 500)
    columns = [
        column("coverage"),
        column("coverage_gold", heading="Gold"),
        column("coverage_error", heading="Difference"),
        column(f"coverage_at_{budget}"),
        column(f"coverage_gold_at_{budget}", heading=f"Gold@{budget}"),
    ]
    table = build_table(NAME, "Coverage by the extractor and by gold labels", columns, variants, primary)
    return replace(table, notes=(_NOTE, *table.notes))
