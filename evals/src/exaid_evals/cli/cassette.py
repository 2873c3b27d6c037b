"""`cassette`: what can be done to recordings of paid calls."""

from __future__ import annotations

from pathlib import Path

import click

from exaid_evals.cli.display import SOME_FAILED, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, DryRunRequest, argument


class RepairRequest(CampaignRequest):
    """Which recordings are mended."""

    paths: tuple[Path, ...] = argument("[CASSETTE]...", path={"exists": True, "dir_okay": False})


@alone
def run_repair(request: RepairRequest) -> int:
    """Keep of damaged recordings what can be read; without CASSETTE those of the campaign.

    Every record that can be unpacked and answers its own request is kept, also behind a damaged part; of a duplicate
    call the first. The file as it was stays beside it as NAME.damaged. A recording that is whole is left as it is.
    Calls that are lost are made again by the next live run. Exit status: 0 all are whole now and nothing was lost; 3
    something was.
    """
    from exaid_evals.clients.cassette import SUFFIX, repair_cassette
    from exaid_evals.traces.mac.recording import repair_recording

    paths = request.paths or sorted(request.campaign.cassettes.glob(f"*{SUFFIX}"))
    any_lost = False
    for path in paths:
        repair = repair_recording if path.name.startswith("mac-") else repair_cassette
        found = repair(path)
        what = "is whole" if found.set_aside is None else f"repaired; as it was: {found.set_aside.name}"
        of = [f"{found.kept} records"]
        of += [f"{found.lost} lines could not be read"] if found.lost else []
        of += [f"{found.duplicates} duplicates left out"] if found.duplicates else []
        click.echo(f"{shown(path)}: {what} ({', '.join(of)})")
        any_lost = any_lost or bool(found.lost)
    if not paths:
        click.echo(f"no recordings in {shown(request.campaign.cassettes)}")
    return SOME_FAILED if any_lost else 0


command = click.Group("cassette", help="Mend recordings of a live model's calls.")
command.add_command(verb("repair", RepairRequest, run_repair))


class MigrateRequest(DryRunRequest, CampaignRequest):
    """What is rewritten."""

    paths: tuple[Path, ...] = argument("[FILE|CAMPAIGN]...", path={"exists": True})


@alone
def run_migrate(request: MigrateRequest) -> int:
    """Rewrite traces and manifests of older versions to the current one; without PATH those of the campaign.

    What a record says is kept; what can be derived is added (the time since the first message, content hashes, and in
    the manifest the hash of each trace, which freezes them). Everything is read and checked first: where one file
    cannot be migrated, none is written. The same command again has nothing to do. Runs and metrics are results: they
    are still read as they are, and are made again by their stages.
    """
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.migration import migrate, plan_migration, record_files

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


migrate = verb("migrate", MigrateRequest, run_migrate)
