"""Recordings of calls: every answer is filed under its own request, once, in a case's unbroken sequence of calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.validation.base import FileCheck, Finding, Record, Surroundings


class CassetteCheck(FileCheck):
    """Recomputes the hash of each request and the CTU of both sides, and counts calls and repeats.

    While a run lasts, and after it was killed, the cases' calls stand in the order in which they were made; so the
    order of different cases is not checked, but that of the calls of one case is.
    """

    schema = "exaid.cassette"
    remedy = "restore the cassette, or keep what can be read of it with `exaid-evals cassette repair`"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        super().__init__(path, surroundings, add)
        self._variant: str | None = None
        self._next_call: dict[str, int] = {}
        self._next_repeat: dict[tuple[str, str], int] = {}

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        request, case_id = record["request"], record["case_id"]
        if record["eval_run_id"] != self.stem:
            self.found(line, f"a call of {record['eval_run_id']} in the cassette of {self.stem:.80}")
        self._variant = self._variant or record["variant_id"]
        if record["variant_id"] != self._variant:
            self.found(line, f"a call of {record['variant_id']} in a cassette of {self._variant}")
        digest = record["request_sha256"]
        if digest != sha256_structure(request):
            self.found(line, "request_sha256 is not the hash of request: one of them was changed")
        usage = record["usage"]
        prompt_ctu = sum(ctu(message["content"]) for message in request["messages"])
        completion_ctu = ctu(record["response_text"])
        for field, actual in (("prompt_ctu", prompt_ctu), ("completion_ctu", completion_ctu)):
            if usage[field] != actual:
                self.found(line, f"usage.{field} is {usage[field]}, and the text has {actual}")
        self._count(line, record, case_id, digest)

    def _count(self, line: int, record: Record, case_id: str, digest: str) -> None:
        expected = self._next_call.get(case_id, 0)
        call, repeat = record["call_index"], record["repeat"]
        if call < expected:
            self.found(line, f"call {call} of {case_id} is a duplicate, or after call {expected - 1}")
        elif call > expected and not self.incomplete:
            self.found(line, f"call {expected} of {case_id} is missing before call {call}")
        self._next_call[case_id] = max(call + 1, expected)
        seen = self._next_repeat.get((case_id, digest), 0)
        if repeat < seen:
            self.found(line, f"repeat {repeat} of the same request of {case_id} is a duplicate")
        elif repeat > seen and not self.incomplete:
            self.found(line, f"repeat is {repeat}, and the same request of {case_id} was made {seen} times before")
        self._next_repeat[case_id, digest] = max(repeat + 1, seen)


class MacCassetteCheck(FileCheck):
    """A replay looks answers up by the hash of a request, so the hash must be that request's, and stand once."""

    schema = "exaid.mac_cassette"
    remedy = "restore the recording, or keep what can be read of it with `exaid-evals cassette repair`"

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
        times = [message.get("end_t_rel_ms", message.get("t_rel_ms")) for message in record["messages"]]
        if times != sorted(times) or (times and times[0] != 0):
            self.found(line, "t_rel_ms must begin at 0 and never go back")
