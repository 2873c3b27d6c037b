"""`variants_over_runs.{csv,md,tex}`: the main table of a campaign, its means taken over campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.export.aggregate import Aggregate
from exaid_evals.export.base import ExportedRun, merged_signature
from exaid_evals.export.stage import Export
from exaid_evals.metrics.records import Estimate, VariantMetrics
from exaid_evals.metrics.runs import natural_order
from exaid_evals.report.base import STUB_NOTE, Table
from exaid_evals.report.tables import main

NAME = "variants_over_runs"


def build(export: Export) -> Table | None:
    """Build the table; None where no run is a campaign with variants. Its n counts campaigns, never cases."""
    campaigns = [run for run in export.runs if run.attributes.get("variants")]
    names = sorted({variant for run in campaigns for variant in run.attributes["variants"]}, key=natural_order)
    if not names:
        return None
    primary = (export.primary_metric or "").split(".")[0]
    table = main.build([_over_runs(export, campaigns, name) for name in names], primary)
    n = len(campaigns)
    interval = "" if n == 1 else ", with mean ± 1.96 · s/√n over campaigns, which is too narrow for few of them"
    notes = (
        f"Mean over {n} campaign{'' if n == 1 else 's'} of their means over cases{interval}.",
        *([STUB_NOTE] if export.stub else []),
        *(f"Warning: {warning}." for warning in export.warnings),
    )
    title = "Results per variant over campaigns" if n > 1 else "Results per variant"
    return replace(table, name=NAME, title=title, notes=notes, counted="campaigns")


def _over_runs(export: Export, campaigns: Sequence[ExportedRun], variant_id: str) -> VariantMetrics:
    prefix = f"{variant_id}."
    with_variant = [run for run in campaigns if variant_id in run.signatures]
    return VariantMetrics(
        variant_id=variant_id,
        n_cases=len(with_variant),
        n_failed=0,
        stub=export.stub,
        signature=merged_signature(run.signatures[variant_id] for run in with_variant),
        measures={
            name.removeprefix(prefix): _estimate(aggregate, len(campaigns))
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
