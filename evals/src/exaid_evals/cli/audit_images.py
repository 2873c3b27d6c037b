"""`audit-images`: what is wrong with the images of a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import SOME_FAILED, Progress, printable, shown, warn
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import JobsRequest, argument, flag, names_of, option
from exaid_evals.errors import ConfigError

if TYPE_CHECKING:
    from exaid_evals.analysis.images.audit import Audit

_RECORDS, _SHEET = "images.jsonl", "contact_sheet.html"


class AuditRequest(JobsRequest):
    """Whose images are audited, and how."""

    folder: Path = argument("DIR", default=None, required=True, path={"exists": True, "file_okay": False})
    output_dir: Path = option(
        "Folder to write.", "--output-dir", "--out", default=Path("image_audit"), path={"file_okay": False}
    )
    config: Path | None = option(
        "YAML with thresholds; see docs/image_audit.md.", "--audit-config", "--config", path={"dir_okay": False}
    )
    expect_mode: str | None = option(
        "Colour mode of every image.  [default: the majority's]", metavar="MODE", key="audit:expect_mode"
    )
    fail_on: tuple[str, ...] = option(
        "Exit with 1 where one of these checks finds something.", default=(), metavar="A,B", parse=names_of
    )
    jobs: int = option("Images measured at the same time.", "-j", "--jobs", default=1, minimum=1)
    resume: bool = flag("Take over what an earlier audit has measured of files that have not changed.")


def run(request: AuditRequest) -> int:
    """Find what is wrong with the images of a folder.

    Writes images.jsonl (a record for each image, then a summary) and contact_sheet.html. Findings are results, not
    failures. Exit status: 0 done; 1 there is no image, or a check of --fail-on found something; 2 wrong usage; 3 some
    folders could not be listed.
    """
    from exaid_evals.analysis.images.audit import audit_folder, records, render
    from exaid_evals.analysis.images.checks import check_names
    from exaid_evals.analysis.images.files import AuditSettings, list_images
    from exaid_evals.artifacts.atomic import write_text
    from exaid_evals.artifacts.jsonl import write_jsonl
    from exaid_evals.config.base import load_config

    settings = load_config(AuditSettings, request.config, request.overrides("audit")).value
    failing = _known_checks(request.fail_on, check_names(settings))
    folder, output_dir = request.folder, request.output_dir
    listing = list_images(folder)
    with Progress("audit-images", len(listing.images), unit="image") as progress:
        audit = audit_folder(
            folder, settings, output_dir, jobs=request.jobs, cluster=request.cluster, resume=request.resume,
            listing=listing, advance=progress.advance,
        )  # fmt: skip
    write_jsonl(output_dir / _RECORDS, records(audit))
    write_text(output_dir / _SHEET, render(audit))
    counts = _show(audit)
    click.echo(f"wrote {shown(output_dir / _RECORDS)}")
    click.echo(f"wrote {shown(output_dir / _SHEET)}")
    failed = [name for name in failing if counts[name]]
    if failed:
        found = ", ".join(f"{counts[name]} {name}" for name in failed)
        click.echo(f"error: {found}; mend or remove them, or leave these checks out of --fail-on", err=True)
        return 1
    return SOME_FAILED if audit.unread else 0


command = verb("audit-images", AuditRequest, run)


def _known_checks(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        remedy = f"there are {', '.join(known)}"
        raise ConfigError(f"no check {', '.join(map(repr, unknown))}", where="--fail-on", remedy=remedy)
    return names


def _show(audit: Audit) -> Counter[str]:
    """Print how often each check found something, with the first image of each; return the counts."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for image, findings in zip(audit.images, audit.findings, strict=True):
        for finding in findings:
            counts[finding.check] += 1
            first.setdefault(finding.check, f"{image.name}: {finding.text}")
    n_found = sum(map(bool, audit.findings))
    click.echo(f"{len(audit.images)} images, {n_found} with findings, {audit.n_others} other files")
    for check, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"  {check:<18} {count:>7}  {printable(first[check])}")
    warn(f"{path}: cannot be listed ({reason})" for path, reason in audit.unread[:10])
    if len(audit.unread) > 10:
        warn([f"{len(audit.unread) - 10} more folders cannot be listed"])
    return counts
