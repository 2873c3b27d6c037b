"""Cassettes: every answer of a live model, kept so that it is never paid for twice and can be replayed for ever.

One file per run of a variant, `data/cassettes/<eval_run_id>.jsonl.gz`, one record (`exaid.cassette`) per call. While a
run lasts, each record is appended as a gzip member of its own, so a killed run loses nothing that was recorded; when
it ends, the file is rewritten sorted and as one member.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

from exaid_evals.artifacts.atomic import Appended, gzipped
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.jsonl import salvage_jsonl, scan_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.clients.base import CallContext, LLMClient, LLMRequest, LLMResponse, Usage, model_of
from exaid_evals.errors import DataError
from exaid_evals.files import inside, open_regular

SCHEMA = "exaid.cassette"
SUFFIX = ".jsonl.gz"
_GZIP = 16 + zlib.MAX_WBITS
REMEDY = "restore it, or keep what can be read of it with `exaid-evals cassette repair`"
_LOG = logging.getLogger(__name__)


class Key(NamedTuple):
    """What a recorded answer is found by: the same request may be made again within a case, hence `repeat`."""

    case_id: str
    variant_id: str
    request_sha256: str
    repeat: int


@dataclass(frozen=True, slots=True)
class CallKey:
    """One call that is about to be looked up or made.

    Attributes:
        context: on whose behalf.
        call_index: its number among the calls of its case and variant, from 0.
        request: the canonical request.
        key: what it is found by.
    """

    context: CallContext
    call_index: int
    request: Mapping[str, Any]
    key: Key


def canonical_request(request: LLMRequest, client: LLMClient) -> dict[str, Any]:
    """Return everything that determines an answer, as data."""
    return {
        "task": request.task,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "response_schema": request.response_schema,
        "model": model_of(client, request),
        "parameters": client.parameters,
    }


@dataclass(slots=True)
class CallKeys:
    """Numbers the calls of one case under one variant, which are made one after the other."""

    context: CallContext
    _n_calls: int = 0
    _n_of: dict[str, int] = field(default_factory=dict)

    def next(self, request: Mapping[str, Any]) -> CallKey:
        """Return the next call."""
        key = self.peek(request)
        self._n_of[key.key.request_sha256] = key.key.repeat + 1
        self._n_calls += 1
        return key

    def peek(self, request: Mapping[str, Any]) -> CallKey:
        """Return what the next call would be, and count nothing."""
        digest = sha256_structure(request)
        key = Key(self.context.case_id, self.context.variant_id, digest, self._n_of.get(digest, 0))
        return CallKey(self.context, self._n_calls, request, key)


def to_record(key: CallKey, response: LLMResponse) -> dict[str, Any]:
    """Return the record of an answered call."""
    return {
        **header(SCHEMA),
        "eval_run_id": key.context.eval_run_id,
        **key.key._asdict(),
        "call_index": key.call_index,
        "request": dict(key.request),
        "response_text": response.text,
        "response_format": response.response_format,
        "finish_reason": response.finish_reason,
        "usage": response.usage.to_record(),
        "latency_ms": response.latency_ms,
        "attempts": response.attempts,
    }


def to_response(record: Mapping[str, Any]) -> LLMResponse:
    """Return a record's answer, as the live client gave it."""
    return LLMResponse(
        text=record["response_text"],
        usage=Usage(**record["usage"]),
        latency_ms=record["latency_ms"],
        finish_reason=record["finish_reason"],
        attempts=record["attempts"],
        response_format=record["response_format"],
    )


def key_of(record: Mapping[str, Any]) -> Key:
    """Return what a record is found by."""
    return Key(*(record[name] for name in Key._fields))


Problem = Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], str | None]
"""What is wrong with a record, given those before it; None where nothing is."""


def read_cassette(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """Read a cassette. Of a duplicate call the first is kept, for it was acted on.

    Returns:
        Its records, and whether its end is torn off, as a kill in the midst of a write leaves it.

    Raises:
        DataError: a record is malformed, or is not the answer to the request that it is filed under.
    """
    return read_records(path, _problem, key_of)


def read_records(
    path: Path, problem_of: Problem, identity: Callable[[Mapping[str, Any]], Hashable | None]
) -> tuple[list[dict[str, Any]], bool]:
    """Read the records of a recording, and keep the first of those that are one and the same.

    Args:
        path: the file.
        problem_of: what is wrong with a record that keeps to its schema.
        identity: what a record is known by; None for one that may stand several times.

    Returns:
        The records, and whether the end is torn off.

    Raises:
        DataError: names the first record that is none.
    """
    records: list[dict[str, Any]] = []
    torn = False
    for line in scan_jsonl(path):
        if line.value is None and (line.problem or "").startswith(("truncated gzip", "half a line")):
            torn = True
            break
        where = f"{path}:{line.number}"
        if line.value is None:
            raise DataError(line.problem or "no record", where=where, remedy=REMEDY)
        require_valid(line.value, where)
        problem = problem_of(line.value, records)
        if problem is not None:
            raise DataError(problem, where=where, remedy=REMEDY)
        records.append(line.value)
    kept = first_of_each(records, identity)
    if len(kept) < len(records):
        _LOG.warning("%s: %d calls are duplicates; the first of each is kept", path, len(records) - len(kept))
    return kept, torn


def first_of_each(
    records: Iterable[dict[str, Any]], identity: Callable[[Mapping[str, Any]], Hashable | None]
) -> list[dict[str, Any]]:
    """Return records without those that are the same as one before them."""
    found: dict[Hashable, dict[str, Any]] = {}
    for number, record in enumerate(records):
        key = identity(record)
        found.setdefault(("alone", number) if key is None else ("known", key), record)
    return list(found.values())


def _problem(record: Mapping[str, Any], _before: Sequence[Mapping[str, Any]]) -> str | None:
    if record["schema_name"] != SCHEMA:
        return f"a record of {record['schema_name']}"
    wrong = record["request_sha256"] != sha256_structure(record["request"])
    return "request_sha256 is not the hash of request" if wrong else None


class Repaired(NamedTuple):
    """What a repair found.

    Attributes:
        kept: records that can be read, each call once.
        lost: lines and parts of lines that cannot.
        duplicates: records of calls that stand earlier.
        set_aside: where the file as it was lies now; None where nothing had to be done.
    """

    kept: int
    lost: int
    duplicates: int
    set_aside: Path | None


def repair_cassette(path: Path) -> Repaired:
    """Keep of a damaged cassette what can be read, and the file as it was beside it."""
    return repair_records(path, _problem, key_of, write_cassette)


def repair_records(
    path: Path,
    problem_of: Problem,
    identity: Callable[[Mapping[str, Any]], Hashable | None],
    write: Callable[[Path, list[dict[str, Any]]], None],
) -> Repaired:
    """Rewrite a recording with every record that can be read, from whatever lies between damaged parts.

    The file as it was is kept as `NAME.damaged`, for what was paid for is not thrown away.

    Raises:
        DataError: the file cannot be opened.
    """
    records: list[dict[str, Any]] = []
    lost = 0
    for line in salvage_jsonl(path):
        try:
            if line.value is None:
                raise DataError("no record")
            require_valid(line.value, str(path))
            if problem_of(line.value, records) is not None:
                raise DataError("no record of this recording")
        except DataError:
            lost += 1
        else:
            records.append(line.value)
    kept = first_of_each(records, identity)
    duplicates = len(records) - len(kept)
    if not lost and not duplicates:
        return Repaired(len(kept), 0, 0, None)
    numbers = itertools.count(2)
    aside = path.with_name(f"{path.name}.damaged")
    while aside.exists():
        aside = path.with_name(f"{path.name}.damaged-{next(numbers)}")
    os.link(path, aside)  # under both names until the new file takes one: a kill in between loses nothing
    write(path, kept)
    return Repaired(len(kept), lost, duplicates, aside)


def _is_one_member(path: Path) -> bool:
    """Return whether a cassette was rewritten since it last grew."""
    unpacker = zlib.decompressobj(_GZIP)
    with open_regular(path) as stream, contextlib.suppress(zlib.error):
        while not unpacker.eof and (packed := stream.read(1 << 14)):  # which unpacks to 16 MiB at most
            unpacker.decompress(packed)
        return unpacker.eof and not unpacker.unused_data and not stream.read(1)
    return False


def write_cassette(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write a whole cassette, in the order of cases and their calls."""
    write_jsonl(
        path, sorted(records, key=lambda record: (record["case_id"], record["variant_id"], record["call_index"]))
    )


def settle_cassettes(folder: Path) -> None:
    """Rewrite the cassettes of a folder that a run, killed at its very end, has left as they grew.

    A damaged one is left as it is: nothing is asked of it here.
    """
    for path in sorted(folder.glob(f"eval-*{SUFFIX}")):
        with contextlib.suppress(DataError):
            if not _is_one_member(path):
                write_cassette(path, read_cassette(path)[0])


class Recorder:
    """Looks up and adds recorded answers, for any number of threads.

    A cassette is read when a call of its run is first looked up. Leaving the `with` block rewrites those that have
    grown. In memory stand answers alone, not the requests. One that is read-only writes nothing, ever.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._folder = folder
        self._read_only = read_only
        self._lock = threading.Lock()
        self._answers: dict[str, dict[Key, LLMResponse]] = {}
        self._grown: set[str] = set()
        self._files: dict[str, Appended] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Rewrite what has grown, also when the work was interrupted."""
        with self._lock:
            for _, file in sorted(self._files.items()):
                file.close()
            for eval_run_id in sorted(self._grown):
                path = self._path(eval_run_id)
                write_cassette(path, read_cassette(path)[0])
            self._grown.clear()

    def find(self, key: CallKey) -> LLMResponse | None:
        """Return what was answered to a call; None where it was never recorded.

        Raises:
            DataError: the cassette is damaged.
        """
        with self._lock:
            return self._of(key.context.eval_run_id).get(key.key)

    def prepare(self, key: CallKey) -> None:
        """Make sure, before a call is paid for, that its answer can be recorded.

        Raises:
            OSError: it could not.
        """
        with self._lock:
            self._file(key.context.eval_run_id).reserve()

    def _file(self, eval_run_id: str) -> Appended:
        return self._files.setdefault(eval_run_id, Appended(self._path(eval_run_id), sync=True))

    def add(self, key: CallKey, response: LLMResponse) -> None:
        """Record an answer; when this returns, it is on the disk.

        An answer that cannot be written has been paid for all the same: it is known, and is written before the next.

        Raises:
            OSError: it cannot be written.
        """
        member = gzipped(canonical_bytes(to_record(key, response)) + b"\n")
        eval_run_id = key.context.eval_run_id
        with self._lock:
            self._of(eval_run_id)[key.key] = response
            self._grown.add(eval_run_id)
            self._file(eval_run_id).append(member)

    def _of(self, eval_run_id: str) -> dict[Key, LLMResponse]:
        if eval_run_id not in self._answers:
            path = self._path(eval_run_id)
            records, torn = read_cassette(path) if path.exists() else ([], False)
            if torn and not self._read_only:  # nothing may be appended behind half a member
                write_cassette(path, records)
            elif records and not self._read_only and not _is_one_member(path):  # left by a killed run
                self._grown.add(eval_run_id)
            self._answers[eval_run_id] = {key_of(record): to_response(record) for record in records}
        return self._answers[eval_run_id]

    def _path(self, eval_run_id: str) -> Path:
        return inside(self._folder, f"{eval_run_id}{SUFFIX}")
