"""`reproduce`: all stages, for one campaign or one a seed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import click

from exaid_evals.cli.options import (
    campaign_of,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    force_option,
    limit_option,
    mac_dir_option,
    option,
    stub_option,
)
from exaid_evals.cli.showing import shown
from exaid_evals.config.campaign import Campaign
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
@limit_option
@force_option
@data_dir_option
@config_dir_option
@mac_dir_option
@debug_option
def command(
    seeds: tuple[int, ...],
    stub: bool,
    jobs: int | None,
    limit: int | None,
    force: bool,
    data_dir: Path | None,
    config_dir: Path | None,
    mac_dir: Path | None,
) -> int:
    """Run every stage: validate, make-traces, run-variants, compute-metrics, export.

    A stage whose inputs have not changed has nothing to do. With --seeds the campaigns are made one after the
    other, and the export consolidates them.
    """
    campaign = campaign_of(data_dir)
    configs = config_dir_of(config_dir)
    workers = jobs or os.cpu_count() or 1
    started = time.monotonic()
    campaigns = [Campaign(campaign.root / "campaigns" / f"seed-{seed}") for seed in seeds] or [campaign]
    status = 0
    for number, member in enumerate(campaigns):
        seed = seeds[number] if seeds else None
        if seed is not None:
            click.echo(f"\n=== seed {seed}: {shown(member.root)}")
        status = max(
            status,
            _campaign(member, configs, seed=seed, stub=stub, jobs=workers, limit=limit, force=force, mac_dir=mac_dir),
        )
        if status not in (0, SOME_FAILED):
            return status
    from exaid_evals.cli.export import ITSELF
    from exaid_evals.cli.export import run as export
    from exaid_evals.cli.validate import run as validate

    _heading("04 export")
    status = max(
        status, export([member.root for member in campaigns], campaign.exports, names=None if seeds else [ITSELF])
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


def _campaign(
    campaign: Campaign,
    configs: Path,
    *,
    seed: int | None,
    stub: bool,
    jobs: int,
    limit: int | None,
    force: bool,
    mac_dir: Path | None,
) -> int:
    """Run stages 00 to 03 of one campaign."""
    from exaid_evals.cli.compute_metrics import run as compute_metrics
    from exaid_evals.cli.make_traces import run as make_traces
    from exaid_evals.cli.run_variants import run as run_variants
    from exaid_evals.cli.validate import run as validate

    generation = {} if seed is None else {"seed": Override(seed, "--seeds")}
    stages: list[tuple[str, Callable[[], int]]] = [
        ("00 validate", lambda: validate(data_dir=campaign.root, brief=True)),
        (
            "01 make traces",
            lambda: make_traces(
                campaign,
                stub=stub,
                generation=generation,
                config_dir=configs,
                mac_dir=mac_dir,
                limit=limit,
                jobs=jobs,
                force=force,
            ),
        ),
        ("02 run variants", lambda: run_variants(campaign, configs, stub=stub, jobs=jobs, force=force)),
        ("03 compute metrics", lambda: compute_metrics(campaign, configs, jobs=jobs, force=force)),
    ]
    status = 0
    for number, (name, stage) in enumerate(stages):
        _heading(name)
        result = stage()
        # Damaged data of an earlier run is what --force is there to replace.
        if result == 1 and number == 0 and force:
            continue
        status = max(status, result)
        if result not in (0, SOME_FAILED):
            click.echo(f"stopped at stage {name}", err=True)
            return result
    return status


def _heading(name: str) -> None:
    click.echo(f"\n--- {name}")
