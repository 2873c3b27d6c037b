"""The freeze: traces are written once, and whoever reads them first proves that they are what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from exaid_evals.artifacts.cache import known_hashes
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.ids import at_offset, format_timestamp, parse_timestamp
from exaid_evals.artifacts.manifest import RESTORE, Generation, Manifest, TraceEntry, read_manifest, write_manifest
from exaid_evals.artifacts.redaction import printable
from exaid_evals.artifacts.schemas import current_versions, load_schema, violations
from exaid_evals.artifacts.storage import is_stored, stored_names
from exaid_evals.cases.registry import case_list_hash, mas_run_id
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError, FrozenError
from exaid_evals.traces.model import FAILURE_AGENT, MAX_T_MS, SCHEMA, Trace, message_problems, to_records, write_trace

_SHOWN_PROBLEMS = 50
_OF_A_MESSAGE = ("agent_id", "content", "provider_token_count", "metadata.gold_concepts", "metadata.gold_mentions")
TRACE_PATTERN = "case-*.jsonl.gz"


def entry_of(campaign: Campaign, trace: Trace, sha256: str | None = None) -> TraceEntry:
    """Return the manifest's entry of a trace that has been written, whose hash may be known."""
    path = campaign.trace_file(trace.case_id)
    return TraceEntry(
        case_id=trace.case_id,
        path=campaign.relative(path),
        sha256=sha256 or sha256_file(path),
        n_records=1 if trace.failed else len(trace.messages),
        text_units_ctu=trace.text_units_ctu,
        status="failed" if trace.failed else "success",
    )


def refuse_frozen(campaign: Campaign) -> None:
    """Make sure that a campaign holds no traces yet.

    Raises:
        FrozenError: it does.
    """
    if campaign.manifest_file.exists() or stored_names(campaign.traces):
        raise FrozenError("traces are frozen here", where=str(campaign.root), remedy="choose an empty data folder")


def freeze_traces(campaign: Campaign, traces: Sequence[Trace], *, note: str) -> Manifest:
    """Freeze traces that were made elsewhere: write their files and the manifest.

    Args:
        campaign: a data folder in which nothing is frozen yet.
        traces: at least one, of different cases, all made by the same commit and model. Their `mas_run_id` is
            derived here, from commit, model and cases, as it is for traces that stage 01 makes.
        note: how the conversation came about, in words.

    Raises:
        FrozenError: the campaign holds traces already.
        DataError: there is no trace, a case is a duplicate, the traces were made in different ways, or a trace cannot
            be replayed or breaks the schema; names all that is wrong with the traces. Nothing is written then.
    """
    refuse_frozen(campaign)
    ids = tuple(sorted(trace.case_id for trace in traces))
    makers = {(trace.provenance.mac_commit, trace.provenance.model, trace.provenance.stub) for trace in traces}
    if len(makers) != 1 or len(set(ids)) < len(ids):
        raise DataError(
            f"{len(traces)} traces of {len(set(ids))} cases, made in {len(makers)} ways",
            remedy="freeze one trace a case, all of one commit and model",
        )
    [(mac_commit, model, stub)] = makers
    problems = [problem for trace in traces for problem in _unfit(trace)]
    if problems:
        shown = "".join(f"\n  - {problem}" for problem in problems[:_SHOWN_PROBLEMS])
        more = f"\n  … and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise DataError(f"nothing is frozen: {count} with the traces:{shown}{more}", remedy="correct the traces")
    run_id = mas_run_id(mac_commit=mac_commit, model=model, cases=ids)
    ordered = [
        replace(trace, provenance=replace(trace.provenance, mas_run_id=run_id))
        for trace in sorted(traces, key=lambda trace: trace.case_id)
    ]
    for trace in ordered:
        write_trace(campaign.trace_file(trace.case_id), trace)
    generation = Generation(
        mas_run_id=run_id,
        mac_commit=mac_commit,
        base_model=model,
        decoding_note=note,
        selection_mode="all",
        selection_seed=0,
        n_cases_available=len(ids),
        case_list_hash=case_list_hash(ids),
        ordered_case_list=ids,
    )
    manifest = Manifest(
        created_at=format_timestamp(min(parse_timestamp(trace.epoch) for trace in ordered)),
        config_hash=sha256_structure({"note": note}),
        generation=generation,
        traces=tuple(entry_of(campaign, trace) for trace in ordered),
        stub=stub,
    )
    write_manifest(campaign.manifest_file, manifest)
    return manifest


def _unfit(trace: Trace) -> Iterator[str]:
    """Yield what is wrong with a trace, by case and message."""
    if not trace.messages and not trace.failed:
        yield f"{trace.case_id}: has no message"
    checkable = True
    for number, message in enumerate(trace.messages):
        try:
            message.content.encode()
        except (AttributeError, UnicodeEncodeError):
            checkable = False
            yield f"{trace.case_id}, message {number}: content is not text that a file can hold"
    if trace.messages and trace.messages[0].known_ms:
        yield f"{trace.case_id}, message 0: its time is {trace.messages[0].known_ms} ms, and the first one's must be 0"
    for number, problem in message_problems(trace.messages):
        yield f"{trace.case_id}, message {number}: {problem}"
    try:
        at_offset(trace.epoch, MAX_T_MS)
    except (DataError, TypeError, OverflowError) as error:
        checkable = False
        yield f"{trace.case_id}: epoch: {error}"
    if not checkable:
        return
    # The run's id is derived when all traces are known to be fit. Times were looked at: a wrong one is not a date.
    messages = tuple(replace(message, t_rel_ms=0, stream=(), end_t_rel_ms=None) for message in trace.messages)
    candidate = replace(trace, messages=messages, provenance=replace(trace.provenance, mas_run_id=f"mas-{'0' * 16}"))
    seen: set[str] = set()
    for number, record in enumerate(to_records(candidate)):
        for field, what in violations(record):
            # What all messages share (the case's id, the commit) is said once.
            shared = field not in _OF_A_MESSAGE
            if field == "agent_id":
                what = f"{record[field]!r:.40} is none of {', '.join(_agents())}"
            text = f"{trace.case_id}{'' if shared else f', message {number}'}: {field}: {what}"
            if field != "trace_id" and text not in seen:
                seen.add(text)
                yield text


def _agents() -> list[str]:
    schema = load_schema(SCHEMA, current_versions()[SCHEMA])
    return [agent for agent in schema["properties"]["agent_id"]["enum"] if agent != FAILURE_AGENT]


def verify_frozen(
    campaign: Campaign, chosen: Callable[[Manifest], Sequence[TraceEntry]] = lambda manifest: manifest.entries
) -> Manifest:
    """Check every trace of a campaign against its manifest, or those alone that are chosen.

    Hidden files and temporary ones, which an interrupted writer leaves, are nobody's data and are passed over.

    Raises:
        DataError: there is no manifest, or it is damaged or too old to hold hashes.
        FrozenError: names every file that changed, is missing, or that no manifest knows.
    """
    manifest = read_manifest(campaign.manifest_file)
    problems = []
    entries = chosen(manifest)
    with known_hashes(campaign.traces, len(entries)) as hashes:
        for entry in entries:
            problem = _problem(campaign, entry, hashes.of)
            if problem:
                problems.append(f"{problem}: {printable(entry.path)}")
    frozen = {campaign.trace_file(entry.case_id).name for entry in manifest.entries}
    extra = [name for name in stored_names(campaign.traces) if name not in frozen]
    extra = [printable(campaign.relative(campaign.traces / name)) for name in extra]
    problems += [f"extra, not in the manifest: {path}" for path in extra]
    if problems:
        what = f"; {problems[0]}" if len(problems) == 1 else ":" + "".join(f"\n  - {problem}" for problem in problems)
        raise FrozenError(f"traces differ from their manifest{what}", where=str(campaign.root), remedy=RESTORE)
    return manifest


def _problem(campaign: Campaign, entry: TraceEntry, hash_of: Callable[[Path], str]) -> str | None:
    path = campaign.trace_file(entry.case_id)
    if entry.path != campaign.relative(path):
        return f"not where the trace of {entry.case_id} belongs"
    if not is_stored(path):
        return "missing"
    try:
        return None if hash_of(path) == entry.sha256 else "changed"
    except DataError as error:
        return f"damaged, {error.what}"


LEDGER = "make-traces.jsonl"


def frozen_already(campaign: Campaign, planned: Manifest) -> Manifest | None:
    """Return the existing freeze if it is the planned one; None if nothing is frozen.

    Raises:
        FrozenError: other traces are frozen, or somebody else's lie there, or they differ from their manifest.
        DataError: the manifest is damaged.
    """
    if not campaign.manifest_file.exists():
        foreign = stored_names(campaign.traces, TRACE_PATTERN)
        if foreign and not (campaign.state / LEDGER).exists():
            raise FrozenError(
                f"holds {len(foreign)} traces that no manifest freezes and this stage did not make "
                f"({printable(', '.join(foreign[:3]))}{', …' if len(foreign) > 3 else ''})",
                where=str(campaign.traces),
                remedy="--force replaces them; another --data-dir leaves them alone",
            )
        return None
    remedy = "--force makes them again; another --data-dir leaves them alone"
    frozen = verify_frozen(campaign)
    differences = _differences(frozen, planned)
    if differences:
        what = f"other traces are frozen here: {'; '.join(differences)}"
        raise FrozenError(what, where=str(campaign.root), remedy=remedy)
    return frozen


def _differences(frozen: Manifest, planned: Manifest) -> list[str]:
    """State in what two freezes differ, most telling first."""
    old, new = frozen.generation, planned.generation
    found = []
    if frozen.stub != planned.stub:
        found.append("stub or live")
    if old.case_source != new.case_source:
        found.append(f"cases of {old.case_source}, not {new.case_source}")
    elif old.ordered_case_list != new.ordered_case_list:
        found.append(f"{len(old.ordered_case_list)} cases, not these {len(new.ordered_case_list)}")
    elif old.case_content_hash != new.case_content_hash:
        found.append("the same cases with other texts")
    if old.generation_seed != new.generation_seed:
        found.append(f"generation seed {old.generation_seed}, not {new.generation_seed}")
    elif frozen.config_hash != planned.config_hash:
        found.append("another configuration")
    return found
