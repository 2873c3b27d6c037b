"""How a record of an older version becomes one of the next. A step adds what can be derived, and invents nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from exaid_evals.artifacts.hashing import sha256_text
from exaid_evals.artifacts.schemas import current_versions, identify, require_valid
from exaid_evals.artifacts.time_basis import ASSUMED, RECORDED
from exaid_evals.artifacts.timestamps import parse_timestamp
from exaid_evals.errors import DataError

Record = dict[str, Any]
Step = Callable[[Record, Record], Record]
"""(record, first record of its file) → the record of the next version. Both are valid; neither is changed."""


def trace_1_0_0(record: Record, first: Record) -> Record:
    """Add `t_rel_ms`, as readers of 1.0.0 derive it from the time stamps, and the content's hash.

    Raises:
        DataError: the time stamps run back, so that no time can be derived.
    """
    elapsed = parse_timestamp(record["timestamp"]) - parse_timestamp(first["timestamp"])
    t_rel_ms = round(elapsed.total_seconds() * 1000)
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


def trace_1_2_0(record: Record, _: Record) -> Record:
    """Say what is known of the time: the stream where there is one, else a start from which a speed is assumed."""
    if record["metadata"]["status"] == "failed":
        return record | {"schema_version": "1.3.0"}
    return record | {"schema_version": "1.3.0", "time_basis": RECORDED if record.get("stream") else ASSUMED}


STEPS: Mapping[tuple[str, str], Step] = {
    ("exaid.trace", "1.0.0"): trace_1_0_0,
    ("exaid.trace", "1.1.0"): only_added_to("1.2.0"),
    ("exaid.trace", "1.2.0"): trace_1_2_0,
    # The hashes of the trace files are added by `migration.files`, which sees them.
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
    while version != current_versions()[name]:
        step = STEPS.get((name, version))
        if step is None:
            raise DataError(
                f"no rewriting leads from {name} {version} to {current_versions()[name]}",
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
