"""`exported_summary.json`: runs, aggregates, best and worst run, warnings (`exaid.export`).

Thousands of runs stand beside it, one a line, in `exported_runs.jsonl`, whose digest the summary has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals import __version__
from exaid_evals.artifacts.canonical import canonical_bytes, canonical_json
from exaid_evals.artifacts.hashing import sha256_bytes, sha256_text, short
from exaid_evals.artifacts.schemas import header
from exaid_evals.export.aggregate import Ranked
from exaid_evals.export.run_record import record_text
from exaid_evals.export.stage import Export
from exaid_evals.export.writers.sheet import records_of

NAME = "exported_summary.json"
RUNS_NAME = "exported_runs.jsonl"
RUNS_WITHIN_BYTES = 8 * 1024 * 1024
"""Runs of more than this stand in a file of their own: what reads records takes none of over 16 MiB."""
WARNINGS_WITHIN = 10_000
SCHEMA = "exaid.export"


def signature_of(export: Export, runs_csv: str) -> str:
    """Return how the export was made: of which runs, and what ranks them.

    Args:
        export: of which.
        runs_csv: its table of runs, which has every setting and metric of each, rounded.
    """
    stub = "yes" if export.stub else "no"
    primary = export.primary_metric or "none"
    return f"exaid-evals/{__version__}|runs:{short(sha256_text(runs_csv))}|by:{export.by}|primary:{primary}|stub:{stub}"


def files(export: Export, signature: str, texts: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """Return the summary, and beside it its runs where a record that holds them all would be too large to validate.

    Args:
        export: of which.
        signature: of the export.
        texts: name of a run → canonical text of its record, of those that have been made; None for none.
    """
    texts = texts or {}
    runs = [texts.get(run.name) or record_text(run) for run in export.runs]
    record = to_record(export, signature)
    if sum(map(len, runs)) <= RUNS_WITHIN_BYTES:
        return {NAME: _with_runs(record, runs)}
    opening = canonical_json({**header(SCHEMA), "record_type": "run"})[1:-1]
    # In the order of keys: record_type, run, schema_name, schema_version.
    before, after = opening.split(',"schema_name"')
    content = "".join([f'{{{before},"run":{text},"schema_name"{after}}}\n' for text in runs]).encode()
    record["runs_file"] = {"name": RUNS_NAME, "n": len(runs), "sha256": sha256_bytes(content)}
    more = len(export.warnings) - WARNINGS_WITHIN
    if more > 0:
        told = f"{more} further warnings stand in the export's log alone, since there are so many"
        record["warnings"] = [*export.warnings[:WARNINGS_WITHIN], told]
    return {NAME: canonical_bytes(record) + b"\n", RUNS_NAME: content}


def to_record(export: Export, signature: str) -> dict[str, Any]:
    """Return the export's one record, without its runs."""
    several = len(export.groups) > 1
    return {
        **header(SCHEMA),
        "record_type": "export_summary",
        "runs": [],
        "failed_runs": [{"run": one.run, "problem": one.problem} for one in export.failures],
        # Over unlike runs no mean is taken: each group has its own.
        "aggregated": {} if several else records_of(export.aggregated),
        "groups": [
            {
                "name": group.name,
                "runs": [run.name for run in group.runs],
                "aggregated": records_of(group.aggregated) if several else {},
            }
            for group in export.groups
        ],
        "per_class": {} if several else {of: records_of(metrics) for of, metrics in export.per_class.items()},
        "best_run": _chosen(export.best),
        "worst_run": _chosen(export.worst),
        "primary_metric": export.primary_metric,
        "primary_direction": None if export.lower is None else ("lower" if export.lower else "higher"),
        "group_by": export.by,
        "warnings": list(export.warnings),
        "signature": signature,
        "signatures": list(export.signatures),
        "stub": export.stub,
    }


def _with_runs(record: dict[str, Any], runs: Sequence[str]) -> bytes:
    """Return the record's canonical bytes with its runs, whose texts are canonical already."""
    before = {name: value for name, value in record.items() if name < "runs"}
    after = {name: value for name, value in record.items() if name > "runs"}
    parts = [canonical_json(before)[:-1], f'"runs":[{",".join(runs)}]', canonical_json(after)[1:]]
    return (",".join(parts) + "\n").encode()


def _chosen(one: Ranked | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"run": one.run, "value": one.value, **({"tied": list(one.tied)} if one.tied else {})}
