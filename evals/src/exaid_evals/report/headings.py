"""How measures are called and shown to readers, the same in every table."""

from __future__ import annotations

import re
from collections.abc import Iterable

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import Column

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
    return [parameter for parameter in found if parameter.replace(".", "", 1).isdigit()]


def nearest_parameter(variants: Iterable[VariantMetrics], prefix: str, wanted: float) -> str:
    """Return the parameter nearest to a wanted one, the lesser of two; empty where there is none."""
    return min(parameters(variants, prefix), key=lambda text: (abs(float(text) - wanted), float(text)), default="")
