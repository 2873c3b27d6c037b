"""`pack` and `unpack`: a campaign's traces and runs in a few shards, or each in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exaid_evals.config.campaign import Campaign


@dataclass(frozen=True, kw_only=True)
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
    from exaid_evals.cli.display import Progress
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
