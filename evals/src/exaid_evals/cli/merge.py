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
    """Join the parts of a stage that --shard I/N has made, each in the folder that --into named.

    The campaign is then, byte for byte and ledgers included, as if one command had done the stage there: traces are
    frozen, run logs are current. Parts of compute-metrics leave nothing to measure: compute-metrics, once more and
    without --shard, has only means, tables and figures to make. The parts stay as they are.
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
