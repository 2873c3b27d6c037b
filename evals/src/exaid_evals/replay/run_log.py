"""A run log in memory: what one variant did with one case, and its form on disk (`exaid.run`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.errors import DataError

SCHEMA = "exaid.run"
OK = "ok"
SKIPPED_FAILED_TRACE = "skipped_failed_trace"


@dataclass(frozen=True, slots=True)
class GateFlush:
    """A chunk of the stream that left the gate's buffer.

    Attributes:
        start_seq, start_char: message and code point where the chunk begins.
        end_seq, end_char: message and code point before which it ends.
        t_ms: when it left, on the virtual clock.
    """

    flush_index: int
    t_ms: int
    start_seq: int
    end_seq: int
    start_char: int
    end_char: int
    ctu: int
    words: int
    reason: str
    text_sha256: str


@dataclass(frozen=True, slots=True)
class TriggerDecision:
    """What the trigger made of a flush; `filters` that were not asked are None."""

    decision_index: int
    flush_index: int
    t_ms: int
    decision: str
    filters: Mapping[str, bool | None]
    llm_usage: Mapping[str, int | None] | None
    latency_ms: int


@dataclass(frozen=True, slots=True)
class Summary:
    """An update for the clinician.

    Attributes:
        t_ms: when it was emitted: the trigger's time plus all latencies.
        flush_indices: the flushes whose text it covers, in order.
        summary_content: the six fields; None for a passed-through message and for a failed summary.
    """

    event_index: int
    event_id: str
    t_ms: int
    start_seq: int
    end_seq: int
    flush_indices: Sequence[int]
    schema_ok: bool
    schema_error: str | None
    summary_content: Mapping[str, str] | None
    semantics_text: str
    rendered_text: str
    summary_ctu: int
    latest_summary_event_id: str | None
    history_event_ids: Sequence[str]
    llm_usage: Mapping[str, int | None] | None
    latency_ms: int


@dataclass(frozen=True, slots=True)
class RunLog:
    """One case under one variant.

    Attributes:
        meta: the fields of `run_meta` beyond schema and record type.
    """

    meta: Mapping[str, Any]
    flushes: tuple[GateFlush, ...] = ()
    decisions: tuple[TriggerDecision, ...] = ()
    summaries: tuple[Summary, ...] = ()

    @property
    def skipped(self) -> bool:
        """Whether the trace had failed, so that there was nothing to replay."""
        return bool(self.meta["status"] == SKIPPED_FAILED_TRACE)


Event = TypeVar("Event", GateFlush, TriggerDecision, Summary)
_TYPES: dict[str, type[GateFlush] | type[TriggerDecision] | type[Summary]] = {
    "gate_flush": GateFlush,
    "trigger_decision": TriggerDecision,
    "summary": Summary,
}


def to_records(log: RunLog) -> list[dict[str, Any]]:
    """Return a run log's records: run_meta first, then each type by its index."""
    opening = {**header(SCHEMA), "record_type": "run_meta", **log.meta}
    events = [
        {**header(SCHEMA), "record_type": record_type, **asdict(event)}
        for record_type, group in (
            ("gate_flush", log.flushes),
            ("trigger_decision", log.decisions),
            ("summary", log.summaries),
        )
        for event in group
    ]
    return [opening, *events]


def write_run(path: Path, log: RunLog) -> None:
    """Write a run log's file whole."""
    write_jsonl(path, to_records(log))


def read_run(path: Path) -> RunLog:
    """Read and check a run log's file.

    Raises:
        DataError: a record breaks its schema, or the first is not the only run_meta.
    """
    records = read_jsonl(path)
    for number, record in enumerate(records, start=1):
        require_valid(record, f"{path}:{number}")
    if [record["record_type"] == "run_meta" for record in records] != [True] + [False] * (len(records) - 1):
        raise DataError(
            "must open with its only run_meta", where=str(path), remedy="run the variant again with --force"
        )
    meta = {
        key: value for key, value in records[0].items() if key not in ("schema_name", "schema_version", "record_type")
    }
    return RunLog(
        meta,
        _events(records, "gate_flush"),
        _events(records, "trigger_decision"),
        _events(records, "summary"),
    )


def _events(records: Sequence[Mapping[str, Any]], record_type: str) -> tuple[Any, ...]:
    kind = _TYPES[record_type]
    names = [field.name for field in fields(kind)]
    return tuple(
        kind(**{name: record[name] for name in names}) for record in records if record["record_type"] == record_type
    )
