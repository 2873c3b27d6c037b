"""Records of the published layout, one by one: what each must hold, and where it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import require_record, scan_jsonl
from exaid_evals.errors import DataError

Record = dict[str, Any]
REMEDY = "restore it, or name another"

_NUMBER = (int, float)
_NULLABLE_NUMBER = (int, float, type(None))
# record type → field → the types of its value. Fields beyond these are kept as they are.
FIELDS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "trace_meta": {"case_id": (str,), "t0_emitted_ms": (int,), "total_deltas": (int,), "total_turns": (int,)},
    "turn_boundary": {
        "case_id": (str,),
        "seq": (int,),
        "turn_id": (int,),
        "agent_id": (str,),
        "boundary": (str,),
        "t_rel_ms": (int,),
    },
    "stream_delta": {
        "case_id": (str,),
        "seq": (int,),
        "turn_id": (int,),
        "agent_id": (str,),
        "delta_text": (str,),
        "t_rel_ms": (int,),
    },
    "run_meta": {"case_id": (str,), "variant_id": (str,), "trigger_policy": (str,), "history_k": (int,)},
    "tokengate_flush": {
        "flush_index": (int,),
        "timestamp": (str,),
        "accumulated_ctu": _NULLABLE_NUMBER,
        "trigger_reason": (str,),
        "start_seq": (int,),
        "end_seq": (int,),
    },
    "buffer_decision": {
        "decision_index": (int,),
        "timestamp": (str,),
        "latency_ms": _NULLABLE_NUMBER,
        "llm_usage": (dict,),
        "start_seq": (int,),
        "end_seq": (int,),
    },
    "summary_event": {
        "event_index": (int,),
        "timestamp": (str,),
        "event_id": (str,),
        "latency_ms": _NULLABLE_NUMBER,
        "llm_usage": (dict,),
        "schema_ok": (bool,),
        "summary_ctu": _NUMBER,
        "summary_semantics_text": (str,),
        "start_seq": (int,),
        "end_seq": (int,),
    },
}
INDEX_OF = {"tokengate_flush": "flush_index", "buffer_decision": "decision_index", "summary_event": "event_index"}


def read_records(path: Path, known: Iterable[str]) -> list[Record]:
    """Read a file whose every line is a record of a known type, with the fields that are relied on.

    Raises:
        DataError: names the first line that is not one, and what is wrong with it.
    """
    types = set(known)
    records = []
    for line in scan_jsonl(path):
        record = require_record(line, path)
        kind = record.get("record_type")
        if kind not in types:
            wrong(
                path, line.number, f"record_type is {str(kind)[:40]!r}, and must be one of {', '.join(sorted(types))}"
            )
        require_fields(record, FIELDS[str(kind)], f"{path}:{line.number}")
        records.append(record)
    if not records:
        raise DataError("holds no record", where=str(path), remedy=REMEDY)
    return records


def require_fields(record: Mapping[str, Any], fields: Mapping[str, tuple[type, ...]], where: str) -> None:
    """Check that a record has the fields, of the right types.

    Raises:
        DataError: names the first that is missing or of another type.
    """
    for name, types in fields.items():
        if name not in record:
            raise DataError(f"{name} is missing", where=where, remedy=REMEDY)
        value = record[name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise DataError(f"{name} is {str(value)[:40]!r}, of another type", where=where, remedy=REMEDY)


def require_sequence(records: Sequence[Record], name: str, lines: Sequence[int], path: Path) -> None:
    """Check that an index counts 0, 1, 2, …: a line that was cut out, repeated or moved shows in it.

    Raises:
        DataError: names the first line whose index is another.
    """
    for expected, (record, number) in enumerate(zip(records, lines, strict=True)):
        if record.get(name) != expected:
            wrong(
                path,
                number,
                f"{name} is {record.get(name)}, and must be {expected}: a line is missing, moved or a duplicate",
            )


def wrong(path: Path, number: int, what: str) -> None:
    """Raise the error of a line."""
    raise DataError(what, where=f"{path}:{number}", remedy=REMEDY)
