"""Tables with a row per variant and a column per measure: which measures, under which headings, and what to know.

The main table says what each variant keeps, how soon, and what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import Column, Table, build_table, column, nearest_parameter, parameters

_KEPT = "What the clinician reads, and what it keeps"
_COST = "What it repeats, invents and costs"
_WAITS = ("concepts_told", "concepts_never_told", "concept_delay_ms_p50", "concept_delay_km_p50", "concept_delay_rmst")
_LAGS = ("anticipated", "lag_al", "lag_laal", "lag_dal", "silence_count", "silence_ms_max")


@dataclass(frozen=True, slots=True)
class VariantTable:
    """A table of the report.

    Attributes:
        name: of its files.
        title: first sentence of the caption.
        columns: from the variants, for those whose names carry a parameter; none where the table is not to be made.
        note: before the other notes; empty for none.
        why_not: why there is none.
    """

    name: str
    title: str
    columns: Callable[[Sequence[VariantMetrics]], list[Column]]
    note: str = ""
    why_not: str = "no case was measured: each failed, or has no conversation"

    @property
    def WHY_NOT(self) -> str:  # noqa: N802 - what a module of the kind calls it
        """Why there is none."""
        return self.why_not

    def table(self, variants: Sequence[VariantMetrics], primary: str) -> Table:
        """Return the table, which has no columns where no variant has its measures."""
        table = build_table(self.name, self.title, self.columns(variants), variants, primary)
        return replace(table, notes=(self.note, *table.notes)) if self.note else table

    def build(self, variants: Sequence[VariantMetrics], primary: str) -> Table | None:
        """Return the table; None where no variant has its measures."""
        table = self.table(variants, primary)
        return table if table.columns else None


def main_measures(variants: Sequence[VariantMetrics]) -> tuple[list[str], list[str]]:
    """Return the measures of both panels of the main table; of budgets the one nearest to 500 CTU."""
    budget = nearest_parameter(variants, "coverage_at_", 500)
    kept = ["update_count", "output_ctu", "compression", "coverage", f"coverage_at_{budget}", "time_to_first_update_ms"]
    cost = ["restated", "unsupported", "concept_delay_ms_p50", "llm_calls", "schema_failure_rate"]
    return kept, cost


def _main(variants: Sequence[VariantMetrics]) -> list[Column]:
    kept, cost = main_measures(variants)
    return [*(column(name, panel=_KEPT) for name in kept), *(column(name, panel=_COST) for name in cost)]


def _budgets(variants: Sequence[VariantMetrics]) -> list[Column]:
    """Return a column per budget, the area under the curve, and coverage without a budget."""
    budgets = sorted(parameters(variants, "coverage_at_"), key=float)
    at = [column(f"coverage_at_{budget}", heading=f"{budget} CTU") for budget in budgets]
    return [*at, column("coverage_auc"), column("coverage", heading="Unlimited")]


def _delays(_: Sequence[VariantMetrics]) -> list[Column]:
    waits = [column(name, panel="How long concepts wait") for name in _WAITS]
    return [*waits, *(column(name, panel="How the clinician follows") for name in _LAGS)]


def _gold(variants: Sequence[VariantMetrics]) -> list[Column]:
    """Return coverage by extractor and by gold labels; nothing where no case has gold labels."""
    if not any((one := variant.measures.get("coverage_gold")) and one.n for variant in variants):
        return []
    budget = nearest_parameter(variants, "coverage_at_", 500)
    return [
        column("coverage"),
        column("coverage_gold", heading="Gold"),
        column("coverage_error", heading="Difference"),
        column(f"coverage_at_{budget}"),
        column(f"coverage_gold_at_{budget}", heading=f"Gold@{budget}"),
    ]


MAIN = VariantTable("main", "Main results per variant", _main)
COVERAGE_AT_BUDGET = VariantTable(
    "coverage_at_budget", "Coverage of the conversation's concepts at a reading budget", _budgets
)
DELAYS = VariantTable(
    "delays",
    "How long concepts wait",
    _delays,
    "Reported: concepts of a case that an update states after they were said; p50 is over these alone. KM: "
    "Kaplan–Meier median over all concepts, those never reported censored at the end; restricted mean: of the same, up "
    "to the configured horizon. Anticipated: of what updates state, the share that nobody had said yet. AL, LAAL and "
    "DAL: by how many concepts the clinician lags behind an ideal policy, latency included. Silences: stretches "
    "without an update of the configured length or more, and the longest of all.",
    "no variant has measures of delay",
)
COVERAGE_GOLD = VariantTable(
    "coverage_gold",
    "Coverage by the extractor and by gold labels",
    _gold,
    "Gold: coverage of the concepts that the generator put into the conversation, counted where updates copy its "
    "sentences; difference: coverage − gold, case by case, from what the extractor misses or makes up and "
    "from what it finds in text without labels.",
    "it needs messages whose concepts are known, which only stub traces have",
)
