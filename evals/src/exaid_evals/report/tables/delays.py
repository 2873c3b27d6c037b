"""How long concepts wait for the clinician, those that never reach them included, and how far the clinician lags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import Table, build_table
from exaid_evals.report.headings import column

NAME = "delays"
WHY_NOT = "no variant has measures of delay"
_WAITS = ("concepts_told", "concepts_never_told", "concept_delay_ms_p50", "concept_delay_km_p50", "concept_delay_rmst")
_LAGS = ("anticipated", "lag_al", "lag_laal", "lag_dal", "silence_count", "silence_ms_max")
_NOTE = (
    "Told: concepts of a case that an update states after they were said; p50 is over these alone. KM: Kaplan–Meier "
    "median over all concepts, those never told censored at the end; restricted mean: of the same, up to the "
    "configured horizon. Anticipated: of what updates state, the share that nobody had said yet. AL, LAAL and DAL: by "
    "how many concepts the clinician lags behind an ideal policy, latency included. Silences: stretches without an "
    "update of the configured length or more, and the longest of all."
)


def build(variants: Sequence[VariantMetrics], primary: str) -> Table | None:
    """Build the table; None where no variant has such measures, as those of earlier versions."""
    columns = [
        *(column(name, panel="How long concepts wait") for name in _WAITS),
        *(column(name, panel="How the clinician follows") for name in _LAGS),
    ]
    table = build_table(NAME, "How long concepts wait", columns, variants, primary)
    return replace(table, notes=(_NOTE, *table.notes)) if table.columns else None
