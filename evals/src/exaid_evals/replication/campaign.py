"""A publication as a campaign of ours: its traces frozen with their recorded times, its runs as run logs.

Variants are called by their policy, since upstream's ids mean something else here. What our records have no place for
stands in `metadata.upstream` of the traces and in `config.upstream` of run_meta, or is counted as left.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exaid_evals.artifacts.hashing import sha256_structure, sha256_text
from exaid_evals.artifacts.ids import at_offset
from exaid_evals.artifacts.manifest import Manifest
from exaid_evals.artifacts.text_units import FIELDS, SEMANTIC_FIELDS, ctu, field_problems, render
from exaid_evals.config.campaign import Campaign
from exaid_evals.replay.run_log import OK, GateFlush, RunLog, Summary, TriggerDecision, write_run
from exaid_evals.replication.published import PublishedRun, PublishedTrace
from exaid_evals.replication.records import Record
from exaid_evals.traces.freeze import freeze_traces
from exaid_evals.traces.model import Message, Provenance, Trace

NOTE = "streamed by the published EXAIM evaluation; imported with its recorded times"
UNIX_EPOCH = "1970-01-01T00:00:00.000Z"
# Nothing is typed at an assumed speed here; the field is what every run log has.
_STREAM = {"chars_per_second": 120.0}
_DECISIONS = {"summarize": "summarize", "buffer": "hold", "discard": "discard"}
# Fields of published records that a run log of ours says otherwise, or derives.
_HAS_A_PLACE = frozenset(
    {
        *("record_type", "case_id", "variant_id", "flush_index", "decision_index", "event_index", "event_id"),
        *("start_seq", "end_seq", "timestamp", "trigger_reason", "accumulated_ctu", "decision", "filter_results"),
        *("latency_ms", "llm_usage", "schema_ok", "schema_error", "summary_content", "summary_semantics_text"),
        *("latest_summary_event_id", "summary_history_event_ids"),
    }
)
# Of run_meta: what differs from case to case, and is no part of a configuration.
_OF_A_CASE = frozenset({"record_type", "case_id", "created_at", "timestamp_derivation", "trace_file_hash"})


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a publication.

    Attributes:
        manifest: of the frozen traces.
        variants: name in the campaign → number of run logs.
        left: `record type.field` → how often a value was left out.
    """

    manifest: Manifest
    variants: Mapping[str, int]
    left: Counter[str]


def import_publication(
    campaign: Campaign,
    traces: Mapping[str, PublishedTrace],
    runs: Mapping[str, Mapping[str, PublishedRun]],
    *,
    on_case: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Write traces, manifest and run logs of a publication into an empty data folder.

    Raises:
        FrozenError: the campaign holds traces already.
        DataError: a trace cannot be replayed; names all that is wrong, and nothing is written.
    """
    manifest = freeze_traces(campaign, [to_trace(trace) for trace in traces.values()], note=NOTE)
    hashes = {entry.case_id: entry.sha256 for entry in manifest.entries}
    left: Counter[str] = Counter()
    written: dict[str, int] = {}
    for logs in runs.values():
        for case_id, run in logs.items():
            converter = _Converter(traces[case_id], run)
            log = converter.log(converter.meta(manifest, hashes[case_id]))
            variant = str(log.meta["variant_id"])
            write_run(campaign.run_file(variant, case_id), log)
            written[variant] = written.get(variant, 0) + 1
            for record in (*run.flushes, *run.decisions, *run.summaries):
                left.update(f"{record['record_type']}.{name}" for name in record if name not in _HAS_A_PLACE)
            on_case(f"{variant} {case_id}")
    return Imported(manifest, written, left)


def to_trace(published: PublishedTrace) -> Trace:
    """Return a trace of ours: a message for each turn that has text, its deltas as the stream, times as recorded."""
    meta = published.meta
    spoken = sorted((turn for turn in published.turns if turn.text), key=lambda turn: (turn.deltas[0][0], turn.turn_id))
    messages = tuple(
        Message(
            turn.agent_id,
            turn.text,
            t_rel_ms=turn.deltas[0][0],
            stream=tuple((t_ms, len(text)) for t_ms, text in turn.deltas if text),
            upstream={"turn_id": turn.turn_id, "start_t_rel_ms": turn.start_ms, "end_t_rel_ms": turn.end_ms},
        )
        for turn in spoken
    )
    epoch = at_offset(UNIX_EPOCH, meta["t0_emitted_ms"])
    return Trace(
        meta["case_id"], epoch, messages, Provenance("", str(meta["mac_commit"]), str(meta["model"]), stub=False)
    )


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a delta's text stands: message, first code point, one past the last."""

    message: int
    start: int
    end: int


def to_run_log(published: PublishedTrace, run: PublishedRun) -> RunLog:
    """Return what a published run let go, decided and said, as a run log without provenance: enough to measure it."""
    return _Converter(published, run).log({"config": {"stream": _STREAM}, "status": OK})


class _Converter:
    """Turns one published run into a run log."""

    def __init__(self, published: PublishedTrace, run: PublishedRun) -> None:
        self._run = run
        self._trace = to_trace(published)
        self._t0_ms = int(published.meta["t0_emitted_ms"])
        self._variant = str(run.meta["trigger_policy"])
        message_of = {
            message.upstream["turn_id"]: index for index, message in enumerate(self._trace.messages) if message.upstream
        }
        lengths = [0] * len(self._trace.messages)
        derived = run.meta.get("timestamp_derivation")
        # Where upstream's stamps are the start of its run plus a number, the time of the last delta is the moment.
        self._stamps_are_made_up = isinstance(derived, Mapping) and bool(derived.get("derived_from_fallback"))
        self._times: list[int] = [delta["t_rel_ms"] for delta in published.deltas if delta["delta_text"]]
        self._seqs: list[int] = []
        self._positions: list[_Position] = []
        for delta in published.deltas:
            if not delta["delta_text"]:
                continue
            index, n_chars = message_of[delta["turn_id"]], len(delta["delta_text"])
            self._seqs.append(delta["seq"])
            self._positions.append(_Position(index, lengths[index], lengths[index] + n_chars))
            lengths[index] += n_chars

    def log(self, meta: Mapping[str, Any]) -> RunLog:
        """Return the run log."""
        windows = self._windows()
        flushes = tuple(self._flush(index, *window) for index, window in enumerate(windows))
        flush_of = {end_seq: index for index, (_, end_seq, _, _) in enumerate(windows)}
        decisions = tuple(self._decision(record, flush_of[record["end_seq"]]) for record in self._run.decisions)
        latency_of = {record["end_seq"]: int(record["latency_ms"] or 0) for record in self._run.decisions}
        summaries = tuple(self._summary(record, windows, latency_of) for record in self._run.summaries)
        return RunLog(meta, flushes, decisions, summaries)

    def _windows(self) -> list[tuple[int, int, str, str]]:
        """Return `(start_seq, end_seq, timestamp, reason)` of each chunk that left a buffer.

        Where upstream logs no flushes they follow from the records that it does log: a chunk ends with each decision
        (chunks of a fixed size), or else with each summary (a turn's end).
        """
        if self._run.flushes:
            return [(one["start_seq"], one["end_seq"], one["timestamp"], reason_of(one)) for one in self._run.flushes]
        reason, records = (
            ("fixed_ctu", self._run.decisions) if self._run.decisions else ("turn_end", self._run.summaries)
        )
        found: list[tuple[int, int, str, str]] = []
        for record in records:
            start = (
                max(record["start_seq"], found[-1][1] + 1) if found and reason == "fixed_ctu" else record["start_seq"]
            )
            found.append((min(start, record["end_seq"]), record["end_seq"], record["timestamp"], reason))
        return found

    def _flush(self, index: int, start_seq: int, end_seq: int, timestamp: str, reason: str) -> GateFlush:
        first, last = self._span(start_seq, end_seq)
        text = "".join(self._texts(first, last))
        return GateFlush(
            flush_index=index,
            t_ms=self._t_ms(timestamp, end_seq),
            start_seq=first.message,
            end_seq=last.message,
            start_char=first.start,
            end_char=last.end,
            ctu=ctu(text),
            words=len(text.split()),
            reason=reason,
            text_sha256=sha256_text(text),
        )

    def _span(self, start_seq: int, end_seq: int) -> tuple[_Position, _Position]:
        """Return the first and the last delta with text between two numbers; a window without one is the next delta."""
        begin = min(bisect_left(self._seqs, start_seq), len(self._seqs) - 1)
        end = max(bisect_right(self._seqs, end_seq) - 1, begin)
        return self._positions[begin], self._positions[end]

    def _texts(self, first: _Position, last: _Position) -> Iterator[str]:
        for index in range(first.message, last.message + 1):
            content = self._trace.messages[index].content
            start = first.start if index == first.message else 0
            yield content[start : last.end if index == last.message else len(content)]

    def _decision(self, record: Record, flush_index: int) -> TriggerDecision:
        passed = record.get("filter_results") or {}
        return TriggerDecision(
            decision_index=record["decision_index"],
            flush_index=flush_index,
            t_ms=self._t_ms(record["timestamp"], record["end_seq"]) + int(record["latency_ms"] or 0),
            decision=_DECISIONS.get(str(record.get("decision")), "hold"),
            filters={name: passed.get(f"{name}_passed") for name in ("completeness", "value", "novelty")},
            llm_usage=_usage(record),
            latency_ms=int(record["latency_ms"] or 0),
        )

    def _summary(
        self, record: Record, windows: list[tuple[int, int, str, str]], latency_of: Mapping[int, int]
    ) -> Summary:
        first, last = self._span(record["start_seq"], record["end_seq"])
        covered = [
            index for index, (start, end, _, _) in enumerate(windows)
            if record["start_seq"] <= end and start <= record["end_seq"]
        ]  # fmt: skip
        content = record.get("summary_content")
        sound = record["schema_ok"] and not field_problems(content)
        fields = {name: str(content[name]) for name in FIELDS} if sound and isinstance(content, Mapping) else None
        semantics = render(fields, SEMANTIC_FIELDS) if fields else record["summary_semantics_text"]
        rendered = render(fields, FIELDS) if fields else record["summary_semantics_text"]
        latency_ms = int(record["latency_ms"] or 0)
        return Summary(
            event_index=record["event_index"],
            event_id=self._event_id(record["event_id"]),
            t_ms=self._t_ms(record["timestamp"], record["end_seq"]) + latency_of.get(record["end_seq"], 0) + latency_ms,
            start_seq=first.message,
            end_seq=last.message,
            flush_indices=covered or [bisect_left([end for _, end, _, _ in windows[:-1]], record["end_seq"])],
            schema_ok=fields is not None,
            schema_error=None if fields else str(record.get("schema_error") or "; ".join(field_problems(content))),
            summary_content=fields,
            semantics_text=semantics,
            rendered_text=rendered,
            summary_ctu=ctu(rendered),
            latest_summary_event_id=self._event_id(record.get("latest_summary_event_id")),
            history_event_ids=[self._event_id(one) for one in record.get("summary_history_event_ids") or ()],
            llm_usage=_usage(record),
            latency_ms=latency_ms,
        )

    def _event_id(self, published: str | None) -> Any:
        """Return `case-…-full_exaid-se-003` for `case-….trace-V0-se-003`."""
        if published is None:
            return None
        return f"{self._run.case_id}-{self._variant}-se-{published.rpartition('-se-')[2]:0>3}"

    def _t_ms(self, timestamp: str, end_seq: int) -> int:
        if self._stamps_are_made_up:
            return self._times[max(0, bisect_right(self._seqs, end_seq) - 1)]
        elapsed = datetime.fromisoformat(timestamp) - datetime.fromisoformat(UNIX_EPOCH)
        return max(0, round(elapsed.total_seconds() * 1000) - self._t0_ms)

    def meta(self, manifest: Manifest, trace_sha256: str) -> dict[str, Any]:
        """Return the fields of run_meta."""
        meta = self._run.meta
        config = {
            "stream": _STREAM,
            "upstream": {name: meta[name] for name in sorted(meta) if name not in _OF_A_CASE},
        }
        models = {str(one["llm_usage"].get("model_id")) for one in (*self._run.decisions, *self._run.summaries)}
        made_by = (manifest.trace_dataset_hash, str(meta.get("eval_run_id")), self._variant)
        return {
            "case_id": self._run.case_id,
            "variant_id": self._variant,
            "status": OK,
            "imported": True,
            "upstream": {name: meta[name] for name in sorted(meta) if name in _OF_A_CASE},
            "eval_run_id": f"eval-{sha256_structure(list(made_by)).removeprefix('sha256:')[:16]}",
            "mas_run_id": manifest.generation.mas_run_id,
            "trace_sha256": trace_sha256,
            "trace_dataset_hash": manifest.trace_dataset_hash,
            "time_basis": self._trace.time_basis,
            "config": config,
            "config_hash": sha256_structure(config),
            "history_k": meta["history_k"],
            "gate": {"kind": "upstream_tokengate" if self._run.flushes else "upstream"},
            "trigger": {"kind": f"upstream_{self._variant}"},
            "summarizer": {"kind": "upstream_structured"},
            "llm": {"client": "upstream", "model": ", ".join(sorted(models)) or "unknown", "parameters": {}},
            "stub": False,
            "created_at": self._trace.epoch,
            "versions": {"upstream": str(meta.get("schema_version", "unknown"))},
        }


def reason_of(flush: Record) -> str:
    """Return our name of why a chunk left."""
    reason = str(flush["trigger_reason"])
    return {"silence_timer": "silence", "max_wait_timeout": "max_wait"}.get(reason, reason)


def _usage(record: Record) -> dict[str, int | None]:
    usage = record["llm_usage"]
    provided = {f"provider_{what}_tokens": usage.get(f"provider_{what}_tokens") for what in ("prompt", "completion")}
    return {
        "calls": 1,
        "prompt_ctu": usage.get("prompt_ctu", 0),
        "completion_ctu": usage.get("completion_ctu", 0),
        **provided,
    }
