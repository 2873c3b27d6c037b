"""`audit-images`: what is wrong with the images of a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable, shown
from exaid_evals.cli.options import debug_option, option
from exaid_evals.cli.progress import Progress
from exaid_evals.errors import ConfigError

if TYPE_CHECKING:
    from exaid_evals.analysis.images.audit import Audit
    from exaid_evals.analysis.images.settings import AuditSettings

_RECORDS, _SHEET = "images.jsonl", "contact_sheet.html"
_SOME_UNREAD = 3


@click.command("audit-images")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@option(
    "--output-dir",
    "--out",
    "output_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("image_audit"),
    show_default=True,
    help="Folder to write.",
)
@option(
    "--audit-config",
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="YAML with thresholds; see docs/image_audit.md.",
)
@option("--expect-mode", default=None, metavar="MODE", help="Colour mode of every image.  [default: the majority's]")
@option("--fail-on", default=None, metavar="A,B", help="Exit with 1 where one of these checks finds something.")
@option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Images measured at the same time.",
)
@option("--resume", is_flag=True, help="Take over what an earlier audit has measured of files that have not changed.")
@debug_option
def command(
    folder: Path,
    output_dir: Path,
    config: Path | None,
    expect_mode: str | None,
    fail_on: str | None,
    jobs: int,
    resume: bool,
) -> int:
    """Say what is wrong with the images of a folder.

    Writes images.jsonl (a record for each image, then a summary) and contact_sheet.html. Findings are results, not
    failures. Exit status: 0 done; 1 there is no image, or a check of --fail-on found something; 2 wrong usage; 3 some
    folders could not be listed.
    """
    from exaid_evals.analysis.images.audit import audit_folder
    from exaid_evals.analysis.images.contact_sheet import render
    from exaid_evals.analysis.images.files import list_images
    from exaid_evals.analysis.images.records import records
    from exaid_evals.artifacts.atomic import write_text
    from exaid_evals.artifacts.jsonl import write_jsonl

    failing = _checks(fail_on)
    settings = _settings(config, expect_mode)
    listing = list_images(folder)
    with Progress("audit-images", len(listing.images), unit="image") as progress:
        audit = audit_folder(
            folder, settings, output_dir, jobs=jobs, resume=resume, listing=listing, advance=progress.advance
        )
    write_jsonl(output_dir / _RECORDS, records(audit))
    write_text(output_dir / _SHEET, render(audit))
    counts = _show(audit)
    click.echo(f"wrote {shown(output_dir / _RECORDS)}")
    click.echo(f"wrote {shown(output_dir / _SHEET)}")
    failed = [name for name in failing if counts[name]]
    if failed:
        told = ", ".join(f"{counts[name]} {name}" for name in failed)
        click.echo(f"error: {told}; mend or remove them, or leave these checks out of --fail-on", err=True)
        return 1
    return _SOME_UNREAD if audit.unread else 0


def _checks(text: str | None) -> tuple[str, ...]:
    from exaid_evals.analysis.images.checks.registry import NAMES

    names = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        remedy = f"there are {', '.join(NAMES)}"
        raise ConfigError(f"no check {', '.join(map(repr, unknown))}", where="--fail-on", remedy=remedy)
    return names


def _settings(path: Path | None, expect_mode: str | None) -> AuditSettings:
    from exaid_evals.analysis.images.settings import AuditSettings
    from exaid_evals.config.base import load_config
    from exaid_evals.config.override import Override

    overrides = {} if expect_mode is None else {"expect_mode": Override(expect_mode, "--expect-mode")}
    return load_config(AuditSettings, path, overrides).value


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
    for path, reason in audit.unread[:10]:
        click.echo(f"warning: {printable(path)}: cannot be listed ({reason})", err=True)
    if len(audit.unread) > 10:
        click.echo(f"warning: {len(audit.unread) - 10} more folders cannot be listed", err=True)
    return counts
