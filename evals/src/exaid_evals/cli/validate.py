"""Checks: `validate` of whatever records exist, stage 00; `doctor` of what is installed and set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.display import Progress, printable, show_json, shown
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import CampaignRequest, ConfigRequest, MacRequest, flag, option
from exaid_evals.config.requests import ValidateRequest

if TYPE_CHECKING:
    from exaid_evals.validation.base import Finding
    from exaid_evals.validation.file import FileReport
    from exaid_evals.validation.targets import Target

_SHOWN_PER_FILE = 5
_SHOWN_PER_FILE_VERBOSE = 1000
# Below this number of files the work is over before a bar could be read.
_PROGRESS_FROM_FILES = 100


def run_validate(request: ValidateRequest) -> int:
    """Check records against their schemas and each other.

    Without arguments: every manifest, case, trace, run, metrics file and export of the campaign. Exit status: 0 all
    valid, or nothing to check; 1 problems, each on a line of its own; 2 a path that does not exist.
    """
    from exaid_evals.validation.targets import campaign_targets, named_targets

    paths, campaign = request.paths, request.campaign
    targets = named_targets(paths) if paths else campaign_targets(campaign)
    found = _check(targets, request)
    places = ", ".join(shown(Path(path)) for path in paths) or shown(campaign.root)
    if request.as_json:
        _print_json(found, places)
    elif not found.n_files:
        click.echo(f"scaffold mode: nothing to validate in {places}")
    else:
        _print_problems(found.bad)
        if not request.brief:
            _print_kinds(found)
        _print_verdict(found)
    return 1 if found.bad else 0


validate_command = verb("validate", ValidateRequest, run_validate)


@dataclass
class _Found:
    """What many files hold: counts, and the reports of those with problems alone, sorted by path."""

    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    bad: list[FileReport] = field(default_factory=list)

    def add(self, report: FileReport) -> None:
        counts = self.kinds.setdefault(report.kind, {"files": 0, "records": 0, "problems": 0})
        counts["files"] += 1
        counts["records"] += report.n_records
        counts["problems"] += report.n_findings
        if report.n_findings:
            self.bad.append(report)

    @property
    def n_files(self) -> int:
        return sum(counts["files"] for counts in self.kinds.values())

    @property
    def n_records(self) -> int:
        return sum(counts["records"] for counts in self.kinds.values())

    @property
    def n_problems(self) -> int:
        return sum(counts["problems"] for counts in self.kinds.values())


def _check(targets: Sequence[Target], request: ValidateRequest) -> _Found:
    from exaid_evals.validation.scan import check_files

    found = _Found()
    keep = _SHOWN_PER_FILE_VERBOSE if request.verbose else _SHOWN_PER_FILE
    with Progress("validate", len(targets) if len(targets) >= _PROGRESS_FROM_FILES else 0) as progress:
        for report in check_files(
            targets,
            keep=keep,
            jobs=request.jobs,
            cluster=request.cluster,
            trust_ledger=request.trust_ledger,
            advance=progress.advance,
        ):
            found.add(report)
    found.kinds = dict(sorted(found.kinds.items()))
    found.bad.sort(key=lambda report: shown(report.path))
    return found


def _print_problems(reports: Sequence[FileReport]) -> None:
    for report in reports:
        path = shown(report.path)
        for finding in report.findings:
            where = f"{path}:{finding.line}" if finding.line else path
            click.echo(f"{where}: {printable(finding.what)}; {printable(finding.remedy)}")
        hidden = report.n_findings - len(report.findings)
        if hidden:
            click.echo(f"{path}: … and {hidden:,} more")


def _print_kinds(found: _Found) -> None:
    rows = [["kind", "files", "records", "problems"]]
    rows += [[kind, *(f"{count:,}" for count in counts.values())] for kind, counts in found.kinds.items()]
    for kind, *counts in rows:
        click.echo(f"{kind:<9}" + "".join(f"{count:>11}" for count in counts))


def _print_verdict(found: _Found) -> None:
    bad = f"{_count(found.n_problems, 'problem')} in {_count(len(found.bad), 'file')}"
    verdict = bad if found.bad else "all valid"
    click.echo(f"{_count(found.n_files, 'file')}, {_count(found.n_records, 'record')}: {verdict}")


def _print_json(found: _Found, places: str) -> None:
    document: dict[str, Any] = {
        "valid": not found.bad,
        "scaffold": not found.n_files,
        "checked": places,
        "n_files": found.n_files,
        "n_records": found.n_records,
        "n_problems": found.n_problems,
        "kinds": found.kinds,
        "problems": [_problem(report, finding) for report in found.bad for finding in report.findings],
    }
    show_json(document)


def _problem(report: FileReport, finding: Finding) -> dict[str, Any]:
    return {
        "path": shown(report.path),
        "line": finding.line or None,
        "kind": report.kind,
        "what": printable(finding.what),
        "remedy": printable(finding.remedy),
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_PURPOSES = ("stub", "live", "paper", "docker", "analysis")


class DoctorRequest(MacRequest, CampaignRequest, ConfigRequest):
    """What is looked for."""

    purposes: tuple[str, ...] = option(
        "What must work; may be given several times.  [default: stub]", "--for", default=(), choices=_PURPOSES
    )
    as_json: bool = flag("Print one JSON document.", "--json")


def run_doctor(request: DoctorRequest) -> int:
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


doctor_command = verb("doctor", DoctorRequest, run_doctor)
