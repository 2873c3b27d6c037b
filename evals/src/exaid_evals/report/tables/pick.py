"""Measures whose names carry a parameter: which parameters there are."""

from __future__ import annotations

from collections.abc import Iterable

from exaid_evals.metrics.records import VariantMetrics


def parameters(variants: Iterable[VariantMetrics], prefix: str) -> list[str]:
    """Return the parameters of the measures `<prefix><number>`, as written in their names, in the order found."""
    names = [name for variant in variants for name in variant.measures if name.startswith(prefix)]
    found = dict.fromkeys(name.removeprefix(prefix) for name in names)
    return [parameter for parameter in found if parameter.replace(".", "", 1).isdigit()]


def nearest_parameter(variants: Iterable[VariantMetrics], prefix: str, wanted: float) -> str:
    """Return the parameter nearest to a wanted one, the lesser of two; empty where there is none."""
    return min(parameters(variants, prefix), key=lambda text: (abs(float(text) - wanted), float(text)), default="")
