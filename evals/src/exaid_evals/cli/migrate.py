"""`migrate`: rewrite records of older versions to the current one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, DryRunRequest, argument


@dataclass(frozen=True, kw_only=True)
class MigrateRequest(DryRunRequest, CampaignRequest):
    """What is rewritten."""

    paths: tuple[Path, ...] = argument("[FILE|CAMPAIGN]...", path={"exists": True})


@alone
def run(request: MigrateRequest) -> int:
    """Rewrite traces and manifests of older versions to the current one; without PATH those of the campaign.

    What a record says is kept; what can be derived is added (the time since the first message, content hashes, and in
    the manifest the hash of each trace, which freezes them). Everything is read and checked first: where one file
    cannot be migrated, none is written. The same command again has nothing to do. Runs and metrics are results: they
    are still read as they are, and are made again by their stages.
    """
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.migration.files import migrate, plan_migration, record_files

    found: list[Path] = []
    for path in request.paths or (request.campaign.root,):
        found += record_files(Campaign(path.resolve())) if path.is_dir() else [path.resolve()]
    rewritings, n_current = plan_migration(found)
    if not request.dry_run:
        migrate(rewritings)
    for rewriting in rewritings:
        step = f"{', '.join(rewriting.before)} → {rewriting.after}"
        click.echo(f"{'would rewrite' if request.dry_run else 'rewrote'} {shown(rewriting.path)}: {step}")
    campaigns = {rewriting.path.parent.parent for rewriting in rewritings if rewriting.path.parent.name == "traces"}
    for root in sorted(campaigns):
        if (root / "runs").is_dir():
            call = Campaign(root).call("run-variants")
            click.echo(
                f"the run logs in {shown(root)} name the traces' hashes of before: {call} makes them again", err=True
            )
    would = "would be " if request.dry_run else ""
    click.echo(f"{len(rewritings)} files {would}rewritten, {n_current} current")
    return 0


command = verb("migrate", MigrateRequest, run)
