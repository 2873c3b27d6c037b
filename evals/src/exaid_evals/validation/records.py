"""Checks of what a campaign is made from: cases, the manifest, recordings of calls, journals of recoveries."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import sha256_of_items, sha256_structure, sha256_text
from exaid_evals.artifacts.manifest import ENTRY, RESTORE
from exaid_evals.artifacts.storage import is_stored, stored_names
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.config.campaign import Campaign
from exaid_evals.validation.base import FileCheck, Finding, Record, Surroundings


class CaseCheck(FileCheck):
    """Cases are distinguished by their ids alone: two with one id would share a trace."""

    schema = "exaid.case"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        """Begin a file."""
        super().__init__(path, surroundings, add)
        self._folder = str(path.parent)

    def record(self, line: int, record: Record) -> None:
        """Take the next case."""
        case_id = record["case_id"]
        place = f"{self.path.name}:{line}"
        earlier = self.surroundings.first_place_of_case(self._folder, case_id, place)
        if earlier is not None:
            self.found(line, f"the case {case_id} is a duplicate of {earlier}", "give each an id of its own")


class ManifestCheck(FileCheck):
    """Recomputes every id and hash that the manifest names, and holds it against the traces beside it.

    The formulas stand here a second time on purpose: a check that shares the writer's code shares its mistakes.
    """

    schema = "exaid.manifest"
    remedy = RESTORE

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        """Begin a file."""
        super().__init__(path, surroundings, add)
        self._head: Record | None = None
        self._cases: list[tuple[Any, ...]] = []

    def record(self, line: int, record: Record) -> None:
        """Take the manifest's one record; of a large data set its head, then a record of each case."""
        kind = record.get("record_type")
        if self._head is not None and (kind != "case" or "record_type" not in self._head):
            self.found(line, "a second record: a manifest has one", "keep the one that froze the traces")
        elif self._head is None and kind == "case":
            self.found(line, "a case without the record that heads a manifest")
        elif self._head is None:
            self._head = record
        else:
            values = (record.get(name) for name in ENTRY)
            self._cases.append(tuple(sys.intern(one) if isinstance(one, str) else one for one in values))

    def end(self, digest: str | None) -> None:
        """Check what the records say together."""
        if self._head is not None and not self.incomplete:
            self._whole(1, self._head)

    def _whole(self, line: int, head: Record) -> None:
        config, in_records = head["mas_generation_config"], "record_type" in head
        cases = [one[0] for one in self._cases] if in_records else config["ordered_case_list"]
        self._selection(line, config, cases)
        if ("trace_dataset_hash" if in_records else "traces") in head:
            self._listing(line, head, cases)
            if self.path.parent.name == "manifests":
                self._files(line, Campaign(self.path.parent.parent))
        elif "trace_dataset_hash" in head:
            self.found(line, "trace_dataset_hash without traces")

    def _traces(self) -> Iterator[Record]:
        """Yield what is said of each trace; a case without one has an id alone."""
        yield from (self._head or {}).get("traces", ())
        for values in self._cases:
            entry = {name: value for name, value in zip(ENTRY, values, strict=True) if value is not None}
            if len(entry) > 1:
                yield entry

    def _selection(self, line: int, config: Record, cases: Sequence[str]) -> None:
        if cases != sorted(cases):
            self.found(line, "ordered_case_list is not sorted")
        if config["n_cases_selected"] != len(cases):
            what = f"n_cases_selected is {config['n_cases_selected']}, and ordered_case_list has {len(cases)}"
            self.found(line, what)
        if config["n_cases_selected"] > config["n_cases_available"]:
            self.found(line, "n_cases_selected exceeds n_cases_available")
        if config["case_list_hash"] != sha256_text(json.dumps(cases, sort_keys=True)):
            self.found(line, "case_list_hash is not the hash of ordered_case_list")
        identity = {"mac_commit": config["mac_commit"], "model": config["base_model"], "cases": cases}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        if config["mas_run_id"] != f"mas-{digest[:16]}":
            what = f"mas_run_id is {config['mas_run_id']}, and commit, model and cases make mas-{digest[:16]}"
            self.found(line, what)

    def _listing(self, line: int, head: Record, cases: Sequence[str]) -> None:
        if head.get("trace_dataset_hash") != sha256_of_items(self._traces()):
            self.found(line, "trace_dataset_hash is not the hash of traces")
        if [entry["case_id"] for entry in self._traces()] != cases:
            self.found(line, "traces does not list the cases of ordered_case_list, each once and in its order")

    def _files(self, line: int, campaign: Campaign) -> None:
        known = set()
        for entry in self._traces():
            path = campaign.trace_file(entry["case_id"])
            known.add(path.name)
            # The path is only compared, never opened: a hostile one leads out of the campaign.
            if entry["path"] != campaign.relative(path):
                what = (
                    f"the trace of {entry['case_id']} is listed as {entry['path']:.80}, not {campaign.relative(path)}"
                )
                self.found(line, what)
            elif not is_stored(path):
                self.found(line, f"missing: {entry['path']}", RESTORE)
            else:
                self._file(line, entry, campaign)
        for name in sorted(set(stored_names(campaign.traces)) - known):
            self.found(line, f"extra, in no manifest: traces/{name}", RESTORE)

    def _file(self, line: int, entry: Record, campaign: Campaign) -> None:
        facts = self.surroundings.trace(campaign.trace_file(entry["case_id"]))
        if facts is None:
            self.found(line, f"damaged: {entry['path']} is not a sound trace", RESTORE)
        elif facts.sha256 != entry["sha256"]:
            self.found(line, f"changed: {entry['path']} is not what was frozen", RESTORE)
        else:
            for field in ("n_records", "text_units_ctu", "status"):
                actual = getattr(facts, field)
                if actual not in (None, entry[field]):
                    what = f"{field} of {entry['path']} is {entry[field]}, and the file has {actual}"
                    self.found(line, what)


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


class RecoveryCheck(FileCheck):
    """Holds outcomes against the actions before them."""

    schema = "exaid.recovery"
    remedy = "the journal is not as the training wrote it; restore it"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        super().__init__(path, surroundings, add)
        self._next = 0
        self._open: set[int] = set()

    def record(self, line: int, record: Record) -> None:
        """Take the next record; a checkpoint's manifest stands alone in its file."""
        if record["record_type"] == "checkpoint":
            if line > 1:
                self.found(line, "a manifest of a checkpoint among other records")
            return
        if record["index"] != self._next:
            self.found(line, f"index is {record['index']}, and {self._next} comes next")
        self._next = record["index"] + 1
        if record["record_type"] == "action":
            if record["done"] and record["counted"]:
                self._open.add(record["index"])
            return
        if record["action"] not in self._open:
            self.found(line, f"the outcome is of action {record['action']}, which is not waiting for one")
        self._open.discard(record["action"])
        if record["outcome"] != "open" and not record["n_values"] and record["outcome"] != "superseded":
            self.found(line, f"the outcome is {record['outcome']}, and no value was measured since the action")
