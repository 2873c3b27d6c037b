"""What a check of one kind of record is, and what it may ask about other files."""

from __future__ import annotations

import hashlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.artifacts.ledger import Ledger
from exaid_evals.artifacts.schemas import violations
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError


class TraceFacts(NamedTuple):
    """What a manifest says of a trace, as the file itself says; None for what was not read in it."""

    sha256: str
    n_records: int
    text_units_ctu: int | None
    status: str | None

    def shared(self) -> TraceFacts:
        """Return the same with texts that are one with equal ones: a manifest and many traces say them too."""
        return self._replace(sha256=sys.intern(self.sha256), status=self.status and sys.intern(self.status))


class FrozenFacts(NamedTuple):
    """What a manifest says to the runs over its traces.

    Attributes:
        trace_sha256: case id → hash; None in a manifest of version 1.0.0.
    """

    mas_run_id: str
    stub: bool | None
    trace_dataset_hash: str | None
    trace_sha256: Mapping[str, str] | None


class Surroundings:
    """Answers what one file's check must know of others, whether those are checked too or not."""

    def __init__(self) -> None:
        self._traces: dict[str, TraceFacts | None] = {}
        self._frozen: dict[Path, FrozenFacts | None] = {}
        self._cases: dict[tuple[str, str], str] = {}
        self._written: dict[tuple[str, str], Ledger] = {}
        self._runs: dict[str, dict[str, str]] = {}

    def note_trace(self, name: str, facts: TraceFacts | None) -> None:
        """Keep what a check has read of a trace; None where the file is not a sound trace."""
        self._traces[name] = None if facts is None else facts.shared()

    def trace(self, path: Path) -> TraceFacts | None:
        """Return what a trace's file holds; None where it is not a sound trace."""
        if str(path) not in self._traces:
            self._traces[str(path)] = _read_trace_facts(path)
        return self._traces[str(path)]

    def taken_trace(self, name: str) -> TraceFacts | None:
        """Return what has been noted of a trace, and forget it here."""
        return self._traces.pop(name, None)

    def note_run(self, name: str, digest: str) -> None:
        """Keep the hash of a run log that has been read."""
        folder, file = os.path.split(name)
        self._runs.setdefault(folder, {})[sys.intern(file.partition(".")[0])] = digest

    def runs(self, folder: Path) -> Mapping[str, str]:
        """Return case id → hash, of those run logs of a variant that have been read."""
        return self._runs.get(str(folder), {})

    def frozen(self, root: Path) -> FrozenFacts | None:
        """Return what the manifest of a campaign says; None where there is no sound one."""
        if root not in self._frozen:
            self._frozen[root] = _read_frozen_facts(Campaign(root).manifest_file)
        return self._frozen[root]

    def written(self, root: str, stage: str, key: str) -> str | None:
        """Return the hash of an output as a stage wrote it; None where the ledger in the campaign does not say."""
        if (root, stage) not in self._written:
            with Ledger(Campaign(Path(root)).state / f"{stage}.jsonl", read_only=True) as ledger:
                self._written[root, stage] = ledger
        return self._written[root, stage].output_hash(key)

    def first_place_of_case(self, folder: str, case_id: str, place: str) -> str | None:
        """Note where a case stands, and return where it stood before, if anywhere."""
        earlier = self._cases.setdefault((folder, sys.intern(case_id)), place)
        return None if earlier == place else earlier


def _read_trace_facts(path: Path) -> TraceFacts | None:
    digest = hashlib.sha256()
    n_records, units, statuses = 0, 0, set()
    for line in scan_jsonl(path, digest=digest):
        if line.value is None or not _is_valid(line.value, "exaid.trace"):
            return None
        n_records += 1
        units += line.value["text_units_ctu"]
        statuses.add(line.value["metadata"]["status"])
    if len(statuses) != 1:
        return None
    return TraceFacts(f"sha256:{digest.hexdigest()}", n_records, units, statuses.pop())


def _read_frozen_facts(path: Path) -> FrozenFacts | None:
    if not path.is_file():
        return None
    head: Mapping[str, Any] | None = None
    hashes: dict[str, str] = {}
    for line in scan_jsonl(path):
        if line.value is None or not _is_valid(line.value, "exaid.manifest"):
            return None
        if head is None:
            head = line.value
            hashes = {entry["case_id"]: sys.intern(entry["sha256"]) for entry in head.get("traces", ())}
        elif "record_type" not in head or line.value["record_type"] != "case":
            return None
        elif "sha256" in line.value:
            hashes[sys.intern(line.value["case_id"])] = sys.intern(line.value["sha256"])
    if head is None or head.get("record_type") == "case":
        return None
    listed = ("trace_dataset_hash" if "record_type" in head else "traces") in head
    return FrozenFacts(
        mas_run_id=head["mas_generation_config"]["mas_run_id"],
        stub=head.get("stub"),
        trace_dataset_hash=head.get("trace_dataset_hash"),
        trace_sha256=hashes if listed else None,
    )


def _is_valid(record: Mapping[str, Any], schema: str) -> bool:
    try:
        return record.get("schema_name") == schema and not any(violations(record))
    except DataError:
        return False


Record = Mapping[str, Any]


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes:
        line: counted from 1; 0 where the file as a whole is meant.
        what: what is wrong, as one clause.
        remedy: what to do about it.
    """

    line: int
    what: str
    remedy: str


class FileCheck(ABC):
    """Checks one file beyond its schema. An instance sees every record of one file, once, in order.

    Records that reach it are valid by their schema, of the file's one kind. What it holds must stay small: ids
    and numbers, never the records.

    Attributes:
        schema: name of the schema of its records.
        remedy: what to do about a finding, where nothing better is known.
    """

    schema: ClassVar[str]
    remedy: ClassVar[str] = "correct the record, or make the file again"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        """Begin a file.

        Args:
            path: the file, absolute.
            surroundings: what is known of other files.
            add: takes each finding.
        """
        self.path = path
        self.surroundings = surroundings
        self.incomplete = False
        self._add = add

    @abstractmethod
    def record(self, line: int, record: Record) -> None:
        """Take the next record."""

    def records(self, first: int, records: Sequence[Record]) -> None:
        """Take the next records, all of one record type, of which the first stands in that line."""
        for line, record in enumerate(records, first):
            self.record(line, record)

    def broken(self) -> None:
        """Note that a line is not a valid record, so that what is missing is not news."""
        self.incomplete = True

    def end(self, digest: str | None) -> None:  # noqa: B027 - most kinds have nothing to add
        """Note that the file is over.

        Args:
            digest: sha256 of the file's content; None where it was not taken.
        """

    def found(self, line: int, what: str, remedy: str | None = None) -> None:
        """State what does not hold, with this kind's remedy where none is given."""
        self._add(Finding(line, what, remedy or self.remedy))

    @property
    def stem(self) -> str:
        """The file's name without what marks its format."""
        return self.path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
