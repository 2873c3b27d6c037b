"""`reproduce`: all stages, for one campaign or one a seed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from exaid_evals.cli.options import (
    campaign_of,
    cases_option,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    dry_run_option,
    extractor_option,
    force_option,
    limit_option,
    mac_dir_option,
    n_cases_option,
    option,
    overrides_of,
    seed_option,
    source_option,
    stub_option,
)
from exaid_evals.cli.showing import shown
from exaid_evals.config.campaign import EXPORTED_AS, Campaign
from exaid_evals.config.override import Override

SOME_FAILED = 3


def _seeds(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    parts = (value or "").replace(",", " ").split()
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter('write whole numbers, such as "42 43 44"')
    return tuple(dict.fromkeys(int(part) for part in parts))


@click.command("reproduce")
@option(
    "--seeds", callback=_seeds, default=None, metavar="'N N …'", help="One campaign a seed, in DATA/campaigns/seed-N."
)
@stub_option
@option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="Cases processed at the same time.  [default: number of cores]",
)
@seed_option
@n_cases_option
@source_option
@limit_option
@cases_option
@extractor_option
@force_option
@dry_run_option
@data_dir_option
@config_dir_option
@mac_dir_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    seeds: tuple[int, ...],
    stub: bool,
    jobs: int | None,
    limit: int | None,
    cases: tuple[str, ...] | None,
    force: bool,
    dry_run: bool,
    data_dir: Path | None,
    config_dir: Path | None,
    mac_dir: Path | None,
    **_overridden: Any,
) -> int:
    """Run every stage: validate, make-traces, run-variants, compute-metrics, export.

    A stage whose inputs have not changed has nothing to do. With --seeds the campaigns are made one after the
    other, and the export consolidates them.
    """
    if seeds and ctx.params["seed"] is not None:
        raise click.UsageError("--seed and --seeds (EXAID_SEED and EXAID_SEEDS) exclude each other")
    campaign = campaign_of(data_dir)
    configs = config_dir_of(config_dir)
    asked = _Asked(
        dataset=overrides_of(ctx, {"n_cases": "n_cases", "source": "source"}),
        generation=overrides_of(ctx, {"seed": "seed"}),
        metrics=overrides_of(ctx, {"extractor": "extractor.name"}),
        stub=stub,
        limit=limit,
        cases=cases,
        jobs=jobs or os.cpu_count() or 1,
        force=force,
        mac_dir=mac_dir,
    )
    started = time.monotonic()
    campaigns = [Campaign(campaign.of_seeds / f"seed-{seed}") for seed in seeds] or [campaign]
    status = 0
    for number, member in enumerate(campaigns):
        seed = seeds[number] if seeds else None
        if seed is not None:
            click.echo(f"\n=== seed {seed}: {shown(member.root)}")
        chosen = asked if seed is None else replace(asked, generation={"seed": Override(seed, "--seeds")})
        if dry_run:
            _plan(member, configs, chosen)
            continue
        status = max(status, _campaign(member, configs, chosen))
        if status not in (0, SOME_FAILED):
            return status
    if dry_run:
        _heading("04 export")
        several = f"{len(campaigns)} campaigns" if len(campaigns) > 1 else "the campaign"
        click.echo(f"would consolidate {several} into {shown(campaign.exports)}, and validate everything")
        return 0
    from exaid_evals.cli.export import run as export
    from exaid_evals.cli.validate import run as validate

    _heading("04 export")
    status = max(
        status, export([member.root for member in campaigns], campaign.exports, names=None if seeds else [EXPORTED_AS])
    )
    _heading("00 validate what was written")
    places = [str(place) for place in [*(member.root for member in campaigns), campaign.exports]]
    status = max(status, validate(places, brief=True))
    click.echo("")
    for member in campaigns:
        click.echo(f"tables   {shown(member.tables)}\nfigures  {shown(member.figures)}")
    click.echo(f"export   {shown(campaign.exports)}")
    click.echo(f"done in {time.monotonic() - started:.1f} s", err=True)
    return status


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the stages of each campaign are asked to do."""

    dataset: Mapping[str, Override]
    generation: Mapping[str, Override]
    metrics: Mapping[str, Override]
    stub: bool
    limit: int | None
    cases: tuple[str, ...] | None
    jobs: int
    force: bool
    mac_dir: Path | None


def _make_traces(campaign: Campaign, configs: Path, asked: _Asked, *, dry_run: bool = False) -> int:
    from exaid_evals.cli.make_traces import run as make_traces

    return make_traces(
        campaign,
        stub=asked.stub,
        dataset=asked.dataset,
        generation=asked.generation,
        config_dir=configs,
        mac_dir=asked.mac_dir,
        limit=asked.limit,
        cases=asked.cases,
        jobs=asked.jobs,
        force=asked.force,
        dry_run=dry_run,
    )


def _plan(campaign: Campaign, configs: Path, asked: _Asked) -> None:
    """Say what stages 01 to 03 would do: what is left to do of frozen traces, else everything."""
    from exaid_evals.replay.preflight import Asked, preflight
    from exaid_evals.traces.freeze import verify_frozen

    _heading("01 make traces")
    _make_traces(campaign, configs, asked, dry_run=True)
    # Another freeze than the planned one would have been an error above.
    frozen = campaign.manifest_file.exists() and not asked.force
    overrides = {"llm.client": Override("stub", "--stub")} if asked.stub else {}
    wanted = Asked(config_dir=configs, overrides=overrides, jobs=asked.jobs, force=asked.force)
    found = preflight(campaign, wanted, traces_required=frozen)
    if found.problems:
        found.required()
    names = " ".join(variant.variant_id for variant in found.variants)
    n_runs = sum(len(work.variants) for work in found.plan.work) if frozen and found.plan else None
    n_cases = len(verify_frozen(campaign).entries) if frozen else None
    _heading("02 run variants")
    left = f"{n_runs} run logs" if n_runs is not None else "a run log a case"
    click.echo(f"would write {left} of {names} in {shown(campaign.runs)}")
    _heading("03 compute metrics")
    if n_runs == 0:
        from exaid_evals.cli.compute_metrics import run as compute_metrics

        compute_metrics(campaign, configs, overrides=asked.metrics, jobs=asked.jobs, dry_run=True)
    else:
        cases = "every case" if n_cases is None else f"{n_cases} cases"
        click.echo(f"would measure {cases} under {names}, and write tables and figures, in {shown(campaign.metrics)}")


def _campaign(campaign: Campaign, configs: Path, asked: _Asked) -> int:
    """Run stages 00 to 03 of one campaign."""
    from exaid_evals.cli.compute_metrics import run as compute_metrics
    from exaid_evals.cli.run_variants import run as run_variants
    from exaid_evals.cli.validate import run as validate

    stages: list[tuple[str, Callable[[], int]]] = [
        ("00 validate", lambda: validate(_frozen_part(campaign), data_dir=campaign.root, brief=True)),
        ("01 make traces", lambda: _make_traces(campaign, configs, asked)),
        (
            "02 run variants",
            lambda: run_variants(campaign, configs, stub=asked.stub, jobs=asked.jobs, force=asked.force),
        ),
        (
            "03 compute metrics",
            lambda: compute_metrics(campaign, configs, overrides=asked.metrics, jobs=asked.jobs, force=asked.force),
        ),
    ]
    status = 0
    for number, (name, stage) in enumerate(stages):
        _heading(name)
        result = stage()
        # Damaged data of an earlier run is what --force is there to replace.
        if result == 1 and number == 0 and asked.force:
            continue
        status = max(status, result)
        if result not in (0, SOME_FAILED):
            click.echo(f"stopped at stage {name}", err=True)
            return result
    return status


def _frozen_part(campaign: Campaign) -> list[str]:
    """Return the folders whose problems stop everything; what later stages make of them is made again where stale."""
    return [str(folder) for folder in (campaign.manifests, campaign.cases, campaign.traces) if folder.is_dir()]


def _heading(name: str) -> None:
    click.echo(f"\n--- {name}")
