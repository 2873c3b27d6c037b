"""`doctor`: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from exaid_evals.cli.display import printable
from exaid_evals.cli.options import (
    campaign_of,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    mac_dir_option,
    option,
)

_PURPOSES = ("stub", "live", "paper", "docker", "analysis")


@click.command("doctor")
@option(
    "--for",
    "purposes",
    type=click.Choice(_PURPOSES),
    multiple=True,
    help="What must work; may be given several times.  [default: stub]",
)
@option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@data_dir_option
@config_dir_option
@mac_dir_option
@debug_option
def command(
    purposes: tuple[str, ...],
    as_json: bool,
    data_dir: Path | None,
    config_dir: Path | None,
    mac_dir: Path | None,
) -> int:
    """Say what is installed here, what is missing, and how to get it. Nothing is changed, nothing is sent.

    Of API keys it says whether they are set, and never what they are. Exit status: 0 where everything is there that
    stub mode needs (or what --for names), 1 where something is not.
    """
    from exaid_evals.config.resources import default_mac_dir
    from exaid_evals.doctor.base import PURPOSES, Environment, fails
    from exaid_evals.doctor.registry import examine

    wanted = [purpose for purpose in PURPOSES if purpose in (purposes or ("stub",))]
    environment = Environment(
        campaign_of(data_dir), config_dir_of(config_dir), mac_dir or default_mac_dir(), dict(os.environ)
    )
    findings = examine(environment)
    failing = fails(findings, wanted)
    if as_json:
        from exaid_evals.artifacts.canonical import canonical_json

        document = {
            "purposes": wanted,
            "ready": not failing,
            "findings": [
                {
                    "topic": one.topic,
                    "name": one.name,
                    "state": one.state,
                    "what": one.what,
                    "remedy": one.remedy or None,
                    "needed_for": sorted(one.needed_for),
                }
                for one in findings
            ],
        }
        click.echo(canonical_json(document))
        return 1 if failing else 0
    topic = ""
    for one in findings:
        if one.topic != topic:
            topic = one.topic
            click.echo(topic)
        needed = f" [needed for {', '.join(sorted(one.needed_for))}]" if one.state != "ok" and one.needed_for else ""
        click.echo(printable(f"  {one.state:<8} {one.name}: {one.what}{needed}".rstrip(": ")))
        if one.remedy and one.state != "ok":
            click.echo(printable(f"  {'':<8} → {one.remedy}"))
    names = " and ".join(wanted)
    if failing:
        click.echo(f"not ready for {names}: {', '.join(printable(one.name) for one in failing)}")
    else:
        click.echo(f"ready for {names}")
    return 1 if failing else 0
