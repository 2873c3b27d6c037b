"""The runs that a campaign holds: which variants, which cases, made how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any

from exaid_evals.artifacts.cache import KnownHashes, known_hashes
from exaid_evals.artifacts.hashing import content_chunks, sha256_bytes, sha256_file, sha256_structure
from exaid_evals.artifacts.ids import together
from exaid_evals.artifacts.jsonl import parse_line
from exaid_evals.artifacts.manifest import TraceEntry
from exaid_evals.artifacts.redaction import first_few
from exaid_evals.artifacts.schemas import require_valid
from exaid_evals.artifacts.storage import is_stored, stored_names
from exaid_evals.clients.base import TRIGGER_MODEL
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.files import natural_order
from exaid_evals.replay.run_log import SKIPPED_FAILED_TRACE
from exaid_evals.traces.model import read_trace

_RUN_FILES = "case-*.jsonl.gz"
_METRICS_SUFFIX = ".metrics.jsonl"


@dataclass(frozen=True, slots=True)
class VariantRuns:
    """The runs of one variant over some cases.

    Attributes:
        variant_id: the variant.
        config: the resolved configuration that all of them share.
        llm_id: client and model.
        stub: whether conversation or model were simulated.
        hashes: case id → hash of its run log.
        time_basis: whether the times of the text were recorded, over these cases; None where no run says.
    """

    variant_id: str
    config: Mapping[str, Any]
    llm_id: str
    stub: bool
    hashes: Mapping[str, str]
    time_basis: str | None = None


def present_variants(campaign: Campaign) -> list[str]:
    """Return the variants that have any run, in natural order."""
    if not campaign.runs.is_dir():
        return []
    folders = (path for path in campaign.runs.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted((path.name for path in folders if stored_names(path, _RUN_FILES)), key=natural_order)


def measured_variants(campaign: Campaign) -> list[str]:
    """Return the variants that have a metrics file, in natural order."""
    found = (path for path in campaign.metrics.glob(f"*{_METRICS_SUFFIX}") if not path.name.startswith("."))
    names = (path.name.removesuffix(_METRICS_SUFFIX) for path in found if path != campaign.comparisons_file)
    return sorted(names, key=natural_order)


def require_runs(campaign: Campaign, variants: Sequence[str], entries: Sequence[TraceEntry]) -> None:
    """Check that every case has been run under every variant.

    Raises:
        DataError: names the missing runs of every variant at once, and the command that makes them.
    """
    lines = []
    for variant in variants:
        missing = [entry.case_id for entry in entries if not is_stored(campaign.run_file(variant, entry.case_id))]
        if missing:
            lines.append(f"{variant}: {len(missing)} of {len(entries)} cases ({first_few(missing)})")
    if lines:
        absent = " ".join(line.partition(":")[0] for line in lines)
        raise DataError(
            f"runs are missing: {'; '.join(lines)}",
            where=str(campaign.runs),
            remedy=f"run {campaign.call(f'run-variants {absent}')}, or name cases with --limit or --cases",
        )


def read_runs(campaign: Campaign, variant: str, entries: Sequence[TraceEntry], dataset_hash: str) -> VariantRuns:
    """Hash a variant's runs, and read how they were made from the record that opens each.

    Raises:
        DataError: a run is of other traces, or the runs were made with different configurations.
    """
    hashes: dict[str, str] = {}
    by_config: dict[str, list[str]] = {}
    bases: set[str | None] = set()
    meta: Mapping[str, Any] = {}
    with known_hashes(campaign.runs / variant, len(entries)) as known:
        for entry in entries:
            hashes[entry.case_id], meta = _facts(campaign, variant, entry.case_id, known)
            if meta["trace_dataset_hash"] != dataset_hash:
                raise DataError(
                    f"replays traces {meta['trace_dataset_hash']}, while {dataset_hash} are frozen here",
                    where=str(campaign.run_file(variant, entry.case_id)),
                    remedy=f"run {campaign.call(f'run-variants {variant}')}",
                )
            by_config.setdefault(meta["config_hash"], []).append(entry.case_id)
            bases.add(_time_basis(campaign, meta))
    if len(by_config) > 1:
        groups = "; ".join(f"{config_hash[:15]}…: {first_few(cases)}" for config_hash, cases in by_config.items())
        raise DataError(
            f"the runs of {variant} were made with different configurations ({groups})",
            where=str(campaign.runs / variant),
            remedy=f"run {campaign.call(f'run-variants {variant}')}",
        )
    meta = read_meta(campaign, variant, entries[-1].case_id) if entries else meta
    return VariantRuns(variant, meta["config"], llm_id(meta), meta["stub"], hashes, together(bases))


def _time_basis(campaign: Campaign, meta: Mapping[str, Any]) -> str | None:
    """Return whether the times of a run's text were recorded; of an older run, whose log does not say, by its trace."""
    if "time_basis" in meta or meta["status"] == SKIPPED_FAILED_TRACE:
        return meta.get("time_basis")
    return read_trace(campaign.trace_file(meta["case_id"])).time_basis


def hash_of_runs(hashes: Mapping[str, str]) -> str:
    """Return one hash over run logs, from case id → content hash."""
    return sha256_structure(dict(hashes))


def runs_on_disk(campaign: Campaign, variant: str, case_ids: Iterable[str]) -> str | None:
    """Return the hash over a variant's run logs as they are now; None where a log is not here."""
    paths = {case_id: campaign.run_file(variant, case_id) for case_id in case_ids}
    if not all(map(is_stored, paths.values())):
        return None
    return hash_of_runs({case_id: sha256_file(path) for case_id, path in paths.items()})


def read_meta(campaign: Campaign, variant: str, case_id: str) -> Mapping[str, Any]:
    """Return the `run_meta` that opens a run log.

    Raises:
        DataError: the file does not open with one.
    """
    return _read_once(campaign, variant, case_id)[1]


_OF_ALL_RUNS = ("case_id", "status", "trace_dataset_hash", "config_hash", "time_basis")


def _facts(campaign: Campaign, variant: str, case_id: str, known: KnownHashes) -> tuple[str, Mapping[str, Any]]:
    """Return a run log's hash, and what must agree between all logs of a variant."""

    def read() -> tuple[str, dict[str, Any]]:
        digest, meta = _read_once(campaign, variant, case_id)
        # What agrees is one text in memory, however many runs there are.
        return digest, {name: intern(meta[name]) for name in _OF_ALL_RUNS if name in meta}

    digest, facts = known.read(campaign.run_file(variant, case_id), read, facts=True)
    return digest, facts or {}


def _read_once(campaign: Campaign, variant: str, case_id: str) -> tuple[str, Mapping[str, Any]]:
    """Return a run log's content hash and its `run_meta`, unpacking the file once."""
    path = campaign.run_file(variant, case_id)
    content = b"".join(content_chunks(path))
    line = parse_line(content.partition(b"\n")[0], 1)
    if line.value is None or line.value.get("record_type") != "run_meta":
        remedy = f"run {campaign.call(f'run-variants {variant} --cases {case_id} --force')}"
        raise DataError(line.problem or "does not open with run_meta", where=f"{path}:1", remedy=remedy)
    require_valid(line.value, f"{path}:1")
    return sha256_bytes(content), line.value


def any_case(campaign: Campaign, variant: str) -> str:
    """Return a case that a present variant has been run on: the first by id."""
    return stored_names(campaign.runs / variant, _RUN_FILES)[0].removesuffix(".jsonl.gz")


def llm_id(meta: Mapping[str, Any]) -> str:
    """Return client and model of a run, as signatures show them; that of the trigger too where it is another."""
    of_trigger = meta["llm"]["parameters"].get(TRIGGER_MODEL)
    shown = f"{meta['llm']['client']}/{meta['llm']['model']}"
    return f"{shown}(trigger:{of_trigger})" if of_trigger else shown
