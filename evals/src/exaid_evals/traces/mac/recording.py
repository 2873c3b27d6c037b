"""The recording of a generation (`exaid.mac_cassette`): what MAC's model answered, and what came of each case.

It is a file of its own kind beside the cassettes of the middleware: those hold answers to requests that we compose, by
variant; this one whole HTTP bodies of a program that is not ours, and the times of what was said. Both are written
alike: each record is appended as a gzip member and is on the disk before anybody acts on it, so a kill loses nothing
that was paid for; when the stage ends, the file is rewritten sorted and as one member.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from exaid_evals.artifacts.atomic import Appended, gzipped
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.artifacts.schemas import header
from exaid_evals.clients.cassette import REMEDY, Repaired, read_records, repair_records
from exaid_evals.clients.replay import first_difference
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError

Deltas = tuple[tuple[int, int], ...]
"""`(ms since the request was sent, code points)` of each chunk that brought text."""

SCHEMA = "exaid.mac_cassette"
_ORDER = {"mac_run": 0, "mac_call": 1, "mac_case": 2}


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The generation that a recording is of."""

    mas_run_id: str
    created_at: str
    mac_commit: str
    model: str


@dataclass(frozen=True, slots=True)
class Call:
    """An answered call of a case.

    Attributes:
        case_id: whose.
        request_sha256: hash of the request.
        repeat: how often the same request was answered before, in one try at the case.
        request: the body of the request.
        response: the body of the answer.
        latency_ms: how long the answer took.
        deltas: when which part of it came; empty where it was not streamed.
    """

    case_id: str
    request_sha256: str
    repeat: int
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    latency_ms: int
    deltas: Deltas = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept in memory of a call; `new` is one that was made just now."""

    response: Mapping[str, Any]
    latency_ms: int
    deltas: Deltas = ()
    new: bool = False


@dataclass(frozen=True, slots=True)
class SaidAt:
    """A message: the hash of its text, when it was complete, and when which part of it came, in ms."""

    content_sha256: str
    end_ms: int
    stream: Deltas = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case.

    Attributes:
        tries: how many it took.
        failure_reason: None for a successful case.
        note: what MAC raised after a complete conversation; None where it raised nothing.
        messages: of a successful case, with their times since the first was complete.
    """

    tries: int
    failure_reason: str | None = None
    note: str | None = None
    messages: tuple[SaidAt, ...] = ()


def recording_file(campaign: Campaign, mas_run_id: str) -> Path:
    """Return the recording of a generation."""
    return campaign.cassette_file(f"mac-{mas_run_id}")


class Recording:
    """A recording that is looked up and added to, by any number of threads.

    Args:
        path: the file; it need not exist.
        run: the generation that it is of.
        read_only: for a replay, which adds nothing.

    Raises:
        DataError: the file is damaged, or is of another generation.
    """

    def __init__(self, path: Path, run: RecordedRun, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._file = Appended(path, sync=True)
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str, int], Answer] = {}
        self._n_calls: dict[str, int] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._open = True
        records, torn = read_recording(path) if path.exists() else ([], False)
        self._grown = torn or not records
        for record in records:
            self._take(record)
        if records:
            self.run = _run_of(records[0])
        else:
            self.run = run
        if self.run.mas_run_id != run.mas_run_id:
            what = f"is the recording of {self.run.mas_run_id}, not of {run.mas_run_id}"
            raise DataError(what, where=str(path), remedy=REMEDY)
        if torn and not read_only:
            write_jsonl(path, records)  # nothing may be appended behind half a member
        if not records and not read_only:
            self._append({"record_type": "mac_run", **asdict(self.run)})

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Rewrite the file sorted, also when the work was interrupted. What comes later is not kept."""
        with self._lock:
            self._open = False
            self._file.close()
            if self._grown and not self._read_only:
                _write(self._path, read_recording(self._path)[0])

    def find(self, case_id: str, request_sha256: str, repeat: int) -> Answer | None:
        """Return what was answered to a request; None where it was never recorded."""
        with self._lock:
            return self._answers.get((case_id, request_sha256, repeat))

    def outcome(self, case_id: str) -> Outcome | None:
        """Return what came of a case; None where it never came to an end."""
        with self._lock:
            return self._outcomes.get(case_id)

    def prepare(self) -> None:
        """Make sure, before a call is paid for, that its answer can be recorded.

        Raises:
            OSError: it could not.
        """
        with self._lock:
            if self._open:
                self._file.reserve()

    def add_call(self, call: Call) -> None:
        """Record an answer; when this returns, it is on the disk."""
        with self._lock:
            fields = {**asdict(call), "call_index": self._n_calls.get(call.case_id, 0)}
            if call.deltas:
                fields["deltas"] = [list(delta) for delta in call.deltas]
            else:
                del fields["deltas"]
            self._add({"record_type": "mac_call", "mas_run_id": self.run.mas_run_id, **fields})

    def add_outcome(self, case_id: str, outcome: Outcome) -> None:
        """Record what came of a case; the last word counts."""
        fields: dict[str, Any] = {
            "case_id": case_id,
            "status": "success" if outcome.failure_reason is None else "failed",
            "tries": outcome.tries,
            "messages": [
                {
                    "content_sha256": one.content_sha256,
                    "end_t_rel_ms": one.end_ms,
                    **({"stream": [list(chunk) for chunk in one.stream]} if one.stream else {}),
                }
                for one in outcome.messages
            ],
        }
        fields |= {
            name: text
            for name, text in (("failure_reason", outcome.failure_reason), ("note", outcome.note))
            if text is not None
        }
        with self._lock:
            self._add({"record_type": "mac_case", "mas_run_id": self.run.mas_run_id, **fields})

    def nearest_difference(self, case_id: str, request: Mapping[str, Any]) -> str:
        """State in what a request differs from the nearest recorded one of its case."""
        with self._lock:
            records = read_recording(self._path)[0] if self._path.exists() else []
        requests = [
            _laid_out(record["request"])
            for record in records
            if record.get("case_id") == case_id and "request" in record
        ]
        if not requests:
            return f"no call of {case_id} was recorded"
        difference = first_difference(_laid_out(request), requests)
        if difference is None:
            return "it was made less often when it was recorded"
        return f"it differs from the nearest recorded one in {difference}"

    def _add(self, fields: Mapping[str, Any]) -> None:
        if self._read_only or not self._open:
            return
        self._take(fields)
        self._grown = True
        self._append(fields)

    def _append(self, fields: Mapping[str, Any]) -> None:
        member = gzipped(canonical_bytes({**header(SCHEMA), **fields}) + b"\n")
        self._file.append(member)

    def _take(self, record: Mapping[str, Any]) -> None:
        if record["record_type"] == "mac_call":
            key = (record["case_id"], record["request_sha256"], record["repeat"])
            answer = Answer(record["response"], record["latency_ms"], _pairs(record.get("deltas", ())))
            self._answers.setdefault(key, answer)
            self._n_calls[record["case_id"]] = self._n_calls.get(record["case_id"], 0) + 1
        elif record["record_type"] == "mac_case":
            self._outcomes[record["case_id"]] = _outcome_of(record)


def read_recording(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """Read a recording.

    Returns:
        Its records, and whether its end is torn off, as a kill in the midst of a write leaves it.

    Raises:
        DataError: a record is malformed, is of another generation, or is not the answer to its request.
    """
    return read_records(path, _problem, _identity)


def _problem(record: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> str | None:
    if record["schema_name"] != SCHEMA:
        return f"a record of {record['schema_name']}"
    if (record["record_type"] == "mac_run") != (not before):
        return "the first record, and no other, must be mac_run"
    if before and record["mas_run_id"] != before[0]["mas_run_id"]:
        return "a record of another generation"
    if record["record_type"] == "mac_call" and record["request_sha256"] != sha256_structure(record["request"]):
        return "request_sha256 is not the hash of request"
    return None


def _identity(record: Mapping[str, Any]) -> Hashable | None:
    """Return what a call is known by; of a case the last word counts, and it may be said several times."""
    if record["record_type"] != "mac_call":
        return None
    return record["case_id"], record["request_sha256"], record["repeat"]


def repair_recording(path: Path) -> Repaired:
    """Keep of a damaged recording what can be read, and the file as it was beside it."""
    return repair_records(path, _problem, _identity, _write)


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    write_jsonl(path, sorted(_latest(records), key=_place))


def recorded_run(path: Path) -> RecordedRun | None:
    """Return the generation that a recording is of; None where nothing was recorded.

    Raises:
        DataError: the recording is damaged.
    """
    records = read_recording(path)[0] if path.exists() else []
    return _run_of(records[0]) if records else None


def recorded_cases(path: Path) -> set[str]:
    """Return the cases that came to an end when they were recorded."""
    records = read_recording(path)[0] if path.exists() else []
    return {record["case_id"] for record in records if record["record_type"] == "mac_case"}


def set_aside(path: Path) -> Path | None:
    """Rename a recording that is to be made again, for what was paid for is not thrown away; return its new name."""
    if not path.exists():
        return None
    stem = path.name.removesuffix(".jsonl.gz")
    numbers = range(1, len(list(path.parent.iterdir())) + 2)
    old = next(
        free for number in numbers if not (free := path.with_name(f"{stem}-superseded-{number}.jsonl.gz")).exists()
    )
    return path.rename(old)


def _laid_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a request with the fields by which requests are compared."""
    others = {name: value for name, value in request.items() if name not in ("model", "messages")}
    return {"model": request.get("model"), "messages": request.get("messages"), "parameters": others}


def _run_of(record: Mapping[str, Any]) -> RecordedRun:
    return RecordedRun(record["mas_run_id"], record["created_at"], record["mac_commit"], record["model"])


def _outcome_of(record: Mapping[str, Any]) -> Outcome:
    # Version 1.0.0 called the moment of completion t_rel_ms.
    messages = tuple(
        SaidAt(one["content_sha256"], one.get("end_t_rel_ms", one.get("t_rel_ms")), _pairs(one.get("stream", ())))
        for one in record["messages"]
    )
    return Outcome(record["tries"], record.get("failure_reason"), record.get("note"), messages)


def _pairs(values: Sequence[Sequence[int]]) -> Deltas:
    return tuple((first, second) for first, second in values)


def _latest(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep of each call and case the last word."""
    names = ("record_type", "case_id", "request_sha256", "repeat")
    return list({tuple(record.get(name) for name in names): record for record in records}.values())


def _place(record: Mapping[str, Any]) -> tuple[Any, ...]:
    rank = _ORDER[record["record_type"]]
    return (rank > 0, record.get("case_id", ""), rank, record.get("call_index", 0))
