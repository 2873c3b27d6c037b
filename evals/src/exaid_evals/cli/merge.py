"""`merge`: the parts of a stage become one campaign."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, argument


@dataclass(frozen=True, kw_only=True)
class MergeRequest(CampaignRequest):
    """What is joined."""

    parts: tuple[Path, ...] = argument("PART...", path={"exists": True, "file_okay": False}, required=True)


@alone
def run(request: MergeRequest) -> int:
    """Join the parts of a stage made with --shard I/N, each in the folder given by --into.

    The campaign is then the same, byte for byte and ledgers included, as if one command had run the stage. After parts
    of compute-metrics, run compute-metrics once more without --shard: it makes means, tables and figures. The parts are
    not changed.
    """
    from exaid_evals.artifacts.parts import merge
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.verification.configuration import note_configuration, noted_configuration

    part = merge(request.campaign, request.parts)
    for folder in request.parts:
        for stage, files in sorted(noted_configuration(Campaign(folder.resolve())).items()):
            note_configuration(request.campaign, stage, files)
    click.echo(f"{part.stage}: {part.shard.of} parts joined in {shown(request.campaign.root)}")
    if part.stage == "compute-metrics":
        click.echo(f"{request.campaign.call('compute-metrics')} makes metrics, tables and figures of them")
    return 0


command = verb("merge", MergeRequest, run)
