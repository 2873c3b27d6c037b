"""Run logs: one case under one variant, every reference within the file kept, every cause before its effect."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import orjson

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.ids import summary_event_id
from exaid_evals.artifacts.text_units import ctu, text_problems
from exaid_evals.validation.base import FileCheck, Finding, FrozenFacts, Record, Surroundings

# record type → the field that numbers its records, in the order in which the types follow one another.
_INDEX = {"run_meta": "", "gate_flush": "flush_index", "trigger_decision": "decision_index", "summary": "event_index"}
_RANK = {record_type: rank for rank, record_type in enumerate(_INDEX)}
_SKIPPED, _FAILED = "skipped_failed_trace", "failed"


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
        self._flushes: dict[int, tuple[int, int, int]] = {}  # t_ms, start_seq, end_seq
        self._held: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self._last_t_ms = 0
        self._last_decided = -1
        self._summarized: list[int] = []
        self._events: dict[str, tuple[int, int, bool]] = {}  # event_index, t_ms, schema_ok
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
        self._of_type(record_type, line, [record])

    def records(self, first: int, records: Sequence[Record]) -> None:
        """Take the next records of one type, at once where their order is right."""
        record_type = records[0]["record_type"]
        rank, field, start = _RANK[record_type], _INDEX[record_type], int(self._next_index[record_type])
        if (
            record_type == "run_meta"
            or rank < self._rank
            or self._meta is None
            or self._meta["status"] in (_SKIPPED, _FAILED)
            or [record[field] for record in records] != list(range(start, start + len(records)))
        ):
            super().records(first, records)
            return
        self._rank = rank
        self._next_index[record_type] = records[-1][field] + 1
        self._of_type(record_type, first, records)

    def _of_type(self, record_type: str, first: int, records: Sequence[Record]) -> None:
        if record_type == "gate_flush":
            self._gate_flushes(first, records)
        elif record_type == "trigger_decision":
            self._trigger_decisions(first, records)
        else:
            self._summaries(first, records)

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

    def _gate_flushes(self, first: int, records: Sequence[Record]) -> None:
        held, flushes, last_t_ms = self._held, self._flushes, self._last_t_ms
        for line, record in enumerate(records, first):
            t_ms, start_seq, end_seq = record["t_ms"], record["start_seq"], record["end_seq"]
            start, end = (start_seq, record["start_char"]), (end_seq, record["end_char"])
            if end < start:
                self.found(line, f"the flush ends at {end}, before it starts at {start}")
            if held and (held[-1] > (start, end) or held[-1][1] > start):
                self._out_of_order(line, start, end)
            else:
                held.append((start, end))
            if t_ms < last_t_ms:
                self._ours(line, f"t_ms goes back from {last_t_ms} to {t_ms}")
            last_t_ms = t_ms
            flushes[record["flush_index"]] = t_ms, start_seq, end_seq
        self._last_t_ms = last_t_ms

    def _out_of_order(self, line: int, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Take a flush's text: of messages that overlap it may hold an earlier part, but none that another holds."""
        place = bisect(self._held, (start, end))
        if place and self._held[place - 1][1] > start:
            self._ours(line, f"the flush starts at {start}, before the end of another at {self._held[place - 1][1]}")
        elif place < len(self._held) and self._held[place][0] < end:
            self._ours(line, f"the flush ends at {end}, behind the start of another at {self._held[place][0]}")
        self._held.insert(place, (start, end))

    def _trigger_decisions(self, first: int, records: Sequence[Record]) -> None:
        flushes, last = self._flushes, self._last_decided
        for line, record in enumerate(records, first):
            flush_index = record["flush_index"]
            if flush_index <= last:
                self.found(line, f"flush {flush_index} is decided after flush {last}")
            last = flush_index
            if record["decision"] == "summarize":
                self._summarized.append(flush_index)
            flush = flushes.get(flush_index)
            if flush is None:
                if not self.incomplete:
                    self.found(line, f"there is no flush {flush_index}")
            elif record["t_ms"] < flush[0] + record["latency_ms"]:
                self._ours(line, f"t_ms is {record['t_ms']}, before flush {flush_index} and the latency allow it")
        self._last_decided = last

    def _summaries(self, first: int, records: Sequence[Record]) -> None:
        for line, record in enumerate(records, first):
            self._summary(line, record)

    def _summary(self, line: int, record: Record) -> None:
        self._text(line, record)
        self._window(line, record)
        self._history(line, record)
        event_id, index = record["event_id"], record["event_index"]
        if self._meta is not None:
            expected = summary_event_id(self._meta["case_id"], self._meta["variant_id"], int(index))
            if event_id != expected:
                self.found(line, f"event_id is {event_id}, and must be {expected}")
        self._events[event_id] = index, record["t_ms"], record["schema_ok"]
        self._last_event_id = event_id

    def _text(self, line: int, record: Record) -> None:
        rendered_text, content, schema_ok = record["rendered_text"], record["summary_content"], record["schema_ok"]
        units = ctu(rendered_text)
        if record["summary_ctu"] != units:
            self.found(line, f"summary_ctu is {record['summary_ctu']}, and rendered_text has {units}")
        if schema_ok == (record["schema_error"] is not None):
            self.found(line, "schema_error must be given where schema_ok is false, and only there")
        if not schema_ok and content is not None:
            self.found(line, "a failed summary with summary_content")
        for problem in text_problems(content, record["semantics_text"], rendered_text):
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
        covered = [self._flushes[index] for index in indices if index in self._flushes]
        if len(covered) < len(indices):
            if not self.incomplete:
                absent = next(index for index in indices if index not in self._flushes)
                self.found(line, f"there is no flush {absent}")
            return
        last_t_ms, first, last = covered[-1]
        if len(covered) > 1:
            first, last = min([start_seq for _, start_seq, _ in covered]), max([end_seq for *_, end_seq in covered])
        if (record["start_seq"], record["end_seq"]) != (first, last):
            messages = f"{record['start_seq']}–{record['end_seq']}"
            self._ours(line, f"covers messages {messages}, its flushes {first}–{last}")
        if record["t_ms"] < last_t_ms + record["latency_ms"]:
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
        begun_ms = record["t_ms"] - record["latency_ms"]
        before, in_order = -1, True
        for event_id in history:
            event = self._events.get(event_id)
            if event is None:
                if not self.incomplete:
                    self.found(line, f"history names {event_id:.120}, which is not an earlier summary")
                continue
            number, t_ms, schema_ok = event
            if not schema_ok:
                self._ours(line, f"history names {event_id}, which failed")
            elif t_ms > begun_ms:
                self._ours(line, f"history names {event_id}, which was not emitted yet at {begun_ms} ms")
            in_order = in_order and number > before
            before = number
        if not in_order:
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
