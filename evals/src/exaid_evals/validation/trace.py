"""Traces: one case a file, its messages numbered, timed and counted as they claim."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import itemgetter
from pathlib import Path

from exaid_evals.artifacts.gold import gold_problems
from exaid_evals.artifacts.hashing import sha256_text
from exaid_evals.artifacts.ids import basis_of_times, parse_timestamp, trace_id
from exaid_evals.artifacts.manifest import RESTORE
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.errors import DataError
from exaid_evals.validation.base import FileCheck, Finding, Record, Surroundings, TraceFacts

FAILED = "failed"
_LABEL = itemgetter("start", "end", "kind", "concept_id")


class TraceCheck(FileCheck):
    """A trace is what every measure rests on, so each number in it is recomputed from its content."""

    schema = "exaid.trace"
    remedy = RESTORE

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        super().__init__(path, surroundings, add)
        self._first: Record = {}
        self._n_records = 0
        self._units = 0
        self._epoch: datetime | None = None
        self._last_moment: datetime | None = None
        self._last_known_ms: int | None = None

    def record(self, line: int, record: Record) -> None:
        """Take the next message."""
        self._n_records += 1
        self._units += record["text_units_ctu"]
        if not self._first:
            self._first = record
        self._names(line, record)
        self._one_conversation(line, record)
        self._content(line, record)
        self._times(line, record)

    def _names(self, line: int, record: Record) -> None:
        case_id, sequence_num = record["case_id"], record["sequence_num"]
        if case_id != self.stem:
            self.found(line, f"{case_id} in the file of {self.stem}", f"name the file {case_id}.jsonl.gz")
        # The line says which message it must be, so one broken line does not accuse those behind it.
        if sequence_num != line - 1:
            self.found(line, f"sequence_num is {sequence_num}, and must be {line - 1}")
        elif record["trace_id"] != trace_id(case_id, line - 1):
            self.found(line, f"trace_id is {record['trace_id']}, and must be {trace_id(case_id, line - 1)}")

    def _one_conversation(self, line: int, record: Record) -> None:
        if record["case_id"] != self._first["case_id"]:
            self.found(line, "a second case in the file", "keep one case a file")
        metadata, opening = record["metadata"], self._first["metadata"]
        for field in ("mas_run_id", "mac_commit", "model", "status", "stub"):
            if metadata.get(field) != opening.get(field):
                self.found(line, f"metadata.{field} differs from the first message's")
        if metadata["status"] == FAILED and self._n_records > 1:
            self.found(line, "a failed case has exactly one record")
        for field in ("gold_concepts", "gold_mentions"):
            if field in metadata and metadata.get("stub") is not True:
                self.found(line, f"metadata.{field} in a trace that is not a stub", "remove them, or say stub")

    def _content(self, line: int, record: Record) -> None:
        content, units = record["content"], record["text_units_ctu"]
        expected = 0 if record["metadata"]["status"] == FAILED else ctu(content)
        if units != expected:
            self.found(line, f"text_units_ctu is {units}, and the content has {expected}")
        if "content_sha256" in record and record["content_sha256"] != sha256_text(content):
            self.found(line, "content_sha256 is not the content's hash: the text was changed")
        if "stream" in record:
            self._stream(line, record)
        if "time_basis" in record:
            self._time_basis(line, record)
        labels = record["metadata"].get("gold_mentions")
        if labels is not None:
            for problem in gold_problems(content, map(_LABEL, labels), record["metadata"].get("gold_concepts")):
                self.found(line, problem)

    def _stream(self, line: int, record: Record) -> None:
        stream, content = record["stream"], record["content"]
        n_chars = 0
        last_ms = start_ms = record.get("t_rel_ms")
        for t_ms, length in stream:
            if last_ms is not None and t_ms < last_ms:
                self.found(line, f"the stream goes back in time, from {last_ms} to {t_ms} ms")
            last_ms = t_ms
            n_chars += length
        if n_chars != len(content) and stream:
            self.found(line, f"the stream's chunks have {n_chars} characters, and the content {len(content)}")
        if stream and start_ms is not None and stream[0][0] != start_ms:
            self.found(line, f"the stream starts at {stream[0][0]} ms, and t_rel_ms is {start_ms}")

    def _time_basis(self, line: int, record: Record) -> None:
        start, end = record.get("t_rel_ms"), record.get("end_t_rel_ms")
        last = max([t_ms for t_ms, _ in record.get("stream", ())], default=start)
        if end is not None and last is not None and end < last:
            self.found(line, f"end_t_rel_ms is {end}, before the text that came at {last} ms")
        if record.get("stream") and start is None:
            self.found(line, "a stream without t_rel_ms, which is the time of its first chunk")
        known = basis_of_times(start, end, streamed=bool(record.get("stream")))
        if record["time_basis"] != known:
            self.found(line, f"time_basis is {record['time_basis']}, and its times make it {known}")

    def _times(self, line: int, record: Record) -> None:
        timestamp = record["timestamp"]
        name, known_ms = next(
            ((name, record[name]) for name in ("t_rel_ms", "end_t_rel_ms") if name in record), ("t_rel_ms", None)
        )
        try:
            moment = parse_timestamp(timestamp)
        except DataError as error:
            self.found(line, error.what, error.remedy)
            return
        if self._last_moment is not None and moment < self._last_moment:
            self.found(line, f"timestamp {timestamp} is before the message above")
        self._last_moment = moment
        if self._epoch is None and record is self._first:
            self._epoch = moment
            if line == 1 and known_ms:
                self.found(line, f"{name} is {known_ms}, and the first message's must be 0")
        if known_ms is None:
            return
        if self._last_known_ms is not None and known_ms < self._last_known_ms:
            self.found(line, f"{name} goes back from {self._last_known_ms} to {known_ms}")
        self._last_known_ms = known_ms
        if self._epoch is not None and not self.incomplete:
            elapsed_ms = (moment - self._epoch).total_seconds() * 1000
            # Time stamps of whole seconds are a second apart at most from a clock in milliseconds.
            if abs(elapsed_ms - known_ms) > (1 if "." in timestamp else 999):
                self.found(line, f"{name} is {known_ms}, and the time stamps lie {elapsed_ms:.0f} ms apart")

    def end(self, digest: str | None) -> None:
        """Leave what a manifest will want to know."""
        sound = bool(digest and self._n_records and not self.incomplete)
        status = self._first["metadata"]["status"] if sound else ""
        facts = TraceFacts(digest or "", self._n_records, self._units, status)
        self.surroundings.note_trace(str(self.path), facts if sound else None)
