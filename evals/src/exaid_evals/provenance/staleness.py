"""Whether metrics are still those of the runs, traces and metrics that they were made from."""

from __future__ import annotations

from exaid_evals.artifacts.hashing import sha256_file, short
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.metrics.comparison_records import read_comparisons
from exaid_evals.metrics.records import MadeFrom, read_case_ids
from exaid_evals.metrics.runs import natural_order, runs_on_disk

_SUFFIX = ".metrics.jsonl"


def measured_variants(campaign: Campaign) -> list[str]:
    """Return the variants that have a metrics file, in natural order."""
    found = (path for path in campaign.metrics.glob(f"*{_SUFFIX}") if not path.name.startswith("."))
    names = (path.name.removesuffix(_SUFFIX) for path in found if path != campaign.comparisons_file)
    return sorted(names, key=natural_order)


def stale_traces(campaign: Campaign, made_from: MadeFrom) -> str | None:
    """Say how the frozen traces are not those that were measured; None where they are, or are not here."""
    if not campaign.manifest_file.is_file():
        return None
    try:
        now = read_manifest(campaign.manifest_file).trace_dataset_hash
    except DataError as error:
        return f"the manifest cannot be read: {error.what}"
    if now == made_from.trace_dataset_hash:
        return None
    return f"traces {short(made_from.trace_dataset_hash)} were measured, and {short(now)} are frozen now"


def stale_runs(campaign: Campaign, variant: str, made_from: MadeFrom) -> str | None:
    """Say how the run logs are not those that were measured; None where they are, or are not here."""
    cases = read_case_ids(campaign.metrics_file(variant))
    try:
        now = runs_on_disk(campaign, variant, cases)
    except DataError as error:
        return f"a run log of {variant} is damaged: {error}"
    if now is None or now == made_from.runs_hash:
        return None
    return f"the run logs of {variant} have changed since they were measured"


def stale_comparisons(campaign: Campaign) -> list[str]:
    """Say which metrics have changed since variants were compared."""
    if not campaign.comparisons_file.is_file():
        return []
    made_from = {item for one in read_comparisons(campaign.comparisons_file) for item in one.made_from.items()}
    found = []
    for variant, digest in sorted(made_from):
        path = campaign.metrics_file(variant)
        if not path.is_file():
            found.append(f"{variant} was compared, and has no metrics any more")
        elif sha256_file(path) != digest:
            found.append(f"the metrics of {variant} have changed since they were compared")
    return list(dict.fromkeys(found))
