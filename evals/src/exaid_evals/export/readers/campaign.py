"""Campaigns of this pipeline: a data folder with metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.config.campaign import Campaign
from exaid_evals.export.base import ExportedRun
from exaid_evals.metrics.directions import lower_is_better, primary_metric
from exaid_evals.metrics.records import read_variant

_PATTERN = "*.metrics.jsonl"


class CampaignReader:
    """Reads the means over cases of every variant, named `V3.coverage`."""

    name = "campaign"

    def claims(self, folder: Path) -> bool:
        """Tell whether the folder holds metrics of a campaign."""
        return any(Campaign(folder).metrics.glob(_PATTERN))

    def read(self, folder: Path, name: str) -> ExportedRun:
        """Read a campaign.

        Raises:
            DataError: a metrics file or the manifest is missing or malformed.
        """
        campaign = Campaign(folder)
        variants = [read_variant(path) for path in sorted(campaign.metrics.glob(_PATTERN))]
        metrics = {
            f"{variant.variant_id}.{measure}": estimate.mean
            for variant in variants
            for measure, estimate in variant.measures.items()
        }
        manifest = read_manifest(campaign.manifest_file)
        names = [variant.variant_id for variant in variants]
        attributes: dict[str, Any] = {
            "seed": manifest.generation.generation_seed,
            "selection_seed": manifest.generation.selection_seed,
            "case_source": manifest.generation.case_source,
            "case_list_hash": manifest.generation.case_list_hash,
            "trace_dataset_hash": manifest.trace_dataset_hash,
            "n_cases": len(manifest.entries),
            "variants": names,
        }
        return ExportedRun(
            name=name,
            format=self.name,
            metrics=metrics,
            attributes=attributes,
            signature=" + ".join(sorted({variant.signature for variant in variants})),
            stub=any(variant.stub for variant in variants),
            lower_is_better=frozenset(key for key in metrics if lower_is_better(key.split(".", 1)[1])),
            default_primary=primary_metric(names),
            warnings=tuple(
                f"{name}: {variant.n_failed} of {variant.n_cases} cases failed in {variant.variant_id}"
                for variant in variants
                if variant.n_failed
            ),
        )
