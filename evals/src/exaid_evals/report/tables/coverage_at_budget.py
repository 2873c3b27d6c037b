"""Coverage of what a clinician reads who stops after B CTU."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import Table, build_table
from exaid_evals.report.headings import column
from exaid_evals.report.tables.pick import parameters

NAME = "coverage_at_budget"


def build(variants: Sequence[VariantMetrics], primary: str) -> Table:
    """Build the table: a column per budget, the area under the curve, and coverage without a budget."""
    budgets = sorted(parameters(variants, "coverage_at_"), key=float)
    columns = [
        *(column(f"coverage_at_{budget}", heading=f"{budget} CTU") for budget in budgets),
        column("coverage_auc"),
        column("coverage", heading="Unlimited"),
    ]
    return build_table(NAME, "Coverage of the conversation's concepts at a reading budget", columns, variants, primary)
