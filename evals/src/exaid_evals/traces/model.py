"""A trace in memory: the messages of one case, and their form on disk (`exaid.trace`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.gold import GoldMention, concepts_stated, from_fields, gold_problems, to_fields
from exaid_evals.artifacts.hashing import sha256_text
from exaid_evals.artifacts.ids import at_offset, basis_of_messages, basis_of_times, parse_timestamp, trace_id
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.errors import DataError

SCHEMA = "exaid.trace"
FAILURE_AGENT = "_system"
DECISIVE = "decisive"
"""Key of a message's `upstream`: true for the one at which, as its source says, the conversation went wrong."""
MAX_T_MS = 10**9
"""Eleven days: times beyond are in another unit, or since another moment."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an agent.

    Attributes:
        agent_id: `doctor0` … `supervisor`, or `_system` for a failure.
        content: the text, in Unicode code points.
        t_rel_ms: when the message's first character appeared, in ms since the case's first message; None where that
            is not known.
        stream: `(t_rel_ms, n_chars)` chunks in order of arrival, whose lengths add up to the content's; empty
            where they were not recorded.
        provider_token_count: what the provider reported; enters no measure.
        gold_concepts: ids that the message states; stub traces only.
        gold_mentions: where and in which form it states them, and what it only seems to; stub traces only.
        end_t_rel_ms: when it was complete; None where that is not known, or the stream says it.
        upstream: what the program that recorded it says beyond this, as plain data; enters no measure,
            but for `DECISIVE`.
    """

    agent_id: str
    content: str
    t_rel_ms: int | None = None
    stream: tuple[tuple[int, int], ...] = ()
    provider_token_count: int | None = None
    gold_concepts: tuple[str, ...] | None = None
    gold_mentions: tuple[GoldMention, ...] | None = None
    end_t_rel_ms: int | None = None
    upstream: Mapping[str, Any] | None = None

    @property
    def time_basis(self) -> str:
        """What is known of its time: `recorded` (stream, or both ends), `complete` (its end), `assumed` or `none`.

        From a start alone the text arrives at an assumed speed.
        """
        return basis_of_times(self.t_rel_ms, self.end_t_rel_ms, streamed=bool(self.stream))

    @property
    def known_ms(self) -> int | None:
        """The first moment that is known of it: its start, else its end."""
        return self.end_t_rel_ms if self.t_rel_ms is None else self.t_rel_ms

    def labelled(self, mentions: tuple[GoldMention, ...]) -> Message:
        """Return the message with gold labels, in the order of its text."""
        return replace(self, gold_concepts=concepts_stated(mentions), gold_mentions=mentions)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What every record of a trace says about its making."""

    mas_run_id: str
    mac_commit: str
    model: str
    stub: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """The frozen conversations about one case.

    Attributes:
        case_id: `case-…`.
        epoch: time stamp of the case's first message.
        messages: in order; empty for a failed case.
        provenance: how the trace was made.
        failure_reason: why there are no messages; None for a successful case.
    """

    case_id: str
    epoch: str
    messages: tuple[Message, ...]
    provenance: Provenance
    failure_reason: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the case has no conversation to replay."""
        return self.failure_reason is not None

    @property
    def time_basis(self) -> str | None:
        """Whether all, some or none of its messages have recorded times: `recorded`, `partly`, `assumed`."""
        return basis_of_messages(message.time_basis for message in self.messages)

    @property
    def text_units_ctu(self) -> int:
        """CTU of all messages."""
        return sum(ctu(message.content) for message in self.messages)


def failed_trace(case_id: str, epoch: str, provenance: Provenance, reason: str) -> Trace:
    """Return the trace of a case that failed: it keeps its place and says why."""
    return Trace(case_id, epoch, (), provenance, failure_reason=reason)


def to_records(trace: Trace) -> list[dict[str, Any]]:
    """Return a trace's records, one a message; a failed trace has exactly one, of `_system`."""
    if trace.failure_reason is not None:
        notice = Message(FAILURE_AGENT, f"[FAILED] {trace.failure_reason}", 0)
        return [_record(trace, 0, notice, 0)]
    stamps = accumulate(((message.known_ms or 0) for message in trace.messages), max)
    return [
        _record(trace, number, message, stamp_ms)
        for number, (message, stamp_ms) in enumerate(zip(trace.messages, stamps, strict=True))
    ]


def _record(trace: Trace, sequence_num: int, message: Message, stamp_ms: int) -> dict[str, Any]:
    """Return a message's record; its time stamp, which every record has, is the last moment known by then."""
    metadata: dict[str, Any] = {
        "mas_run_id": trace.provenance.mas_run_id,
        "mac_commit": trace.provenance.mac_commit,
        "model": trace.provenance.model,
        "status": "failed" if trace.failed else "success",
        "stub": trace.provenance.stub,
    }
    if trace.failure_reason is not None:
        metadata["failure_reason"] = trace.failure_reason
    if message.gold_concepts is not None:
        metadata["gold_concepts"] = sorted(message.gold_concepts)
    if message.gold_mentions is not None:
        metadata["gold_mentions"] = [to_fields(mention) for mention in message.gold_mentions]
    if message.upstream is not None:
        metadata["upstream"] = dict(message.upstream)
    record: dict[str, Any] = {
        **header(SCHEMA),
        "trace_id": trace_id(trace.case_id, sequence_num),
        "case_id": trace.case_id,
        "agent_id": message.agent_id,
        "sequence_num": sequence_num,
        "timestamp": at_offset(trace.epoch, stamp_ms),
        "content": message.content,
        "content_sha256": sha256_text(message.content),
        "text_units_ctu": 0 if trace.failed else ctu(message.content),
        "metadata": metadata,
    }
    if not trace.failed:
        record["time_basis"] = message.time_basis
    if message.t_rel_ms is not None:
        record["t_rel_ms"] = message.t_rel_ms
    if message.end_t_rel_ms is not None:
        record["end_t_rel_ms"] = message.end_t_rel_ms
    if message.stream:
        record["stream"] = [list(chunk) for chunk in message.stream]
    if message.provider_token_count is not None:
        record["provider_token_count"] = message.provider_token_count
    return record


def write_trace(path: Path, trace: Trace) -> str:
    """Write a trace's file whole, and return the hash of its content."""
    return write_jsonl(path, to_records(trace))


def read_trace(path: Path) -> Trace:
    """Read and check a trace's file.

    Raises:
        DataError: a record breaks its schema, or the records make no trace.
    """
    records = read_jsonl(path)
    for number, record in enumerate(records, start=1):
        require_valid(record, f"{path}:{number}", SCHEMA)
    return from_records(records, where=str(path))


def from_records(records: Sequence[Mapping[str, Any]], *, where: str) -> Trace:
    """Build a trace from valid records.

    Records of version 1.0.0 have no `t_rel_ms`; it is then the distance of the time stamps. From version 1.3.0 on
    a record without it does not know when its text began.

    Raises:
        DataError: there is no record, the sequence numbers are not 0, 1, 2, …, or a message cannot be replayed.
    """
    if not records:
        raise DataError("holds no record", where=where, remedy="make the traces again")
    if [record["sequence_num"] for record in records] != list(range(len(records))):
        raise DataError("sequence numbers are not 0, 1, 2, …", where=where, remedy="make the traces again")
    first = records[0]
    metadata = first["metadata"]
    provenance = Provenance(
        mas_run_id=metadata["mas_run_id"],
        mac_commit=metadata["mac_commit"],
        # A failed case of version 1.0.0 need not say by which model it was not made.
        model=metadata.get("model", "unknown"),
        stub=bool(metadata.get("stub", False)),
    )
    if metadata["status"] == "failed":
        return failed_trace(first["case_id"], first["timestamp"], provenance, metadata["failure_reason"])
    messages = tuple(_message(record, epoch=first["timestamp"]) for record in records)
    for number, (record, message) in enumerate(zip(records, messages, strict=True), start=1):
        if record.get("time_basis", message.time_basis) != message.time_basis:
            what = f"time_basis is {record['time_basis']}, and its times make it {message.time_basis}"
            raise DataError(what, where=f"{where}:{number}", remedy="make the traces again")
    for number, problem in message_problems(messages):
        raise DataError(problem, where=f"{where}:{number + 1}", remedy="make the traces again")
    return Trace(first["case_id"], first["timestamp"], messages, provenance)


def message_problems(messages: Sequence[Message]) -> Iterator[tuple[int, str]]:
    """Yield `(index, what is wrong)` for each way in which messages contradict themselves or run back in time."""
    last_ms = 0
    for number, message in enumerate(messages):
        ends = (message.t_rel_ms, *(t_ms for t_ms, _ in message.stream), message.end_t_rel_ms)
        times = [t_ms for t_ms in ends if t_ms is not None]
        lengths = [n_chars for _, n_chars in message.stream]
        strange = [value for value in (*times, *lengths) if not isinstance(value, int) or isinstance(value, bool)]
        if strange:
            yield number, f"{strange[0]!r:.40} where a whole number of ms or characters must stand"
            continue
        if (message.known_ms or 0) < last_ms and message.known_ms is not None:
            yield number, f"its time is {message.known_ms} ms, before the message above at {last_ms}"
        if any(after < before for before, after in pairwise(times)):
            yield number, "its times go back: t_rel_ms, the stream and end_t_rel_ms must follow one another"
        if message.stream and message.t_rel_ms is None:
            yield number, "a stream without t_rel_ms, which is the time of its first chunk"
        if max(times, default=0) > MAX_T_MS:
            yield number, f"{max(times)} ms is longer than a conversation may last ({MAX_T_MS} ms)"
        if lengths and sum(lengths) != len(message.content):
            yield number, f"the stream's chunks have {sum(lengths)} characters, and the content {len(message.content)}"
        for problem in gold_problems(message.content, message.gold_mentions, message.gold_concepts):
            yield number, problem
        last_ms = last_ms if message.known_ms is None else message.known_ms


def _message(record: Mapping[str, Any], *, epoch: str) -> Message:
    t_rel_ms = record.get("t_rel_ms")
    if t_rel_ms is None and "time_basis" not in record:
        elapsed = parse_timestamp(record["timestamp"]) - parse_timestamp(epoch)
        t_rel_ms = round(elapsed.total_seconds() * 1000)
    gold = record["metadata"].get("gold_concepts")
    labels = record["metadata"].get("gold_mentions")
    return Message(
        agent_id=record["agent_id"],
        content=record["content"],
        t_rel_ms=t_rel_ms,
        stream=tuple((chunk[0], chunk[1]) for chunk in record.get("stream", ())),
        end_t_rel_ms=record.get("end_t_rel_ms"),
        provider_token_count=record.get("provider_token_count"),
        gold_concepts=tuple(gold) if gold is not None else None,
        gold_mentions=tuple(map(from_fields, labels)) if labels is not None else None,
        upstream=record["metadata"].get("upstream"),
    )
