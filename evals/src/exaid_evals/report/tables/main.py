"""The main table: what each variant keeps, how soon, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import Column, Table, build_table
from exaid_evals.report.tables.pick import nearest_parameter

NAME = "main"
_KEPT = "What the clinician reads, and what it keeps"
_COST = "What it repeats, invents and costs"


def build(variants: Sequence[VariantMetrics], primary: str) -> Table:
    """Build the table; of budgets and thresholds it shows those nearest to 500 CTU and 0.90."""
    budget = nearest_parameter(variants, "coverage_at_", 500)
    tau = nearest_parameter(variants, "redundancy_", 0.90)
    columns = [
        Column("update_count", "Updates", decimals=1, panel=_KEPT),
        Column("output_ctu", "Output", unit="CTU", decimals=0, panel=_KEPT),
        Column("compression", "Compression", decimals=3, panel=_KEPT),
        Column("coverage", "Coverage", decimals=3, panel=_KEPT),
        Column(f"coverage_at_{budget}", f"Coverage@{budget}", decimals=3, panel=_KEPT),
        Column("time_to_first_update_ms", "First update", unit="s", decimals=1, panel=_KEPT, scale=0.001),
        Column(f"redundancy_{tau}", f"Redundant ≥ {tau}", decimals=3, panel=_COST),
        Column("unsupported", "Unsupported", decimals=3, panel=_COST),
        Column("concept_delay_ms_p50", "Delay p50", unit="s", decimals=1, panel=_COST, scale=0.001),
        Column("llm_calls", "LLM calls", decimals=1, panel=_COST),
        Column("schema_failure_rate", "Schema fails", decimals=3, panel=_COST),
    ]
    return build_table(NAME, "Main results per variant", columns, variants, primary)
