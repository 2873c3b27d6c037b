"""A run log in memory: what one variant did with one case, and its form on disk (`exaid.run`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import all_of, header, require_valid
from exaid_evals.artifacts.text_units import ctu, text_problems
from exaid_evals.errors import CaseFailedError, DataError

SCHEMA = "exaid.run"
OK = "ok"
SKIPPED_FAILED_TRACE = "skipped_failed_trace"
FAILED = "failed"


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

    @property
    def failed(self) -> bool:
        """Whether the replay of this case failed; `failure_reason` in `meta` says why."""
        return bool(self.meta["status"] == FAILED)


Event = TypeVar("Event", GateFlush, TriggerDecision, Summary)
_TYPES: dict[str, type[GateFlush] | type[TriggerDecision] | type[Summary]] = {
    "gate_flush": GateFlush,
    "trigger_decision": TriggerDecision,
    "summary": Summary,
}


def to_records(log: RunLog) -> list[dict[str, Any]]:
    """Return a run log's records: run_meta first, then each type by its index."""
    head = header(SCHEMA)
    records = [{**head, "record_type": "run_meta", **log.meta}]
    for (record_type, kind), group in zip(_TYPES.items(), (log.flushes, log.decisions, log.summaries), strict=True):
        names = [field.name for field in fields(kind)]
        values = attrgetter(*names)
        # Not `asdict`, which copies every text.
        records += [{**head, "record_type": record_type, **dict(zip(names, values(one), strict=True))} for one in group]
    return records


# record type → the part that it comes from, by its name in run_meta.
_PARTS = {"gate_flush": "gate", "trigger_decision": "trigger", "summary": "summarizer"}


def write_run(path: Path, log: RunLog) -> str:
    """Write a run log's file whole, and return the hash of its content.

    Raises:
        CaseFailedError: a record breaks its schema, which a part of somebody's own can bring about; names the part and
            the field. Nothing is written then.
    """
    records = to_records(log)
    if not all_of(records, SCHEMA):
        for record in records:
            _require_writable(record, log.meta)
    return write_jsonl(path, records)


def _require_writable(record: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
    noun = _PARTS.get(record["record_type"])
    culprit = f"{noun} {meta[noun]['kind']}" if noun else "run_meta"
    try:
        require_valid(record, "")
    except DataError as error:
        problem = error.what
    except (TypeError, ValueError) as error:  # what is not JSON never reaches the schema
        problem = str(error)
    else:
        return
    what = f"{culprit} failed on {meta['case_id']}: {problem}"
    raise CaseFailedError(what, where=meta["variant_id"], remedy="correct the part")


def read_run(path: Path) -> RunLog:
    """Read and check a run log's file.

    Raises:
        DataError: a record breaks its schema, the first is not the only run_meta, or a record contradicts itself or
            refers to one that is not there.
    """
    records = read_jsonl(path)
    if not all_of(records, SCHEMA):
        for number, record in enumerate(records, start=1):
            require_valid(record, f"{path}:{number}", SCHEMA)
    if [record["record_type"] == "run_meta" for record in records] != [True] + [False] * (len(records) - 1):
        raise DataError(
            "must open with its only run_meta", where=str(path), remedy="run `exaid-evals run-variants --force`"
        )
    meta = {
        key: value for key, value in records[0].items() if key not in ("schema_name", "schema_version", "record_type")
    }
    log = RunLog(
        meta,
        _events(records, "gate_flush"),
        _events(records, "trigger_decision"),
        _events(records, "summary"),
    )
    _require_consistent(log, records, path)
    return log


_INDEX = {"gate_flush": "flush_index", "trigger_decision": "decision_index", "summary": "event_index"}


def _require_consistent(log: RunLog, records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Check what the measures rely on; `validate` checks the rest."""
    if (log.skipped or log.failed) and len(records) > 1:
        _refuse(f"{records[1]['record_type']} in a run without a replay: it has run_meta alone", path, 2)
    if log.failed and "failure_reason" not in log.meta:
        _refuse("failure_reason must say why the run failed", path, 1)
    if not log.skipped and not _speed_is_known(log.meta["config"]):
        _refuse("config.stream.chars_per_second must be a number above 0", path, 1)
    expected = dict.fromkeys(_INDEX, 0)
    for number, record in enumerate(records[1:], start=2):
        # JSON has one kind of number, and a schema takes 1.0 for an integer; an index of a list must not be one.
        if float in map(type, record.values()):
            broken = [name for name, value in record.items() if isinstance(value, float)]
            _refuse(f"{broken[0]}: {record[broken[0]]} is not a whole number", path, number)
        field = _INDEX[record["record_type"]]
        if record[field] != expected[record["record_type"]]:
            _refuse(f"{field} is {record[field]}, and must be {expected[record['record_type']]}", path, number)
        expected[record["record_type"]] += 1
        if record["record_type"] == "trigger_decision":
            _require_flushes([record["flush_index"]], log, path, number)
        elif record["record_type"] == "summary":
            _require_flushes(record["flush_indices"], log, path, number)
            units = ctu(record["rendered_text"])
            if record["summary_ctu"] != units:
                _refuse(f"summary_ctu is {record['summary_ctu']}, and rendered_text has {units}", path, number)
            texts = record["semantics_text"], record["rendered_text"]
            for problem in text_problems(record["summary_content"], *texts):
                _refuse(problem, path, number)


def _speed_is_known(config: Mapping[str, Any]) -> bool:
    stream = config.get("stream")
    speed = stream.get("chars_per_second") if isinstance(stream, Mapping) else None
    return isinstance(speed, int | float) and not isinstance(speed, bool) and speed > 0


def _require_flushes(indices: Sequence[int], log: RunLog, path: Path, number: int) -> None:
    for index in indices:
        if not isinstance(index, int) or index >= len(log.flushes):
            _refuse(f"there is no flush {index}", path, number)


def _refuse(what: str, path: Path, number: int) -> NoReturn:
    raise DataError(what, where=f"{path}:{number}", remedy="run `exaid-evals run-variants --force`")


def _events(records: Sequence[Mapping[str, Any]], record_type: str) -> tuple[Any, ...]:
    kind = _TYPES[record_type]
    values = itemgetter(*(field.name for field in fields(kind)))
    return tuple(kind(*values(record)) for record in records if record["record_type"] == record_type)
