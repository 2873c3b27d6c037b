"""`migrate`: rewrite records of older versions to the current one."""

from __future__ import annotations

from pathlib import Path

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.options import campaign_of, data_dir_option, debug_option, dry_run_option


@click.command("migrate")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[FILE|CAMPAIGN]...")
@dry_run_option
@data_dir_option
@debug_option
def command(paths: tuple[Path, ...], dry_run: bool, data_dir: Path | None) -> int:
    """Rewrite traces and manifests of older versions to the current one; without PATH those of the campaign.

    What a record says is kept; what can be derived is added (the time since the first message, content hashes, and in
    the manifest the hash of each trace, which freezes them). Everything is read and checked first: where one file
    cannot be migrated, none is written. The same command again has nothing to do. Runs and metrics are results: they
    are still read as they are, and are made again by their stages.
    """
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.migration.files import migrate, plan_migration, record_files

    found: list[Path] = []
    for path in paths or (campaign_of(data_dir).root,):
        found += record_files(Campaign(path.resolve())) if path.is_dir() else [path.resolve()]
    rewritings, n_current = plan_migration(found)
    if not dry_run:
        migrate(rewritings)
    for rewriting in rewritings:
        step = f"{', '.join(rewriting.before)} → {rewriting.after}"
        click.echo(f"{'would rewrite' if dry_run else 'rewrote'} {shown(rewriting.path)}: {step}")
    campaigns = {rewriting.path.parent.parent for rewriting in rewritings if rewriting.path.parent.name == "traces"}
    for root in sorted(campaigns):
        if (root / "runs").is_dir():
            call = Campaign(root).call("run-variants")
            click.echo(
                f"the run logs in {shown(root)} name the traces' hashes of before: {call} makes them again", err=True
            )
    would = "would be " if dry_run else ""
    click.echo(f"{len(rewritings)} files {would}rewritten, {n_current} current")
    return 0
