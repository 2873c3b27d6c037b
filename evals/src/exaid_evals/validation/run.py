"""Run logs: one case under one variant, every reference within the file kept, every cause before its effect."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import orjson

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.ids import summary_event_id
from exaid_evals.artifacts.text_units import ctu, text_problems
from exaid_evals.validation.base import FileCheck, Finding, FrozenFacts, Record, Surroundings

# record type → the field that numbers its records, in the order in which the types follow one another.
_INDEX = {"run_meta": "", "gate_flush": "flush_index", "trigger_decision": "decision_index", "summary": "event_index"}
_RANK = {record_type: rank for rank, record_type in enumerate(_INDEX)}
_SKIPPED, _FAILED = "skipped_failed_trace", "failed"


class _Flush(NamedTuple):
    t_ms: int
    start_seq: int
    end_seq: int


class _Event(NamedTuple):
    number: int
    t_ms: int
    schema_ok: bool


class RunCheck(FileCheck):
    """Replays the log's logic, not the variant: no reference may dangle, and nothing may know the future.

    After a broken line its neighbours are not accused: numbers are then only asked to grow, and references to
    what the broken line may have held are let pass.
    """

    schema = "exaid.run"
    remedy = "run `exaid-evals run-variants --force`"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        super().__init__(path, surroundings, add)
        self._meta: Record | None = None
        self._rank = -1
        self._next_index = dict.fromkeys(_INDEX, 0)
        self._flushes: dict[int, _Flush] = {}
        self._held: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self._last_t_ms = 0
        self._last_decided = -1
        self._summarized: list[int] = []
        self._events: dict[str, _Event] = {}
        self._last_event_id: str | None = None
        self._last_covered = -1

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        record_type = record["record_type"]
        rank = _RANK[record_type]
        if rank < self._rank:
            self.found(line, f"{record_type} after {list(_INDEX)[self._rank]}: the types are out of order")
        else:
            self._rank = rank
        if record_type == "run_meta":
            self._run_meta(line, record)
            return
        if self._meta is None and not self.incomplete and line == 1:
            self.found(line, f"opens with {record_type}, and must open with run_meta")
        if self._meta is not None and self._meta["status"] in (_SKIPPED, _FAILED):
            what = "was skipped" if self._meta["status"] == _SKIPPED else "failed"
            self.found(line, f"{record_type} in a run that {what}: it has run_meta alone")
        self._index(line, record, record_type)
        if record_type == "gate_flush":
            self._gate_flush(line, record)
        elif record_type == "trigger_decision":
            self._trigger_decision(line, record)
        else:
            self._summary(line, record)

    def _ours(self, line: int, what: str) -> None:
        """Note what breaks the logic of our engine; another system's log was made by other rules."""
        if self._meta is None or not self._meta.get("imported", False):
            self.found(line, what)

    def _index(self, line: int, record: Record, record_type: str) -> None:
        field = _INDEX[record_type]
        index, expected = record[field], self._next_index[record_type]
        if index != expected and not (self.incomplete and index > expected):
            self.found(line, f"{field} is {index}, and must be {expected}")
        self._next_index[record_type] = index + 1

    def _run_meta(self, line: int, record: Record) -> None:
        if self._meta is not None:
            self.found(line, "a second run_meta: a run log has exactly one")
            return
        self._meta = record
        if record["case_id"] != self.stem:
            self.found(line, f"{record['case_id']} in the file of {self.stem}")
        if record["config_hash"] != _config_hash(orjson.dumps(record["config"], option=orjson.OPT_SORT_KEYS)):
            self.found(line, "config_hash is not the hash of config")
        if (record["status"] == _FAILED) != ("failure_reason" in record):
            self.found(line, "failure_reason must be given where status is failed, and only there")
        stream = record["config"].get("stream")
        speed = stream.get("chars_per_second") if isinstance(stream, dict) else None
        if record["status"] != _SKIPPED and not (isinstance(speed, int | float) and speed > 0):
            self.found(line, "config.stream.chars_per_second must be a number above 0")
        folder = self.path.parent
        if folder.parent.name == "runs":
            if record["variant_id"] != folder.name:
                self.found(line, f"variant {record['variant_id']} in the folder of {folder.name}")
            frozen = self.surroundings.frozen(folder.parent.parent)
            if frozen is not None:
                self._frozen(line, record, frozen)

    def _frozen(self, line: int, record: Record, frozen: FrozenFacts) -> None:
        remedy = "run the variants again: the log is of other traces"
        if record["mas_run_id"] != frozen.mas_run_id:
            self.found(line, f"mas_run_id is {record['mas_run_id']}, the manifest's {frozen.mas_run_id}", remedy)
        if frozen.stub and not record["stub"]:
            self.found(line, "stub is false, and the traces are stubs", remedy)
        if frozen.trace_sha256 is None:
            return
        if record["trace_dataset_hash"] != frozen.trace_dataset_hash:
            self.found(line, "trace_dataset_hash is not the manifest's", remedy)
        expected = frozen.trace_sha256.get(record["case_id"])
        if expected is None:
            self.found(line, f"the manifest knows no {record['case_id']}", "remove the run, or its folder's rest")
        elif record["trace_sha256"] != expected:
            self.found(line, "trace_sha256 is not the manifest's", remedy)

    def _gate_flush(self, line: int, record: Record) -> None:
        start = (record["start_seq"], record["start_char"])
        end = (record["end_seq"], record["end_char"])
        if end < start:
            self.found(line, f"the flush ends at {end}, before it starts at {start}")
        # Of messages that overlap, a later flush may hold an earlier part, but none what another holds.
        place = bisect(self._held, (start, end))
        if place and self._held[place - 1][1] > start:
            self._ours(line, f"the flush starts at {start}, before the end of another at {self._held[place - 1][1]}")
        elif place < len(self._held) and self._held[place][0] < end:
            self._ours(line, f"the flush ends at {end}, behind the start of another at {self._held[place][0]}")
        self._held.insert(place, (start, end))
        if record["t_ms"] < self._last_t_ms:
            self._ours(line, f"t_ms goes back from {self._last_t_ms} to {record['t_ms']}")
        self._last_t_ms = record["t_ms"]
        self._flushes[record["flush_index"]] = _Flush(record["t_ms"], record["start_seq"], record["end_seq"])

    def _trigger_decision(self, line: int, record: Record) -> None:
        flush_index = record["flush_index"]
        if flush_index <= self._last_decided:
            self.found(line, f"flush {flush_index} is decided after flush {self._last_decided}")
        self._last_decided = flush_index
        if record["decision"] == "summarize":
            self._summarized.append(flush_index)
        flush = self._flushes.get(flush_index)
        if flush is None:
            if not self.incomplete:
                self.found(line, f"there is no flush {flush_index}")
        elif record["t_ms"] < flush.t_ms + record["latency_ms"]:
            self._ours(line, f"t_ms is {record['t_ms']}, before flush {flush_index} and the latency allow it")

    def _summary(self, line: int, record: Record) -> None:
        self._text(line, record)
        self._window(line, record)
        self._history(line, record)
        event_id, index = record["event_id"], record["event_index"]
        if self._meta is not None:
            expected = summary_event_id(self._meta["case_id"], self._meta["variant_id"], int(index))
            if event_id != expected:
                self.found(line, f"event_id is {event_id}, and must be {expected}")
        self._events[event_id] = _Event(index, record["t_ms"], record["schema_ok"])
        self._last_event_id = event_id

    def _text(self, line: int, record: Record) -> None:
        units = ctu(record["rendered_text"])
        if record["summary_ctu"] != units:
            self.found(line, f"summary_ctu is {record['summary_ctu']}, and rendered_text has {units}")
        if record["schema_ok"] == (record["schema_error"] is not None):
            self.found(line, "schema_error must be given where schema_ok is false, and only there")
        if not record["schema_ok"] and record["summary_content"] is not None:
            self.found(line, "a failed summary with summary_content")
        for problem in text_problems(record["summary_content"], record["semantics_text"], record["rendered_text"]):
            self.found(line, problem)

    def _window(self, line: int, record: Record) -> None:
        indices = record["flush_indices"]
        if len(indices) > 1 and any(after != before + 1 for before, after in pairwise(indices)):
            self._ours(line, "flush_indices do not follow one another")
        if indices[0] <= self._last_covered:
            self._ours(line, f"flush {indices[0]} stands in an earlier summary too")
        self._last_covered = indices[-1]
        number = int(record["event_index"])
        if not self.incomplete and [indices[-1]] != self._summarized[number : number + 1]:
            self._ours(line, f"no decision to summarize after flush {indices[-1]} belongs to it")
        flushes = [self._flushes.get(index) for index in indices]
        if None in flushes:
            if not self.incomplete:
                self.found(line, f"there is no flush {indices[flushes.index(None)]}")
            return
        covered = [flush for flush in flushes if flush is not None]
        first, last = min([flush.start_seq for flush in covered]), max([flush.end_seq for flush in covered])
        if (record["start_seq"], record["end_seq"]) != (first, last):
            messages = f"{record['start_seq']}–{record['end_seq']}"
            self._ours(line, f"covers messages {messages}, its flushes {first}–{last}")
        if record["t_ms"] < covered[-1].t_ms + record["latency_ms"]:
            self._ours(line, f"t_ms is {record['t_ms']}, before its last flush and the latency allow it")

    def _history(self, line: int, record: Record) -> None:
        history, latest = record["history_event_ids"], record["latest_summary_event_id"]
        last = self._last_event_id
        if latest != last and not self.incomplete:
            self.found(line, f"latest_summary_event_id is {latest}, and the one before is {last}")
        history_k = self._meta["history_k"] if self._meta is not None else len(history)
        if len(history) > history_k:
            self.found(line, f"{len(history)} summaries of history, and history_k is {history_k}")
        if not history:
            return
        known = [self._events.get(event_id) for event_id in history]
        begun_ms = record["t_ms"] - record["latency_ms"]
        for event_id, event in zip(history, known, strict=True):
            if event is None:
                if not self.incomplete:
                    self.found(line, f"history names {event_id:.120}, which is not an earlier summary")
            elif not event.schema_ok:
                self._ours(line, f"history names {event_id}, which failed")
            elif event.t_ms > begun_ms:
                self._ours(line, f"history names {event_id}, which was not emitted yet at {begun_ms} ms")
        order = [event.number for event in known if event is not None]
        if order != sorted(set(order)):
            self.found(line, "history_event_ids are not in order, each once")

    def end(self, digest: str | None) -> None:
        """Count what must correspond."""
        if self.incomplete:
            return
        if self._meta is None:
            self.found(0, "has no run_meta")
            return
        n_summaries, n_decided = self._next_index["summary"], len(self._summarized)
        if n_summaries != n_decided:
            self._ours(0, f"has {n_summaries} summaries and {n_decided} decisions to summarize")


_hashes: dict[bytes, str] = {}


def _config_hash(config: bytes) -> str:
    """Hash a configuration, of which a campaign's thousands of runs hold a handful."""
    if config not in _hashes:
        if len(_hashes) > 100:
            _hashes.clear()
        _hashes[config] = sha256_structure(orjson.loads(config))
    return _hashes[config]
