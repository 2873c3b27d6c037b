"""Campaigns of this pipeline: a data folder with metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.manifest import Manifest, read_manifest
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.export.base import ExportedRun
from exaid_evals.metrics.records import VariantMetrics, read_case_ids, read_variant
from exaid_evals.metrics.runs import natural_order, runs_on_disk
from exaid_evals.traces.freeze import verify_frozen

_SUFFIX = ".metrics.jsonl"
# Comparisons of variants stand beside the variants' files, under this name.
_NO_VARIANT = "comparisons"


class CampaignReader:
    """Reads the means over cases of every variant, named `V3.coverage`."""

    name = "campaign"

    def claims(self, folder: Path) -> bool:
        """Tell whether the folder holds metrics of a campaign."""
        return bool(_metrics_files(Campaign(folder)))

    def read(self, folder: Path, name: str) -> ExportedRun:
        """Read a campaign, and check that its metrics are those of its traces and runs.

        Raises:
            DataError: a metrics file or the manifest is missing or malformed, the traces are not what was frozen,
                or the metrics are older than the traces or runs that lie here.
        """
        campaign = Campaign(folder)
        manifest = verify_frozen(campaign) if campaign.traces.is_dir() else read_manifest(campaign.manifest_file)
        paths = _metrics_files(campaign)
        variants = [_read(path) for path in paths]
        covered = {variant.variant_id: read_case_ids(path) for path, variant in zip(paths, variants, strict=True)}
        warnings = [
            warning
            for path, variant in zip(paths, variants, strict=True)
            for warning in _check(campaign, manifest, path, variant, covered[variant.variant_id])
        ]
        names = [variant.variant_id for variant in variants]
        cases = sorted({case for ids in covered.values() for case in ids})
        attributes: dict[str, Any] = {
            "seed": manifest.generation.generation_seed,
            "selection_seed": manifest.generation.selection_seed,
            "case_source": manifest.generation.case_source,
            "case_list_hash": sha256_structure(cases),
            "trace_dataset_hash": manifest.trace_dataset_hash,
            "n_cases": len(cases),
            "variants": names,
        }
        primary = _primary(variants)
        return ExportedRun(
            name=name,
            format=self.name,
            metrics={
                f"{variant.variant_id}.{measure}": estimate.mean
                for variant in variants
                for measure, estimate in variant.measures.items()
            },
            attributes=attributes,
            signatures={variant.variant_id: variant.signature for variant in variants},
            stub=any(variant.stub for variant in variants),
            lower_is_better=frozenset(
                f"{variant.variant_id}.{measure}"
                for variant in variants
                if variant.made_from
                for measure, better in variant.made_from.better.items()
                if better == "lower"
            ),
            default_primary=f"{primary}.coverage",
            warnings=tuple(f"{name}: {warning}" for warning in warnings),
        )


def _metrics_files(campaign: Campaign) -> list[Path]:
    found = (path for path in campaign.metrics.glob(f"*{_SUFFIX}") if not path.name.startswith((".", _NO_VARIANT)))
    return sorted(found, key=lambda path: natural_order(path.name.removesuffix(_SUFFIX)))


def _read(path: Path) -> VariantMetrics:
    variant = read_variant(path)
    if variant.variant_id != path.name.removesuffix(_SUFFIX):
        raise DataError(
            f"holds the metrics of {variant.variant_id}",
            where=str(path),
            remedy="run `exaid-evals compute-metrics --force`",
        )
    return variant


def _check(
    campaign: Campaign, manifest: Manifest, path: Path, variant: VariantMetrics, cases: Sequence[str]
) -> list[str]:
    """Return what is odd about a variant's metrics."""
    made_from = variant.made_from
    warnings = []
    if made_from is None:
        return [f"the metrics of {variant.variant_id} do not say which runs they were made from"]
    if made_from.trace_dataset_hash != manifest.trace_dataset_hash:
        raise DataError(
            "measures other traces than are frozen here",
            where=str(path),
            remedy="run `exaid-evals run-variants` and `exaid-evals compute-metrics`",
        )
    runs_hash = runs_on_disk(campaign, variant.variant_id, cases)
    if runs_hash is None:
        warnings.append(f"run logs of {variant.variant_id} are not here, so that its metrics were not checked")
    elif runs_hash != made_from.runs_hash:
        raise DataError("older than its run logs", where=str(path), remedy="run `exaid-evals compute-metrics`")
    if len(cases) < len(manifest.entries):
        warnings.append(f"{variant.variant_id} was measured on {len(cases)} of {len(manifest.entries)} cases")
    if variant.n_failed:
        warnings.append(f"{variant.n_failed} of {variant.n_cases} cases failed in {variant.variant_id}")
    return warnings


def _primary(variants: Sequence[VariantMetrics]) -> str:
    """Return the configured primary variant where it was measured, else the last variant."""
    ids = [variant.variant_id for variant in variants]
    named = [variant.made_from.primary_variant for variant in variants if variant.made_from]
    return named[0] if named and named[0] in ids else ids[-1]
