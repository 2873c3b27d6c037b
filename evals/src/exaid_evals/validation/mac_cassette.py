"""Recordings of MAC's calls: one generation a file, each answer under the request that it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.validation.base import FileCheck, Finding, Record
from exaid_evals.validation.surroundings import Surroundings


class MacCassetteCheck(FileCheck):
    """A replay looks answers up by the hash of a request, so the hash must be that request's, and stand once."""

    schema = "exaid.mac_cassette"
    remedy = "restore the recording; or remove it, and the next live generation makes its calls again"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        super().__init__(path, surroundings, add)
        self._run_id: str | None = None
        self._calls: set[tuple[str, str, int]] = set()
        self._n_calls: Counter[str] = Counter()
        self._closed: set[str] = set()

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        run_id, kind = record["mas_run_id"], record["record_type"]
        if (kind == "mac_run") != (line == 1):
            self.found(line, "the first record, and no other, must be mac_run")
        if self._run_id is None:
            self._run_id = run_id
        if run_id != self._run_id:
            self.found(line, f"a record of {run_id} in the recording of {self._run_id}")
        if kind == "mac_call":
            self._call(line, record)
        elif kind == "mac_case":
            self._case(line, record)

    def _call(self, line: int, record: Record) -> None:
        case_id = record["case_id"]
        key = (case_id, record["request_sha256"], record["repeat"])
        if key in self._calls:
            self.found(line, "the same call is a duplicate")
        self._calls.add(key)
        if record["request_sha256"] != sha256_structure(record["request"]):
            self.found(line, "request_sha256 is not the hash of request: one of them was changed")
        if record["call_index"] != self._n_calls[case_id]:
            self.found(line, f"call_index is {record['call_index']}, and must be {self._n_calls[case_id]}")
        self._n_calls[case_id] += 1

    def _case(self, line: int, record: Record) -> None:
        failed = record["status"] == "failed"
        if record["case_id"] in self._closed:
            self.found(line, f"{record['case_id']} comes to an end twice")
        self._closed.add(record["case_id"])
        if failed != ("failure_reason" in record):
            self.found(line, "failure_reason belongs to failed cases, and to each of them")
        if failed == bool(record["messages"]):
            self.found(line, "messages belong to successful cases, and to each of them")
        times = [message["t_rel_ms"] for message in record["messages"]]
        if times != sorted(times) or (times and times[0] != 0):
            self.found(line, "t_rel_ms must begin at 0 and never go back")
