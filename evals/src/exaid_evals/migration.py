"""Records of older versions rewritten to the current one: planned and checked as a whole, then written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_bytes, sha256_file, sha256_structure, sha256_text
from exaid_evals.artifacts.ids import basis_of_times, parse_timestamp
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.manifest import SCHEMA as MANIFEST
from exaid_evals.artifacts.schemas import identify, ordinary_version, require_valid, version_key
from exaid_evals.artifacts.storage import packed, stored_names
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.traces.model import SCHEMA as TRACE
from exaid_evals.traces.model import from_records, read_trace

Record = dict[str, Any]
Step = Callable[[Record, Record], Record]
"""(record, first record of its file) → the record of the next version. Both are valid; neither is changed."""


def trace_1_0_0(record: Record, first: Record) -> Record:
    """Add `t_rel_ms`, as readers of 1.0.0 derive it from the time stamps, and the content's hash.

    Raises:
        DataError: the time stamp is before the first message's, so that no time can be derived.
    """
    t_rel_ms = _elapsed_ms(record, first)
    if t_rel_ms < 0:
        raise DataError(
            f"time stamp {record['timestamp']} is before the case's first message", remedy="correct the time stamps"
        )
    added = {"schema_version": "1.1.0", "t_rel_ms": t_rel_ms, "content_sha256": sha256_text(record["content"])}
    return record | added


def only_added_to(version: str) -> Step:
    """Return the step to a version that only adds optional fields: nothing but the version changes."""

    def step(record: Record, _: Record) -> Record:
        return record | {"schema_version": version}

    return step


def trace_1_2_0(record: Record, first: Record) -> Record:
    """State what is known of the time: the stream where there is one, else a start from which a speed is assumed.

    A message without `t_rel_ms` began with its stream, or when its time stamp says, as readers of 1.2.0 take it.
    """
    if record["metadata"]["status"] == "failed":
        return record | {"schema_version": "1.3.0"}
    stream = record.get("stream")
    start_ms = record.get("t_rel_ms", stream[0][0] if stream else _elapsed_ms(record, first))
    basis = basis_of_times(start_ms, None, streamed=bool(stream))
    return record | {"schema_version": "1.3.0", "t_rel_ms": start_ms, "time_basis": basis}


def _elapsed_ms(record: Record, first: Record) -> int:
    elapsed = parse_timestamp(record["timestamp"]) - parse_timestamp(first["timestamp"])
    return round(elapsed.total_seconds() * 1000)


STEPS: Mapping[tuple[str, str], Step] = {
    (TRACE, "1.0.0"): trace_1_0_0,
    (TRACE, "1.1.0"): only_added_to("1.2.0"),
    (TRACE, "1.2.0"): trace_1_2_0,
    # The hashes of the trace files are added by `_with_traces`, which sees them.
    ("exaid.manifest", "1.0.0"): only_added_to("1.1.0"),
}
"""(schema, version) → the step to the next version."""


def migrated(record: Record, first: Record, *, where: str) -> Record:
    """Return a record in the current version, step by step; itself where it is current.

    Raises:
        DataError: the record breaks the schema that it declares, no step leads on from its version, or what a step
            made is not valid.
        SchemaVersionError: it declares no schema that this release reads, or a newer version.
    """
    require_valid(record, where)
    name, version = identify(record)
    while version_key(version) < version_key(ordinary_version(name)):
        step = STEPS.get((name, version))
        if step is None:
            raise DataError(
                f"no rewriting leads from {name} {version} to {ordinary_version(name)}",
                where=where,
                remedy="leave it, for it is still read as it is; or make it again with the stage that wrote it",
            )
        try:
            record = step(record, first)
        except DataError as error:
            raise DataError(error.what, where=where, remedy=error.remedy) from None
        version = record["schema_version"]
    require_valid(record, where)
    return record


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A file that is to be rewritten.

    Attributes:
        path: the file.
        before: versions of its records now, sorted.
        after: the current version.
        records: what it will hold.
    """

    path: Path
    before: tuple[str, ...]
    after: str
    records: tuple[dict[str, Any], ...]


def plan_migration(paths: Iterable[Path]) -> tuple[list[Rewriting], int]:
    """Read every file and work out its current form, before anything is written.

    Returns:
        The files to rewrite, and how many are current already.

    Raises:
        DataError: names every file that cannot be migrated, and why; where all others can, also a manifest that would
            stand beside traces that are missing or none of its own.
    """
    # Manifests come last: what they are to hold depends on the migrated traces beside them.
    ordered = sorted(set(paths), key=lambda path: (path.parent.name == "manifests", path))
    rewritings: dict[Path, Rewriting] = {}
    problems: list[DataError] = []
    n_current = 0
    for path in ordered:
        if problems and path.parent.name == "manifests":
            continue
        try:
            rewriting = _planned(path, rewritings)
        except DataError as error:
            problems.append(error)
            continue
        if rewriting is None:
            n_current += 1
        else:
            rewritings[path] = rewriting
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        raise problems[0] if len(problems) == 1 else DataError(f"{len(problems)} files cannot be migrated:{lines}")
    return list(rewritings.values()), n_current


def migrate(rewritings: Sequence[Rewriting]) -> None:
    """Write what was planned, each file whole.

    A manifest is written before the traces whose new hashes it names: what a traces' rewriting gives can be known
    before it is done, so that an interrupted migration goes on with the same command.
    """
    for rewriting in sorted(rewritings, key=lambda one: (one.path.parent.name != "manifests", one.path)):
        write_jsonl(rewriting.path, rewriting.records)


def record_files(campaign: Campaign) -> list[Path]:
    """Return the files of a campaign that have steps: its traces and its manifest."""
    if packed(campaign.traces):
        raise DataError("the traces are in shards", where=str(campaign.traces), remedy="run `exaid-evals unpack` first")
    return [folder / name for folder in (campaign.traces, campaign.manifests) for name in stored_names(folder)]


def _planned(path: Path, rewritings: dict[Path, Rewriting]) -> Rewriting | None:
    records = read_jsonl(path)
    if not records:
        raise DataError("holds no record", where=str(path), remedy="restore it, or name another")
    names = {_identified(record, f"{path}:{number}") for number, record in enumerate(records, start=1)}
    schemas = {name for name, _ in names}
    if len(schemas) != 1:
        raise DataError(f"mixes records of {', '.join(sorted(schemas))}", where=str(path), remedy="split the file")
    [schema] = schemas
    new = [migrated(record, records[0], where=f"{path}:{number}") for number, record in enumerate(records, start=1)]
    if schema == MANIFEST and not any("record_type" in record for record in new):
        new = [_with_traces(record, path, rewritings) for record in new]
    if new == records:
        return None
    if schema == TRACE:
        from_records(new, where=str(path))  # what is written can be read, or nothing is
    versions = tuple(sorted({version for _, version in names}))
    return Rewriting(path, versions, ordinary_version(schema), tuple(new))


def _identified(record: dict[str, Any], where: str) -> tuple[str, str]:
    try:
        return identify(record)
    except DataError as error:
        raise type(error)(error.what, where=where, remedy=error.remedy) from None


def _with_traces(record: dict[str, Any], path: Path, rewritings: dict[Path, Rewriting]) -> dict[str, Any]:
    """Bring a manifest's list of traces in line with migrated files beside it; add it where 1.0.0 had none.

    A manifest that already lists hashes keeps guarding the files that are not rewritten: of those nothing changes.
    """
    campaign = Campaign(path.parent.parent)
    known = {entry["case_id"]: entry for entry in record.get("traces", ())}
    wanted = list(record["mas_generation_config"]["ordered_case_list"])
    entries = []
    for case_id in wanted:
        file = campaign.trace_file(case_id)
        rewriting = rewritings.get(file)
        if rewriting is None and case_id in known:
            entries.append(known[case_id])
            continue
        if not file.is_file():
            raise DataError(
                f"the trace of {case_id} is not beside the manifest",
                where=str(path),
                remedy=f"put {campaign.relative(file)} back, so that its hash can be frozen",
            )
        if rewriting is None or rewriting.records[0]["schema_name"] != TRACE:
            read_trace(file)
        entry = _entry(campaign, file, rewriting.records if rewriting else read_jsonl(file))
        frozen = known[case_id]["sha256"] if case_id in known else None
        if frozen not in (None, sha256_file(file), entry["sha256"]):
            what = f"the trace of {case_id} is not the one that was frozen"
            raise DataError(what, where=str(path), remedy="restore the trace")
        entries.append(entry)
    own = {campaign.trace_file(one).name for one in wanted}
    extra = [name for name in stored_names(campaign.traces) if name not in own]
    if extra and not known:
        raise DataError(
            f"traces of other cases lie beside the manifest: {', '.join(extra[:3])}",
            where=str(path),
            remedy="move them away; what is frozen now would refuse them",
        )
    return record | {"traces": entries, "trace_dataset_hash": sha256_structure(entries)}


def _entry(campaign: Campaign, file: Path, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "case_id": records[0]["case_id"],
        "path": campaign.relative(file),
        "sha256": sha256_bytes(b"".join(canonical_bytes(record) + b"\n" for record in records)),
        "n_records": len(records),
        "text_units_ctu": sum(record["text_units_ctu"] for record in records),
        "status": "failed" if records[0]["metadata"]["status"] == "failed" else "success",
    }
