"""`cassette`: what can be done to recordings of paid calls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, argument


@dataclass(frozen=True, kw_only=True)
class RepairRequest(CampaignRequest):
    """Which recordings are mended."""

    paths: tuple[Path, ...] = argument("[CASSETTE]...", path={"exists": True, "dir_okay": False})


@alone
def run_repair(request: RepairRequest) -> int:
    """Keep of damaged recordings what can be read; without CASSETTE those of the campaign.

    Every record that can be unpacked and answers its own request is kept, also behind a damaged part; of a call that
    stands twice the first. The file as it was stays beside it as NAME.damaged. A recording that is whole is left as it
    is. Calls that are lost are made again by the next live run. Exit status: 0 all are whole now and nothing was lost;
    3 something was.
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
    return 3 if any_lost else 0


command = click.Group("cassette", help="Mend recordings of a live model's calls.")
command.add_command(verb("repair", RepairRequest, run_repair))
