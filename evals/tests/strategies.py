"""Hypothesis strategies: valid records of every kind, and the same with something broken."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from exaid_evals.artifacts.schemas import load_schema
from factories import (
    Record,
    case_record,
    export_record,
    failed_trace_records,
    manifest_record,
    metrics_records,
    run_records,
    trace_records,
)

_TRACE = trace_records()
_FAILED = failed_trace_records()
_V1_DROPPED = {
    "exaid.trace": ("t_rel_ms", "stream", "content_sha256"),
    "exaid.manifest": ("traces", "stub", "trace_dataset_hash"),
}


def _as_version_1_0_0(record: Record) -> Record:
    older = copy.deepcopy(record) | {"schema_version": "1.0.0"}
    for name in _V1_DROPPED[record["schema_name"]]:
        older.pop(name, None)
    for name in ("stub", "gold_concepts", "gold_mentions"):
        older.get("metadata", {}).pop(name, None)
    return older


MANIFEST = manifest_record({"case-1000": _TRACE})
# One or more of each kind, each version and each record type.
VALID: list[Record] = [
    *_TRACE[:2],
    *_FAILED,
    _as_version_1_0_0(_TRACE[0]),
    MANIFEST,
    _as_version_1_0_0(MANIFEST),
    case_record(),
    *run_records(_TRACE),
    *run_records(_FAILED),
    *metrics_records(),
    export_record(),
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.integers(-2, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["", "case-1", "sha256:" + "0" * 64, "sha256:" + "0" * 63, "Z", "2024-12-19T12:00:00Z", "x" * 301]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a structure."""
    found: list[tuple[Any, ...]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += [(*path, key), *places(item, (*path, key))]
    return found


def _known_names() -> list[str]:
    names = {str(part) for record in VALID for place in places(record) for part in place if isinstance(part, str)}
    for schema in ("exaid.trace", "exaid.manifest", "exaid.run", "exaid.metrics", "exaid.export", "exaid.case"):
        record = next(record for record in VALID if record["schema_name"] == schema)
        text = json.dumps(load_schema(schema, record["schema_version"]))
        names |= {name for name in ("curves", "case_source", "diagnosis_id", "attributes") if f'"{name}"' in text}
    return sorted(names)


_NAMES = _known_names()


@st.composite
def broken_records(draw: st.DrawFn) -> Record:
    """A valid record after up to three changes: something dropped, added, or put in another's place."""
    kind = draw(st.sampled_from(sorted({record["schema_name"] for record in VALID})))
    record: Record = copy.deepcopy(draw(st.sampled_from([record for record in VALID if record["schema_name"] == kind])))
    identity = {name: record[name] for name in ("schema_name", "schema_version")}
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places(record)))
        parent: Any = record
        for part in place[:-1]:
            parent = parent[part]
        change = draw(st.sampled_from(("drop", "replace", "replace", "add")))
        if change == "drop":
            del parent[place[-1]]
        elif change == "replace":
            parent[place[-1]] = draw(json_values)
        elif isinstance(parent, dict):
            parent[draw(st.one_of(st.sampled_from(_NAMES), st.text(max_size=5)))] = draw(json_values)
        else:
            parent.append(draw(json_values))
        record |= identity
    return record
