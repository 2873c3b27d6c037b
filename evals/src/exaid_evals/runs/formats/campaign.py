"""Campaigns of this pipeline: a data folder with metrics."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.files import natural_order
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.history import History, series_of
from exaid_evals.runs.metric_names import Direction

if TYPE_CHECKING:
    from exaid_evals.artifacts.manifest import Manifest
    from exaid_evals.metrics.records import VariantMetrics

_SUFFIX = ".metrics.jsonl"
# Comparisons of variants stand beside the variants' files, under this name.
_NO_VARIANT = "comparisons"


class CampaignFormat(Format):
    """Reads the means over cases of every variant, named `V3.coverage`."""

    name = "campaign"
    has_history = True
    grows = False  # steps are cases, whose order means nothing
    own_folder = "exports"

    def claims(self, folder: Path) -> bool:
        """Return whether the folder holds metrics of a campaign."""
        return bool(_metrics_files(Campaign(folder)))

    def read(self, source: Source, name: str) -> Run:
        """Read a campaign, and check that its metrics are those of its traces and runs.

        Raises:
            DataError: a metrics file or the manifest is missing or malformed, the traces are not what was frozen,
                or the metrics are older than the traces or runs that lie here.
        """
        # What checks records is slow to import, and every worker that reads thousands of runs has this reader.
        from exaid_evals.artifacts.manifest import read_manifest
        from exaid_evals.metrics.records import read_case_ids
        from exaid_evals.traces.freeze import verify_frozen

        campaign = Campaign(source.path)
        manifest = verify_frozen(campaign) if campaign.traces.is_dir() else read_manifest(campaign.manifest_file)
        paths = _metrics_files(campaign)
        variants = [_read(path) for path in paths]
        covered = {variant.variant_id: read_case_ids(path) for path, variant in zip(paths, variants, strict=True)}
        warnings = [
            warning
            for path, variant in zip(paths, variants, strict=True)
            for warning in _check(campaign, manifest, path, variant, covered[variant.variant_id])
        ]
        cases = sorted({case for ids in covered.values() for case in ids})
        return self.completed(
            source,
            Run(
                name,
                self.name,
                {
                    f"{variant.variant_id}.{measure}": estimate.mean
                    for variant in variants
                    for measure, estimate in variant.measures.items()
                },
                seed=manifest.generation.generation_seed,
                attributes={
                    "selection_seed": manifest.generation.selection_seed,
                    "case_source": manifest.generation.case_source,
                    "case_list_hash": sha256_structure(cases),
                    "trace_dataset_hash": manifest.trace_dataset_hash,
                    "n_cases": len(cases),
                    "variants": [variant.variant_id for variant in variants],
                },
                signatures={variant.variant_id: variant.signature for variant in variants},
                stub=any(variant.stub for variant in variants),
                lower_is_better=_improving(variants, "lower"),
                higher_is_better=_improving(variants, "higher"),
                default_primary=f"{_primary(variants)}.coverage",
                cases=partial(_cases, tuple(paths)),
                warnings=tuple(warnings),
            ),
        )

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the variants: a run each, whose steps are the cases."""
        paths = _metrics_files(Campaign(place))
        return {
            variant: Source(place, variant) for variant in sorted(path.name.removesuffix(_SUFFIX) for path in paths)
        }

    def history(self, source: Source, name: str) -> History:
        """Read the measures of every case of a variant; a case that failed has no point, and is reported."""
        from exaid_evals.artifacts.manifest import read_manifest
        from exaid_evals.metrics.records import OK, read_variant_and_cases

        campaign = Campaign(source.path)
        path = campaign.metrics / f"{source.part}{_SUFFIX}"
        variant, cases = read_variant_and_cases(path)
        rows = [(float(at), case.measures) for at, case in enumerate(cases) if case.status == OK]
        left_out = [case.case_id for case in cases if case.status != OK]
        warnings = (
            [f"{len(left_out)} cases have no conversation and no measures: {', '.join(left_out[:5])}"]
            if left_out
            else []
        )
        better = variant.made_from.better if variant.made_from else {}
        known: dict[str, Direction] = {
            measure: "higher" if way == "higher" else "lower"
            for measure, way in better.items()
            if way in ("higher", "lower")
        }
        manifest = campaign.manifest_file
        config = {"variant": variant.variant_id, "signature": variant.signature, "stub": variant.stub}
        if manifest.is_file():
            config["dataset"] = read_manifest(manifest).trace_dataset_hash
        return History(
            name,
            self.name,
            series_of(rows),
            config=config,
            warnings=tuple(warnings),
            directions=known,
            steps_are="case",
        )


def _cases(paths: Sequence[Path]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the measures of every case that was not skipped: variant → case → measure → value."""
    from exaid_evals.metrics.records import OK, read_variant_and_cases

    found = {}
    for path in paths:
        variant, cases = read_variant_and_cases(path)
        found[variant.variant_id] = {case.case_id: dict(case.measures) for case in cases if case.status == OK}
    return found


def _metrics_files(campaign: Campaign) -> list[Path]:
    try:  # this is asked of every folder of many: a glob would take ten times as long
        names = os.listdir(campaign.metrics)  # noqa: PTH208
    except OSError:
        return []
    found = [name for name in names if name.endswith(_SUFFIX) and not name.startswith((".", _NO_VARIANT))]
    if not found:
        return []
    return [
        campaign.metrics / name for name in sorted(found, key=lambda name: natural_order(name.removesuffix(_SUFFIX)))
    ]


def _read(path: Path) -> VariantMetrics:
    from exaid_evals.metrics.records import read_variant

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
    from exaid_evals.metrics.runs import runs_on_disk

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


def _improving(variants: Sequence[VariantMetrics], way: str) -> frozenset[str]:
    return frozenset(
        f"{variant.variant_id}.{measure}"
        for variant in variants
        if variant.made_from
        for measure, better in variant.made_from.better.items()
        if better == way
    )


def _primary(variants: Sequence[VariantMetrics]) -> str:
    """Return the configured primary variant where it was measured, else the last variant."""
    ids = [variant.variant_id for variant in variants]
    named = [variant.made_from.primary_variant for variant in variants if variant.made_from]
    return named[0] if named and named[0] in ids else ids[-1]
