"""Which way a measure improves, and which one ranks campaigns, for those who only read its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.registry import load_measures


@cache
def _directions() -> dict[str, str]:
    return {measure.name: measure.better for measure in load_measures(MetricsConfig())}


def lower_is_better(measure: str) -> bool:
    """Tell whether less of a measure is better; parameters that the defaults lack are read from their family."""
    directions = _directions()
    if measure in directions:
        return directions[measure] == "lower"
    family = measure.rsplit("_", 1)[0]
    return any(better == "lower" for name, better in directions.items() if name.rsplit("_", 1)[0] == family)


def primary_metric(variants: Sequence[str]) -> str | None:
    """Return the metric that ranks campaigns: coverage of the primary variant, or of the last there is."""
    primary = MetricsConfig().primary_variant
    variant = primary if primary in variants else (variants[-1] if variants else None)
    return f"{variant}.coverage" if variant else None
