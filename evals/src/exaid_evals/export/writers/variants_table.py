"""`variants_over_runs.{csv,md,tex}`: the main table of a campaign, its means taken over campaigns."""

from __future__ import annotations

from dataclasses import replace

from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.export.aggregate import Aggregate
from exaid_evals.export.stage import Export
from exaid_evals.metrics.directions import primary_metric
from exaid_evals.metrics.records import Estimate, VariantMetrics
from exaid_evals.report.base import STUB_NOTE, Table
from exaid_evals.report.tables import main

NAME = "variants_over_runs"


def build(export: Export) -> Table | None:
    """Build the table; None where no run is a campaign with variants. Its n counts campaigns, never cases."""
    campaigns = [run for run in export.runs if run.attributes.get("variants")]
    names = sorted({variant for run in campaigns for variant in run.attributes["variants"]})
    if not names:
        return None
    primary = (primary_metric(names) or "").split(".")[0]
    table = main.build([_over_runs(export, name, len(campaigns)) for name in names], primary)
    count = f"{len(campaigns)} campaign{'' if len(campaigns) == 1 else 's'}"
    notes = (
        f"Mean over {count} of their means over cases, with mean ± 1.96 · s/√n over campaigns.",
        *([STUB_NOTE] if export.stub else []),
        *(f"Warning: {warning}." for warning in export.warnings),
    )
    return replace(table, name=NAME, title="Results per variant over campaigns", notes=notes)


def _over_runs(export: Export, variant_id: str, n_campaigns: int) -> VariantMetrics:
    prefix = f"{variant_id}."
    return VariantMetrics(
        variant_id=variant_id,
        n_cases=n_campaigns,
        n_failed=0,
        stub=export.stub,
        signature="; ".join(export.signatures),
        measures={
            name.removeprefix(prefix): _estimate(aggregate, n_campaigns)
            for name, aggregate in export.aggregated.items()
            if name.startswith(prefix)
        },
    )


def _estimate(aggregate: Aggregate, n_campaigns: int) -> Estimate:
    return Estimate(
        mean=_rounded(aggregate.mean),
        sd=_rounded(aggregate.std_sample),
        median=None,
        min=_rounded(aggregate.min),
        max=_rounded(aggregate.max),
        ci95_low=_rounded(aggregate.ci95_low),
        ci95_high=_rounded(aggregate.ci95_high),
        n=aggregate.n,
        n_undefined=n_campaigns - aggregate.n,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, FLOAT_DECIMALS) + 0.0
