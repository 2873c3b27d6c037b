"""The manifest of a data set (`exaid.manifest`): what the frozen traces are, and the hash of each file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import sha256_of_items
from exaid_evals.artifacts.ids import known_case_ids, parse_timestamp
from exaid_evals.artifacts.jsonl import require_record, scan_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.artifacts.text_units import CTU_DEFINITION
from exaid_evals.errors import DataError

SCHEMA = "exaid.manifest"
FILES, SHARDS = "files", "shards"
LISTED_INLINE = 10_000
"""Cases up to which a manifest is one record, as published; of more, a line would be too long to be read."""
_IN_RECORDS = "1.3.0"
RESTORE = (
    "restore the files; or discard them: `exaid-evals make-traces --force` makes all again, "
    "and what was imported is imported into another --data-dir"
)
"""What to do about frozen traces, or their manifest, that are not what was frozen."""
TEXT_UNIT = {"name": "CTU", "definition": CTU_DEFINITION, "applies_to": "input_and_output"}


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One frozen file.

    Attributes:
        case_id: the case it tells of.
        path: inside the campaign, with `/`.
        sha256: of its unpacked content.
        n_records: its number of lines.
        text_units_ctu: CTU of its messages; 0 for a failed case.
        status: `success` or `failed`.
    """

    case_id: str
    path: str
    sha256: str
    n_records: int
    text_units_ctu: int
    status: str

    @property
    def failed(self) -> bool:
        """Whether the case has no conversation."""
        return self.status == "failed"


ENTRY = tuple(field.name for field in fields(TraceEntry))
_values = attrgetter(*ENTRY)


def _of_entry(entry: TraceEntry) -> dict[str, Any]:
    """Return an entry as the manifest has it; not by `asdict`, which copies every value."""
    return dict(zip(ENTRY, _values(entry), strict=True))


@dataclass(frozen=True, slots=True)
class Generation:
    """How the conversation was made, and about which cases.

    Attributes:
        mas_run_id: id of the generation.
        mac_commit: MAC's commit.
        base_model: the agents' language model; says so where it is a stub.
        decoding_note: how the model was sampled, in words.
        selection_mode: `fixed_subset` or `all`.
        selection_seed: of the selection.
        n_cases_available: cases in the data set.
        case_list_hash: of `ordered_case_list`.
        ordered_case_list: the selected ids, sorted.
        case_source: the source of the cases; None in a manifest of version 1.0.0.
        case_content_hash: of what the selected cases say; None before 1.1.0.
        generation_seed: of the stub generator; None for a live conversation.
    """

    mas_run_id: str
    mac_commit: str
    base_model: str
    decoding_note: str
    selection_mode: str
    selection_seed: int
    n_cases_available: int
    case_list_hash: str
    ordered_case_list: tuple[str, ...]
    case_source: str | None = None
    case_content_hash: str | None = None
    generation_seed: int | None = None


@dataclass(frozen=True)  # without slots, in which no hash could be kept
class Manifest:
    """The record that freezes a campaign's traces.

    Attributes:
        created_at: RFC 3339; a stub's epoch.
        config_hash: of the resolved data set and generation configuration.
        generation: how the conversation was made.
        traces: one entry a file, in the order of the case list; None in a manifest of version 1.0.0.
        stub: whether the conversation is simulated.
        layout: `files`, one a case, or `shards` of many cases each.
    """

    created_at: str
    config_hash: str
    generation: Generation
    traces: tuple[TraceEntry, ...] | None
    stub: bool
    layout: str = FILES

    @property
    def experiment_id(self) -> str:
        """`exp-mac-traces-YYYYMMDD-HHMMSS`, from `created_at`."""
        return f"exp-mac-traces-{parse_timestamp(self.created_at):%Y%m%d-%H%M%S}"

    @cached_property
    def trace_dataset_hash(self) -> str:
        """Hash of the entries: of every file's path and content.

        Raises:
            DataError: the manifest has none (version 1.0.0).
        """
        return sha256_of_items(map(_of_entry, self.entries))

    @property
    def entries(self) -> tuple[TraceEntry, ...]:
        """The frozen files.

        Raises:
            DataError: the manifest has none (version 1.0.0).
        """
        if self.traces is None:
            raise DataError(
                "the manifest is of version 1.0.0 and holds no hashes of the traces",
                remedy="run `exaid-evals migrate`, or make the traces again with --force",
            )
        return self.traces

    @property
    def failed_cases(self) -> tuple[str, ...]:
        """Ids of the cases that have no conversation."""
        return tuple(entry.case_id for entry in self.entries if entry.failed)


def to_record(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as `exaid.manifest` of the current version."""
    generation = {name: value for name, value in asdict(manifest.generation).items() if value is not None}
    generation |= {
        "ordered_case_list": list(manifest.generation.ordered_case_list),
        "n_cases_selected": len(manifest.generation.ordered_case_list),
        "text_unit": dict(TEXT_UNIT),
    }
    record: dict[str, Any] = {
        **header(SCHEMA),
        "experiment_id": manifest.experiment_id,
        "created_at": manifest.created_at,
        "config_hash": manifest.config_hash,
        "mas_generation_config": generation,
        "stub": manifest.stub,
    }
    if manifest.traces is not None:
        record["traces"] = list(map(_of_entry, manifest.traces))
        record["trace_dataset_hash"] = manifest.trace_dataset_hash
    return record


def to_records(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Yield the records of a manifest's file: one as published, or a head and then one a case."""
    cases = manifest.generation.ordered_case_list
    if manifest.layout == FILES and len(cases) <= LISTED_INLINE:
        yield to_record(manifest)
        return
    head = to_record(manifest) | header(SCHEMA, _IN_RECORDS) | {"record_type": "manifest", "layout": manifest.layout}
    del head["mas_generation_config"]["ordered_case_list"]
    head.pop("traces", None)
    yield head
    entries = {entry.case_id: entry for entry in manifest.traces or ()}
    for case_id in cases:
        frozen = _of_entry(entries[case_id]) if case_id in entries else {"case_id": case_id}
        yield {**header(SCHEMA, _IN_RECORDS), "record_type": "case", **frozen}


def assembled(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the valid records of a manifest's file as the one that 1.1.0 has."""
    first, *others = records
    record = {name: value for name, value in first.items() if name != "record_type"}
    if "record_type" in first:
        cases = [{name: one[name] for name in ENTRY if name in one} for one in others]
        config = {**record["mas_generation_config"], "ordered_case_list": [one["case_id"] for one in cases]}
        record["mas_generation_config"] = config
        if "trace_dataset_hash" in record:
            record["traces"] = [one for one in cases if len(one) > 1]
    return record


def from_record(record: Mapping[str, Any], *, where: str) -> Manifest:
    """Build a manifest from a valid record, as published or assembled.

    Raises:
        DataError: what it says about itself does not hold: the hash over its traces, or the number of its cases.
    """
    raw = dict(record["mas_generation_config"])
    del raw["text_unit"]
    n_selected = raw.pop("n_cases_selected")
    raw["ordered_case_list"] = tuple(raw["ordered_case_list"])
    traces = tuple(TraceEntry(**entry) for entry in record["traces"]) if "traces" in record else None
    manifest = Manifest(
        created_at=record["created_at"],
        config_hash=record["config_hash"],
        generation=Generation(**raw),
        traces=traces,
        stub=record.get("stub", False),
        layout=record.get("layout", FILES),
    )
    if n_selected != len(raw["ordered_case_list"]):
        raise DataError("n_cases_selected is not the length of ordered_case_list", where=where, remedy=RESTORE)
    if traces is not None and record.get("trace_dataset_hash") != manifest.trace_dataset_hash:
        raise DataError("trace_dataset_hash is not the hash of `traces`", where=where, remedy=RESTORE)
    return manifest


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest, whole."""
    write_jsonl(path, to_records(manifest))


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        DataError: there is none, it breaks its schema, or the file holds more than one record.
    """
    if not path.is_file():
        raise DataError(
            "no manifest: no traces are frozen here", where=str(path), remedy="run `exaid-evals make-traces`"
        )
    records = []
    for line in scan_jsonl(path):
        records.append(require_record(line, path))
        require_valid(records[-1], f"{path}:{line.number}", SCHEMA)
    types = [record.get("record_type") for record in records]
    if types != [None] and (types[:1] != ["manifest"] or set(types[1:]) - {"case"}):
        what = f"holds {len(records)} records where one must stand, or a head and then one a case"
        raise DataError(what, where=str(path), remedy="write or copy it again")
    return from_record(assembled(records), where=str(path))


def select_entries(manifest: Manifest, cases: Sequence[str] | None, limit: int | None) -> list[TraceEntry]:
    """Return the frozen traces that `--cases` and `--limit` mean, sorted by id; all of them without.

    Raises:
        ConfigError: names every case of which no trace is frozen, and near ones.
    """
    entries = {entry.case_id: entry for entry in manifest.entries}
    every = sorted(entries)
    wanted = every if cases is None else known_case_ids(cases, every, among=" among the frozen traces")
    return [entries[case_id] for case_id in wanted[:limit]]
