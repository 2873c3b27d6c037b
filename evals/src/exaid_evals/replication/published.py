"""The published layout in memory: streamed traces, run logs and metrics, read from a folder laid out as upstream's.

traces/*.trace.jsonl.gz   trace 2.0.0: trace_meta, turn_boundary, stream_delta
runs/V*/*.trace.jsonl.gz  run 1.5.0: run_meta, tokengate_flush, buffer_decision, summary_event
manifests/                manifest_meta, provenance, trace_entry; case list
metrics/                  per_case.metrics.jsonl, aggregate.metrics.json (2.2.0)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import content_chunks, sha256_file, sha256_text
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.replication.records import INDEX_OF, REMEDY, Record, read_records, require_sequence, wrong

TRACE_SUFFIX = ".trace.jsonl.gz"
# What the ids mean is said by the policy, never by the id: upstream's V0 is the full pipeline.
POLICIES = {
    "full_exaid": ("A0", "token gate, buffer agent with completeness, value and novelty"),
    "turn_end": ("A1", "an update at the end of each turn"),
    "no_buffer": ("A2", "token gate, an update for each flush"),
    "no_tokengate": ("A3", "chunks of a fixed size, buffer agent"),
    "no_novelty": ("A4", "token gate, buffer agent without novelty"),
}
"""trigger_policy → our variant of the same make, and what it does."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One agent's turn.

    Attributes:
        turn_id: as published, counted from 1.
        agent_id: as published; `unknown` is kept.
        start_ms: of its boundary, in ms since the trace's first delta; may be negative.
        end_ms: likewise.
        end_seq: of the record that ends it.
        deltas: `(t_rel_ms, text)` in order of arrival.
    """

    turn_id: int
    agent_id: str
    start_ms: int
    end_ms: int
    end_seq: int
    deltas: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """What was said: the deltas, one after another."""
        return "".join(text for _, text in self.deltas)


@dataclass(frozen=True, slots=True)
class PublishedTrace:
    """One streamed conversation.

    Attributes:
        meta: the fields of trace_meta.
        deltas: the records `stream_delta`, in order of their seq.
        turns: in order of their beginning.
    """

    meta: Mapping[str, Any]
    deltas: tuple[Record, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """One case under one variant: the records by type, each in order of its index."""

    case_id: str
    meta: Mapping[str, Any]
    flushes: tuple[Record, ...]
    decisions: tuple[Record, ...]
    summaries: tuple[Record, ...]


def read_published_trace(path: Path) -> PublishedTrace:
    """Read a trace, and check what it says about itself: order, counts, and the hash of each turn's text.

    Raises:
        DataError: names file and line.
    """
    meta, *records = read_records(path, ("trace_meta", "turn_boundary", "stream_delta"))
    if meta["record_type"] != "trace_meta":
        wrong(path, 1, "a trace must open with its trace_meta")
    numbers = range(2, len(records) + 2)
    for record, number in zip(records, numbers, strict=True):
        if record["record_type"] == "trace_meta":
            wrong(path, number, "a second trace_meta")
        if record["case_id"] != meta["case_id"]:
            wrong(path, number, f"is of {record['case_id']!r:.60}, in a trace of {meta['case_id']}")
    require_sequence(records, "seq", numbers, path)
    turns = tuple(_turns(records, path))
    deltas = tuple(record for record in records if record["record_type"] == "stream_delta")
    for what, count in (("total_deltas", len(deltas)), ("total_turns", len(turns))):
        if meta[what] != count:
            wrong(path, 1, f"{what} is {meta[what]}, and the file holds {count}: it was cut")
    return PublishedTrace(meta, deltas, turns)


def _turns(records: list[Record], path: Path) -> Iterator[Turn]:
    """Yield the turns in order of their start.

    Turns may overlap, and a delta may come after its turn's end, as upstream's do: it is the turn's text all the same,
    though the published hash, which was taken at the end, leaves it out.
    """
    started: dict[int, Record] = {}
    ended: dict[int, Record] = {}
    deltas: dict[int, list[tuple[int, str]]] = {}
    for number, record in enumerate(records, start=2):
        turn_id, boundary = record["turn_id"], record.get("boundary")
        if boundary not in (None, "start", "end"):
            wrong(path, number, f"boundary is {boundary!r:.40}, and must be start or end")
        if (turn_id in started) == (boundary == "start") or (boundary == "end" and turn_id in ended):
            order = (
                "starts a second time" if boundary == "start" else "ends twice" if turn_id in ended else "has not begun"
            )
            wrong(path, number, f"turn {turn_id} {order}")
        if boundary == "start":
            started[turn_id], deltas[turn_id] = record, []
        elif record["agent_id"] != started[turn_id]["agent_id"]:
            wrong(path, number, f"is of {record['agent_id']!r:.40}, in a turn of {started[turn_id]['agent_id']!r:.40}")
        elif boundary == "end":
            ended[turn_id] = record
            text = "".join(text for _, text in deltas[turn_id])
            if record.get("content_hash") != sha256_text(text):
                wrong(path, number, f"content_hash is not that of the text of turn {turn_id}")
        else:
            deltas[turn_id].append((record["t_rel_ms"], record["delta_text"]))
    for turn_id, start in started.items():
        if turn_id not in ended:
            wrong(path, len(records) + 1, f"turn {turn_id} does not end: the file was cut")
        end = ended[turn_id]
        yield Turn(turn_id, start["agent_id"], start["t_rel_ms"], end["t_rel_ms"], end["seq"], tuple(deltas[turn_id]))


def read_published_run(path: Path) -> PublishedRun:
    """Read a run log.

    Raises:
        DataError: names file and line.
    """
    records = read_records(path, ("run_meta", *INDEX_OF))
    meta = records[0]
    if meta["record_type"] != "run_meta":
        wrong(path, 1, "a run log must open with its run_meta")
    by_type: dict[str, list[Record]] = {kind: [] for kind in INDEX_OF}
    lines: dict[str, list[int]] = {kind: [] for kind in INDEX_OF}
    for number, record in enumerate(records[1:], start=2):
        kind = record["record_type"]
        if kind == "run_meta":
            wrong(path, number, "a second run_meta")
        for name in ("case_id", "variant_id"):
            if record.get(name) != meta[name]:
                wrong(path, number, f"{name} is {record.get(name)!r:.60}, in a run of {meta[name]}")
        if not _is_moment(record["timestamp"]):
            wrong(path, number, f"timestamp is {record['timestamp']!r:.40}, which is not a time with its offset")
        if kind in ("buffer_decision", "summary_event"):
            for unit in ("prompt_ctu", "completion_ctu"):
                if not isinstance(record["llm_usage"].get(unit, 0), int):
                    wrong(path, number, f"llm_usage.{unit} is not a whole number")
        by_type[kind].append(record)
        lines[kind].append(number)
    for kind, name in INDEX_OF.items():
        require_sequence(by_type[kind], name, lines[kind], path)
    _require_all(meta, [record["record_type"] for record in records[1:]], path)
    return PublishedRun(
        str(meta["case_id"]).removesuffix(".trace"),
        meta,
        tuple(by_type["tokengate_flush"]),
        tuple(by_type["buffer_decision"]),
        tuple(by_type["summary_event"]),
    )


def _require_all(meta: Mapping[str, Any], kinds: list[str], path: Path) -> None:
    """Check that the kinds follow one another as written, and that there are as many records as times were derived.

    Each record but run_meta has one derived time, so that a file that ends too early at a line's end shows in it.
    """
    order = list(INDEX_OF)
    for number, (before, kind) in enumerate(pairwise(kinds), start=3):
        if order.index(kind) < order.index(before):
            wrong(path, number, f"a {kind} behind a {before}: the line was moved")
    derived = meta.get("timestamp_derivation")
    counts = [derived.get(f"derived_from_{what}") for what in ("t_emitted", "fallback")] if isinstance(
        derived, Mapping
    ) else []  # fmt: skip
    n = sum(count for count in counts if isinstance(count, int))
    if len(counts) == 2 and None not in counts and n != len(kinds):
        what = f"timestamp_derivation counts {n} records, and the file holds {len(kinds)}"
        wrong(path, len(kinds) + 1, f"{what}: {'it was cut' if n > len(kinds) else 'lines were added'}")


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


class Publication:
    """A folder laid out as upstream lays its evaluation out; its parts are read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Look at the folder.

        Raises:
            ConfigError: it is not laid out so; says what is missing.
        """
        self.folder = folder
        missing = [name for name in ("traces", "runs") if not (folder / name).is_dir()]
        if missing:
            remedy = "name the folder that holds traces/, runs/, manifests/ and metrics/, as upstream's evals/data does"
            what = f"no {' and no '.join(missing)} here" if folder.is_dir() else "no such folder"
            raise ConfigError(what, where=str(folder), remedy=remedy)

    @cached_property
    def trace_files(self) -> dict[str, Path]:
        """Case id → file."""
        return {path.name.removesuffix(TRACE_SUFFIX): path for path in _files(self.folder / "traces")}

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """Names of the folders that hold run logs, sorted."""
        folders = (folder for folder in sorted((self.folder / "runs").iterdir()) if folder.is_dir())
        return tuple(folder.name for folder in folders if _files(folder))

    def run_files(self, variant: str) -> dict[str, Path]:
        """Case id → file of one variant."""
        return {path.name.removesuffix(TRACE_SUFFIX): path for path in _files(self.folder / "runs" / variant)}

    @cached_property
    def aggregate(self) -> Mapping[str, Any]:
        """Variant → the published aggregate measures; empty where they are not here."""
        path = self.folder / "metrics" / "aggregate.metrics.json"
        document = self._document(path)
        variants = document.get("variants", None if document else {})
        if not isinstance(variants, dict) or not all(isinstance(value, dict) for value in variants.values()):
            raise DataError("holds no `variants`", where=str(path), remedy=REMEDY)
        return variants

    @cached_property
    def calibration(self) -> Mapping[str, Any]:
        """The published summary of the token gate's calibration; empty where it is not here."""
        return self._document(self.folder / "calibration" / "calibration_summary.json")

    @cached_property
    def chunk_size_report(self) -> Mapping[str, Any]:
        """The published report on the size of fixed chunks; empty where it is not here."""
        return self._document(self.folder / "calibration" / "v3_calibration_report.json")

    def _document(self, path: Path) -> Mapping[str, Any]:
        if not path.is_file():
            return {}
        try:
            document = json.loads(b"".join(content_chunks(path)))
        except (ValueError, RecursionError) as error:
            raise DataError(f"not valid JSON ({error})", where=str(path), remedy=REMEDY) from None
        if not isinstance(document, dict):
            raise DataError("not a JSON object", where=str(path), remedy=REMEDY)
        return document

    @cached_property
    def per_case(self) -> Mapping[tuple[str, str], Record]:
        """(variant, case id) → the published measures of a case; empty where they are not here."""
        path = self.folder / "metrics" / "per_case.metrics.jsonl"
        if not path.is_file():
            return {}
        found: dict[tuple[str, str], Record] = {}
        for number, record in enumerate(read_jsonl(path), start=1):
            key = str(record.get("variant_id")), str(record.get("case_id")).removesuffix(".trace")
            if key in found:
                wrong(path, number, f"{key[1]} under {key[0]} is a duplicate")
            found[key] = record
        return found

    def check_manifest(self) -> int:
        """Check each trace against the published hash of its content, and return how many were checked.

        Raises:
            DataError: a trace is missing or is another.
        """
        checked = 0
        for path in sorted((self.folder / "manifests").glob("*.manifest.jsonl")):
            seen: set[str] = set()
            for number, entry in enumerate(read_jsonl(path), start=1):
                if entry.get("record_type") == "trace_entry":
                    self._check_entry(entry, seen, path, number)
                    checked += 1
                total = entry.get("total_cases") if entry.get("record_type") == "summary" else None
                if total is not None and total != len(seen):
                    wrong(path, number, f"total_cases is {total}, and the file holds {len(seen)} traces: it was cut")
        for path in sorted((self.folder / "manifests").glob("*.case_list.jsonl")):
            entries = list(read_jsonl(path))
            require_sequence(entries, "index", range(1, len(entries) + 1), path)
        return checked

    def _check_entry(self, entry: Record, seen: set[str], path: Path, number: int) -> None:
        case_id = str(entry.get("case_id"))
        if case_id in seen:
            wrong(path, number, f"{case_id:.60} is a duplicate")
        seen.add(case_id)
        file = self.trace_files.get(case_id)
        if file is None:
            wrong(path, number, f"no trace of {case_id!r:.60} lies in traces/")
        elif sha256_file(file) != entry.get("sha256"):
            wrong(path, number, f"{file.name} is another file than the one that was published")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{TRACE_SUFFIX}") if path.is_file())
