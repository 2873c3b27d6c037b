"""`exaid-evals replicate`: a published evaluation recomputed from its own records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.display import Progress, printable, show_json, shown
from exaid_evals.cli.verb import measuring_of, verb
from exaid_evals.config.requests import ReplicateRequest

if TYPE_CHECKING:
    from exaid_evals.concepts.base import Extractor
    from exaid_evals.replication.calibration import CalibrationFound
    from exaid_evals.replication.conclusions import Cell
    from exaid_evals.replication.stage import Replication


def run(request: ReplicateRequest) -> int:
    """Recompute the published EXAIM evaluation, and show which numbers and conclusions are confirmed.

    DIR has upstream's layout: traces/ (trace 2.0.0), runs/V*/ (run 1.5.0), manifests/ and metrics/ (2.2.0). Counts,
    usage, latency and compliance are compared digit by digit. Numbers that depend on concepts are computed with our
    extractor and shown beside the published ones, without a test for equality. Exit status: 1 where a number differs.

    Or DIR holds logs of failed multi-agent runs, as import-campaign takes them, and --campaign what was made of them:
    what the updates of each variant report of the step at which each run went wrong.
    """
    from exaid_evals.replication.failures import is_folder_of_failures

    return _failures(request) if is_folder_of_failures(request.folder) else _publication(request)


command = verb("replicate", ReplicateRequest, run)


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
        _show(found, request.page)
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


def _show(found: Replication, page: Path | None) -> None:
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
