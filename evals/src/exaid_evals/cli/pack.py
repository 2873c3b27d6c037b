"""Upkeep of a campaign's files: `pack`, `unpack`, `merge`, `cassette repair`, `migrate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import SOME_FAILED, Progress, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, DryRunRequest, argument, option

if TYPE_CHECKING:
    from collections.abc import Callable

    from exaid_evals.config.campaign import Campaign


class PackRequest(CampaignRequest):
    """What is packed."""

    per_shard: int = option("Cases of a shard.", default=1000, minimum=1)


@alone
def pack(request: PackRequest) -> int:
    """Put traces and runs into shards, .jsonl.gz files of many cases each, for file systems that mind many files.

    Every command reads both layouts; files written later stay beside the shards until the next pack. Contents and their
    hashes do not change, and `unpack` gives back the same files. After an interruption, the same command continues.
    """
    from exaid_evals.artifacts import manifest, storage

    def put(folder: Path, advance: Callable[[str], None]) -> int:
        return storage.pack(folder, "case-*.jsonl.gz", request.per_shard, advance)

    return _lay_out(request.campaign, manifest.SHARDS, put)


@alone
def unpack(request: CampaignRequest) -> int:
    """Take traces and runs out of their shards: each a file of its own again, byte for byte as before `pack`."""
    from exaid_evals.artifacts import manifest, storage

    return _lay_out(request.campaign, manifest.FILES, storage.unpack)


pack_command = verb("pack", PackRequest, pack)
unpack_command = verb("unpack", CampaignRequest, unpack)


def _lay_out(campaign: Campaign, layout: str, change: Callable[[Path, Callable[[str], None]], int]) -> int:
    from exaid_evals.artifacts.manifest import read_manifest, write_manifest
    from exaid_evals.artifacts.storage import stored_names
    from exaid_evals.metrics.runs import present_variants

    frozen = read_manifest(campaign.manifest_file)
    folders = [campaign.traces, *(campaign.runs / variant for variant in present_variants(campaign))]
    n_files = sum(len(stored_names(folder, "case-*.jsonl.gz")) for folder in folders)
    with Progress(layout, n_files, unit="file") as progress:
        n = sum(change(folder, progress.advance) for folder in folders)
    # Last: until then the same command has something left to do, whichever layout the files have.
    if frozen.layout != layout:
        write_manifest(campaign.manifest_file, replace(frozen, layout=layout))
    click.echo(f"{n} files are in {layout} now, in {shown(campaign.root)}" if n else f"nothing to do: all in {layout}")
    return 0


class MergeRequest(CampaignRequest):
    """What is joined."""

    parts: tuple[Path, ...] = argument("PART...", path={"exists": True, "file_okay": False}, required=True)


@alone
def merge(request: MergeRequest) -> int:
    """Join the parts of a stage made with --shard I/N, each in the folder given by --into.

    The campaign is then the same, byte for byte and ledgers included, as if one command had run the stage. After parts
    of compute-metrics, run compute-metrics once more without --shard: it makes means, tables and figures. The parts are
    not changed.
    """
    from exaid_evals.artifacts.ledger import merge as merge_parts
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.verification.expected import note_configuration, noted_configuration

    part = merge_parts(request.campaign, request.parts)
    for folder in request.parts:
        for stage, files in sorted(noted_configuration(Campaign(folder.resolve())).items()):
            note_configuration(request.campaign, stage, files)
    click.echo(f"{part.stage}: {part.shard.of} parts joined in {shown(request.campaign.root)}")
    if part.stage == "compute-metrics":
        click.echo(f"{request.campaign.call('compute-metrics')} makes metrics, tables and figures of them")
    return 0


merge_command = verb("merge", MergeRequest, merge)


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


cassette = click.Group("cassette", help="Mend recordings of a live model's calls.")
cassette.add_command(verb("repair", RepairRequest, run_repair))


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
