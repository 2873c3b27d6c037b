"""The main table: what each variant keeps, how soon, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import Table, build_table
from exaid_evals.report.headings import column
from exaid_evals.report.tables.pick import nearest_parameter

NAME = "main"
_KEPT = "What the clinician reads, and what it keeps"
_COST = "What it repeats, invents and costs"


def build(variants: Sequence[VariantMetrics], primary: str) -> Table:
    """Build the table."""
    kept, cost = measures(variants)
    columns = [*(column(name, panel=_KEPT) for name in kept), *(column(name, panel=_COST) for name in cost)]
    return build_table(NAME, "Main results per variant", columns, variants, primary)


def measures(variants: Sequence[VariantMetrics]) -> tuple[list[str], list[str]]:
    """Return the measures of both panels; of budgets the one nearest to 500 CTU."""
    budget = nearest_parameter(variants, "coverage_at_", 500)
    kept = [
        "update_count",
        "output_ctu",
        "compression",
        "coverage",
        f"coverage_at_{budget}",
        "time_to_first_update_ms",
    ]
    cost = ["restated", "unsupported", "concept_delay_ms_p50", "llm_calls", "schema_failure_rate"]
    return kept, cost
