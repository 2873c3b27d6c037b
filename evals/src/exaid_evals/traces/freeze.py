"""The freeze: traces are written once, and whoever reads them first proves that they are what was written."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.manifest import Manifest, TraceEntry, read_manifest
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError, FrozenError
from exaid_evals.traces.model import Trace, to_records

TRACE_PATTERN = "case-*.jsonl.gz"
_REMEDY = "restore the files, or make all traces again with `exaid-evals make-traces --force`"


def entry_of(campaign: Campaign, trace: Trace) -> TraceEntry:
    """Return the manifest's entry of a trace that has been written."""
    path = campaign.trace_file(trace.case_id)
    return TraceEntry(
        case_id=trace.case_id,
        path=campaign.relative(path),
        sha256=sha256_file(path),
        n_records=len(to_records(trace)),
        text_units_ctu=trace.text_units_ctu,
        status="failed" if trace.failed else "success",
    )


def verify_frozen(campaign: Campaign) -> Manifest:
    """Check every trace of a campaign against its manifest.

    Hidden files and temporary ones, which an interrupted writer leaves, are nobody's data and are passed over.

    Raises:
        DataError: there is no manifest, or it is damaged or too old to hold hashes.
        FrozenError: names every file that changed, is missing, or that no manifest knows.
    """
    manifest = read_manifest(campaign.manifest_file)
    problems = []
    for entry in manifest.entries:
        problem = _problem(campaign, entry)
        if problem:
            problems.append(f"{problem}: {entry.path}")
    frozen = {campaign.trace_file(entry.case_id).name for entry in manifest.entries}
    extra = [path.name for path in files_in(campaign.traces) if path.name not in frozen]
    problems += [f"extra, not in the manifest: {campaign.relative(campaign.traces / name)}" for name in extra]
    if problems:
        what = problems[0] if len(problems) == 1 else "".join(f"\n  - {problem}" for problem in problems) + "\n"
        raise FrozenError(f"traces differ from their manifest; {what}", where=str(campaign.root), remedy=_REMEDY)
    return manifest


def _problem(campaign: Campaign, entry: TraceEntry) -> str | None:
    path = campaign.trace_file(entry.case_id)
    if entry.path != campaign.relative(path):
        return f"not where the trace of {entry.case_id} belongs"
    if not path.is_file():
        return "missing"
    try:
        return None if sha256_file(path) == entry.sha256 else "changed"
    except DataError as error:
        return f"damaged, {error.what}"


def files_in(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted by name, without hidden and temporary files."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.name.endswith((".tmp", "~")))
