"""What others have made: `import-traces`, `import-campaign`, and `replicate` of a published evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.display import Progress, printable, show_json, shown
from exaid_evals.cli.verb import alone, measuring_of, verb
from exaid_evals.config.request import CampaignRequest, DryRunRequest, argument, flag, option
from exaid_evals.config.requests import ImportCampaignRequest, ReplicateRequest

if TYPE_CHECKING:
    from exaid_evals.concepts.base import Extractor
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.replication.calibration import CalibrationFound
    from exaid_evals.replication.conclusions import Cell
    from exaid_evals.replication.stage import Replication
    from exaid_evals.traces.importers.assemble import Imported

NO_COMMIT = "0" * 40
_SHOWN_NOTICES = 50


def _commit(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", text):
        raise ValueError("must be the 40 digits of a commit")
    return text


def _not_blank(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be a printable name")
    return text.strip()


class ImportRequest(DryRunRequest, CampaignRequest):
    """What is imported, and how it is read."""

    files: tuple[Path, ...] = argument("FILES…", required=True, path={"exists": True, "dir_okay": False})
    format_name: str = option(
        "auto, autogen, openai, langchain, otel, csv or module:attribute.", "--format", default="auto", metavar="NAME"
    )
    model: str = option("The agents' language model.", required=True, metavar="NAME", parse=_not_blank)
    agents: Path | None = option(
        "Who is supervisor, doctor0, doctor1, doctor2, or null to be left out.  [default: by first appearance]",
        metavar="MAPPING.yaml",
        path={"exists": True, "dir_okay": False},
    )
    note: str = option("How the conversation came about, for the manifest.", default="", metavar="TEXT")
    mac_commit: str = option(
        "MAC's commit.  [default: zeros, not MAC]", default=NO_COMMIT, metavar="SHA", parse=_commit
    )
    skip_unmapped: bool = flag("Leave out what does not map, and count it, rather than refuse it.")
    simulated: bool = flag("The conversation is simulated: mark as stub whatever is made from it.")


@alone
def run_import(request: ImportRequest) -> int:
    """Freeze conversations that another system has had, as traces of a new campaign.

    FILES are AutoGen chat histories, OpenAI-style messages (JSON Lines), LangChain or LangGraph messages, OpenTelemetry
    spans (OTLP/JSON) or CSV tables (case_id, agent, content, and perhaps t_ms or timestamp), each perhaps gzipped. What
    does not map to a trace is reported by file, line and field, and refused unless --skip-unmapped leaves it out. Times
    are never invented: where a file has none, neither have the traces, and results replayed from them are marked as of
    assumed time.
    """
    from exaid_evals.traces.freeze import freeze_traces, refuse_frozen
    from exaid_evals.traces.importers.assemble import read_casting, read_conversations
    from exaid_evals.traces.importers.base import AUTO, importer_named, importer_of
    from exaid_evals.traces.model import Provenance

    campaign, files, dry_run = request.campaign, request.files, request.dry_run
    named = None if request.format_name == AUTO else importer_named(request.format_name)
    casting = read_casting(request.agents) if request.agents else None
    refuse_frozen(campaign)
    with Progress("import-traces", len(files)) as progress:
        imported = read_conversations(
            files,
            importer_of if named is None else lambda _: named,
            casting=casting,
            provenance=Provenance("", request.mac_commit, request.model, request.simulated),
            note=request.note,
            skip_unmapped=request.skip_unmapped,
            on_file=lambda path: progress.advance(path.name),
        )
    for text in [*imported.problems[:_SHOWN_NOTICES], *imported.notices[:_SHOWN_NOTICES]]:
        click.echo(f"left out: {printable(text)}", err=True)
    if not dry_run:
        freeze_traces(campaign, imported.traces, note=imported.note)
    _show(campaign, imported, dry_run=dry_run)
    return 0


import_command = verb("import-traces", ImportRequest, run_import)


def _show(campaign: Campaign, imported: Imported, *, dry_run: bool) -> None:
    from exaid_evals.traces.importers.assemble import counted

    traces = imported.traces
    casting = imported.casting.agents
    rows = [
        ("format", ", ".join(f"{name} ({count})" for name, count in sorted(imported.formats.items()))),
        ("cases", f"{len(traces)}"),
        ("messages", f"{sum(len(trace.messages) for trace in traces)}"),
        ("CTU", f"{sum(trace.text_units_ctu for trace in traces)}"),
        ("agents", ", ".join(f"{printable(name)} = {agent or 'left out'}" for name, agent in casting.items())),
        ("times", _times(imported)),
        ("left out", counted(imported.left_out) if imported.left_out else "0"),
        ("stub", "yes" if traces[0].provenance.stub else "no"),
    ]
    if imported.silenced:
        rows.insert(-1, ("by mapping", f"{imported.silenced} messages"))
    if dry_run:
        rows.append(("traces", "none written: a dry run"))
    else:
        rows += [("traces", shown(campaign.traces)), ("manifest", shown(campaign.manifest_file))]
    for name, value in rows:
        click.echo(f"{name:<10} {value}")


def _times(imported: Imported) -> str:
    n_cases, untimed = len(imported.traces), len(imported.untimed)
    if not untimed:
        return "recorded" + (", without dates" if imported.undated else "")
    return f"unknown in {untimed} of {n_cases} cases"


@alone
def run_import_campaign(request: ImportCampaignRequest) -> int:
    """Take a published evaluation's traces and runs as a campaign, on which every stage works.

    DIR is laid out as `replicate` reads it. Traces are frozen with the times of their deltas; variants are called by
    their policy (full_exaid, turn_end, …), since the published ids mean something else here. Then, for instance,
    `compute-metrics --data-dir X` measures the published runs, and `run-variants --data-dir X` replays variants of
    your own over the same conversations.

    Or DIR holds logs of failed multi-agent runs (Who-and-When: JSON with history, mistake_agent and mistake_step).
    Their conversations are frozen with the step at which each went wrong, and without times, for none was recorded.
    """
    from exaid_evals.replication.failures import is_folder_of_failures

    return _import_failures(request) if is_folder_of_failures(request.folder) else _import_publication(request)


campaign = verb("import-campaign", ImportCampaignRequest, run_import_campaign)


def _import_failures(request: ImportCampaignRequest) -> int:
    from exaid_evals.replication.failures import NOTE, fields_left, read_failures, to_trace
    from exaid_evals.traces.freeze import freeze_traces, refuse_frozen

    campaign = request.campaign
    refuse_frozen(campaign)
    runs = read_failures(request.folder)
    freeze_traces(campaign, [to_trace(run) for run in runs], note=NOTE)
    click.echo(f"traces    {len(runs)} in {shown(campaign.traces)}, without times")
    others = sum(run.speaker is not None and run.speaker != run.agent for run in runs)
    unknown = [run for run in runs if run.remark]
    for run in unknown:
        what = f"{run.remark}: kept without a decisive step; it may have been cut"
        click.echo(f"note: {shown(run.path)}: {printable(what)}", err=True)
    n_steps = len(runs) - len(unknown)
    click.echo(f"steps     {n_steps} decisive ones; in {others} another speaks than the one who is named responsible")
    left = fields_left(runs)
    left["message without text"] = sum(run.n_empty for run in runs)
    text = ", ".join(f"{printable(name)} ({count})" for name, count in sorted(left.items()) if count)
    click.echo(f"left out  {text or '0'}")
    click.echo("next      run-variants --stub --stub-concepts words")
    click.echo("          compute-metrics --extractor words --measures decisive_step")
    return 0


def _import_publication(request: ImportCampaignRequest) -> int:
    from exaid_evals.replication.campaign import import_publication
    from exaid_evals.replication.published import POLICIES, Publication
    from exaid_evals.replication.stage import read_all
    from exaid_evals.traces.freeze import refuse_frozen

    publication = Publication(request.folder)
    campaign = request.campaign
    refuse_frozen(campaign)
    publication.check_manifest()
    traces, runs = read_all(publication)
    with Progress("import-campaign", sum(map(len, runs.values()))) as progress:
        imported = import_publication(campaign, traces, runs, on_case=progress.advance)
    click.echo(f"traces    {len(traces)} in {shown(campaign.traces)}")
    for variant, count in imported.variants.items():
        ours, meaning = POLICIES.get(variant, ("", "a policy that is not known here"))
        click.echo(f"runs      {count} of {variant}{f' ({ours} here)' if ours else ''}: {meaning}")
    if imported.left:
        click.echo("left out  " + ", ".join(f"{name} ({count})" for name, count in sorted(imported.left.items())))
    return 0


def run_replicate(request: ReplicateRequest) -> int:
    """Recompute the published EXAIM evaluation, and show which numbers and conclusions are confirmed.

    DIR has upstream's layout: traces/ (trace 2.0.0), runs/V*/ (run 1.5.0), manifests/ and metrics/ (2.2.0). Counts,
    usage, latency and compliance are compared digit by digit. Numbers that depend on concepts are computed with our
    extractor and shown beside the published ones, without a test for equality. Exit status: 1 where a number differs.

    Or DIR holds logs of failed multi-agent runs, as import-campaign takes them, and --campaign what was made of them:
    what the updates of each variant report of the step at which each run went wrong.
    """
    from exaid_evals.replication.failures import is_folder_of_failures

    return _failures(request) if is_folder_of_failures(request.folder) else _publication(request)


replicate_command = verb("replicate", ReplicateRequest, run_replicate)


def _failures(request: ReplicateRequest) -> int:
    from exaid_evals.artifacts.atomic import write_bytes
    from exaid_evals.config.request import campaign_of
    from exaid_evals.errors import ConfigError
    from exaid_evals.replication.failures import MEASURE, failures_page, read_failures, read_measured, step_orderings

    if request.campaign is None:
        remedy = "name what import-campaign, run-variants and compute-metrics have made of them"
        raise ConfigError("logs of failed runs publish no number", where="--campaign", remedy=remedy)
    runs = read_failures(request.folder)
    measured = read_measured(campaign_of(request.campaign), runs)
    estimates = {
        variant: {name: asdict(one) for name, one in means.measures.items() if name.startswith(MEASURE)}
        for variant, (means, _) in measured.items()
    }
    if request.page is not None:
        write_bytes(request.page, failures_page(request.folder, runs, measured).encode())
    if request.as_json:
        tested = [{**asdict(one), "survives": one.survives} for one in step_orderings(measured)]
        show_json({"n_logs": len(runs), "measures": estimates, "orderings": tested})
        return 0
    click.echo(f"logs      {len(runs)}")
    for variant, (means, _) in measured.items():
        share = means.measures[MEASURE]
        text = "undefined" if share.mean is None else f"{share.mean:.3f} of the decisive step's new words"
        click.echo(f"{variant:<9} {text}, defined in {share.n} logs")
    if request.page is not None:
        click.echo(f"page      {shown(request.page)}")
    return 0


def _main_table(request: ReplicateRequest, case_ids: Iterable[str]) -> str | None:
    from exaid_evals.artifacts.manifest import read_manifest
    from exaid_evals.config.request import campaign_of
    from exaid_evals.errors import ConfigError

    if request.campaign is None:
        return None
    campaign = campaign_of(request.campaign)
    path = campaign.tables / "main.md"
    if not path.is_file():
        raise ConfigError("holds no main table", where=str(path), remedy="run compute-metrics on the campaign first")
    if set(read_manifest(campaign.manifest_file).generation.ordered_case_list) != set(case_ids):
        remedy = "name what import-campaign has made of the same folder"
        raise ConfigError("is a campaign of other cases", where=str(campaign.root), remedy=remedy)
    return path.read_text(encoding="utf-8")


def _publication(request: ReplicateRequest) -> int:
    from exaid_evals.artifacts.atomic import write_bytes
    from exaid_evals.replication.page import page
    from exaid_evals.replication.published import Publication
    from exaid_evals.replication.stage import n_steps, replicate

    publication = Publication(request.folder)
    main_table = _main_table(request, publication.trace_files)
    extractor = _extractor(request) if request.concepts else None
    with Progress("replicate", n_steps(publication, concepts=request.concepts), unit="file") as progress:
        found = replicate(publication, extractor, annotated=request.annotated, on_step=progress.advance)
    if request.page is not None:
        write_bytes(request.page, page(publication, found, main_table=main_table).encode())
    if request.as_json:
        show_json(_document(publication.aggregate, found))
    else:
        _show_replication(found, request.page)
    calibrated = found.calibration.cells if found.calibration else ()
    cells = (*found.recomputed.cells, *found.recomputed.case_cells, *calibrated, *found.chunk_size)
    return 0 if all(cell.equal for cell in cells) and not found.recomputed.unpublished else 1


def _extractor(request: ReplicateRequest) -> Extractor:
    from exaid_evals.concepts.registry import load_extractor

    config, stop_entities = measuring_of(request)
    return load_extractor(config.extractor.name, config.extractor.settings, stop_entities=stop_entities)


def _document(published: Mapping[str, Any], found: Replication) -> dict[str, object]:
    from exaid_evals.replication.stage import concept_cells

    recomputed = found.recomputed
    return {
        "cells": [_cell(cell) for cell in recomputed.cells],
        "cases": {
            "n": len(recomputed.case_cells),
            "n_equal": sum(cell.equal for cell in recomputed.case_cells),
            "unpublished": list(recomputed.unpublished),
            "different": [{**_cell(cell), "case_id": cell.case_id} for cell in recomputed.case_cells if not cell.equal],
        },
        "variants": [asdict(one) for one in recomputed.variants],
        "n_traces_hashed": recomputed.n_hashed,
        "not_compared": list(recomputed.beyond),
        "concepts": {
            "extractor": found.extractor,
            "definition": "upstream",
            "tables": [asdict(table) for table in found.concepts],
            "cells": concept_cells(published, found),
            "validity": None if found.validity is None else asdict(found.validity),
            "unsupported": {variant: asdict(one) for variant, one in found.bounds.items() if one},
        },
        "orderings": [{**asdict(one), "survives": one.survives} for one in found.orderings],
        "gate": [asdict(step) for step in found.gate],
        "chunk_size": [_cell(cell) for cell in found.chunk_size],
        "calibration": None if found.calibration is None else _calibration(found.calibration),
    }


def _calibration(found: CalibrationFound) -> dict[str, object]:
    return {**asdict(found), "cells": [_cell(cell) for cell in found.cells]}


def _cell(cell: Cell) -> dict[str, object]:
    return {
        "variant": cell.variant,
        "measure": cell.measure,
        "published": cell.published,
        "recomputed": cell.recomputed,
        "equal": cell.equal,
    }


def _show_replication(found: Replication, page: Path | None) -> None:
    from exaid_evals.replication.page import equal_of

    recomputed = found.recomputed
    for one in recomputed.variants:
        ours = f" ({one.ours} here)" if one.ours else ""
        click.echo(f"{printable(one.variant)}: {printable(one.policy)}{ours}: {one.meaning}, {one.n_cases} cases")
    click.echo(f"variants  {equal_of(recomputed.cells)} published numbers equal")
    click.echo(f"cases     {equal_of(recomputed.case_cells)} published numbers equal")
    if recomputed.unpublished:
        click.echo(f"cases     {len(recomputed.unpublished)} without a published line: {recomputed.unpublished[0]}, …")
    for cell in [cell for cell in (*recomputed.cells, *recomputed.case_cells) if not cell.equal][:20]:
        where = " ".join(filter(None, (cell.variant, cell.case_id, cell.measure)))
        click.echo(f"differs   {printable(where)}: published {cell.published}, recomputed {cell.recomputed}")
    for table in found.concepts:
        shares = [means["m5_unsupported.global_rate_mean"] for means in table.means.values()]
        known = [share for share in shares if share is not None]
        if known:
            text = "as it was said" if table.basis == "said" else "joined by blanks, as published"
            candidates = "" if table.candidates == 1 else f", {table.candidates} candidates a mention"
            click.echo(f"unsupported by {found.extractor}, {text}{candidates}: {min(known):.3f} to {max(known):.3f}")
    if found.orderings:
        n_surviving = sum(one.survives for one in found.orderings)
        click.echo(
            f"orderings {n_surviving} of {len(found.orderings)} published orderings of variants survive a paired test"
        )
    for step in found.gate[-len({step.variant for step in found.gate}) :]:
        click.echo(f"gate      {step.n_equal:,} of {step.n_published:,} flushes of {printable(step.variant)} replayed")
    if found.calibration is not None:
        chosen = found.calibration.chosen.label if found.calibration.chosen else "no policy"
        click.echo(f"calibrate {equal_of(found.calibration.cells)} published numbers equal; {chosen} chosen")
    if found.chunk_size:
        click.echo(f"chunks    {equal_of(found.chunk_size)} published numbers on fixed chunks equal")
    if page is not None:
        click.echo(f"page      {shown(page)}")
