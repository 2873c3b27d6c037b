"""`doctor`: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from exaid_evals.cli.display import printable, show_json
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import CampaignRequest, ConfigRequest, MacRequest, flag, option

_PURPOSES = ("stub", "live", "paper", "docker", "analysis")


class DoctorRequest(MacRequest, CampaignRequest, ConfigRequest):
    """What is looked for."""

    purposes: tuple[str, ...] = option(
        "What must work; may be given several times.  [default: stub]", "--for", default=(), choices=_PURPOSES
    )
    as_json: bool = flag("Print one JSON document.", "--json")


def run(request: DoctorRequest) -> int:
    """Show what is installed here, what is missing, and how to get it. Nothing is changed, nothing is sent.

    For API keys it shows whether they are set, never their values. Exit status: 0 if everything that stub mode needs
    (or what --for names) is there, 1 if something is missing.
    """
    from exaid_evals.config.campaign import default_mac_dir
    from exaid_evals.doctor.installation import examine
    from exaid_evals.doctor.settings import PURPOSES, Environment, fails

    wanted = [purpose for purpose in PURPOSES if purpose in (request.purposes or ("stub",))]
    environment = Environment(request.campaign, request.configs, request.mac_dir or default_mac_dir(), dict(os.environ))
    findings = examine(environment)
    failing = fails(findings, wanted)
    if request.as_json:
        described = [
            {**asdict(one), "remedy": one.remedy or None, "needed_for": sorted(one.needed_for)} for one in findings
        ]
        show_json({"purposes": wanted, "ready": not failing, "findings": described})
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


command = verb("doctor", DoctorRequest, run)
