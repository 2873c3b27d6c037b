"""Cassettes: every recorded call is filed under its own request, once, in a case's unbroken sequence of calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.validation.base import FileCheck, Finding, Record
from exaid_evals.validation.surroundings import Surroundings


class CassetteCheck(FileCheck):
    """Recomputes the hash of each request and the CTU of both sides, and counts calls and repeats.

    While a run lasts, and after it was killed, the cases' calls stand in the order in which they were made; so the
    order of different cases is not checked, but that of the calls of one case is.
    """

    schema = "exaid.cassette"
    remedy = "restore the cassette; or remove it, and the next live run makes its calls again"

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
