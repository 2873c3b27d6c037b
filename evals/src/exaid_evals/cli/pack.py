"""`pack`, `unpack`, `merge`: traces and runs in a few shards or a file each, and parts of a stage as one campaign."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import Progress, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, argument, option

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
    from exaid_evals.artifacts.parts import merge as merge_parts
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
