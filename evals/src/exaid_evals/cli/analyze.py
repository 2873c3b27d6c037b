"""Diagnoses: `analyze` of one run of any experiment, `audit-images` of the images of a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.cli.display import SOME_FAILED, Progress, printable, shown, warn
from exaid_evals.cli.histories import (
    HistoryRequest,
    analysis_config_of,
    places_of,
    require_known,
    require_one_way,
    require_writable,
)
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import JobsRequest, argument, flag, names_of, option
from exaid_evals.errors import ConfigError

if TYPE_CHECKING:
    from exaid_evals.analysis.images.audit import Audit
    from exaid_evals.analysis.stage import Analysis


class AnalyzeRequest(HistoryRequest):
    """Which run is analysed."""

    path: str | None = argument("[RUN]", default=None)
    run_name: str | None = option("Name of the run, or the file or folder it lies in, in place of RUN.", metavar="NAME")
    image_dir: Path | None = option(
        "Folder of the images that the run's batches name; audited by itself where none does.",
        "--data-dir",
        path={"file_okay": False, "exists": True},
        variables=("EXAID_IMAGE_DIR",),  # EXAID_DATA_DIR is the campaign, here as everywhere
    )
    output_dir: Path = option(
        "Folder to write; the run gets a folder of its own in it.",
        default=Path("experiment_reports"),
        path={"file_okay": False},
    )

    def __post_init__(self) -> None:
        """Refuse no run, and two."""
        super().__post_init__()
        require_one_way(self, "path", "run_name")


def run_analyze(request: AnalyzeRequest) -> int:
    """Diagnose a run: what went wrong, when, and why.

    RUN is the file or folder that the run lies in, or its name. Reads its history wherever it was logged, finds
    anomalies, ranks the causes of the worst drop, and writes report.md, report.html, analysis_request.md and
    summary.json. Exit status: 0 done; 1 there is no such run, or it cannot be read; 2 wrong usage.
    """
    from exaid_evals.analysis.report.write import REPORT_HTML, REPORT_MD, REQUEST, SUMMARY, write_report
    from exaid_evals.analysis.stage import analyse
    from exaid_evals.artifacts.written import note_written
    from exaid_evals.runs.registry import find_run

    config = analysis_config_of(request)
    require_writable(request.output_dir)
    history = find_run(request.path or str(request.run_name), places_of(request.place), request.source)
    require_known(request.better, history.series)
    warn(history.warnings)
    analysis = analyse(history, config, request.image_dir)
    folder = write_report(analysis, request.output_dir)
    note_written(folder, "analyze", (folder / name for name in (REPORT_MD, REPORT_HTML, REQUEST, SUMMARY)))
    _show(analysis)
    click.echo(f"wrote {shown(folder / REPORT_HTML)}")
    return 0


analyze_command = verb("analyze", AnalyzeRequest, run_analyze)


def _show(analysis: Analysis) -> None:
    """Print the finding, the worst anomalies and the ranked causes."""
    from exaid_evals.analysis.report.sentences import believed, counted, key_finding, recommendation, sentence

    history = analysis.history
    click.echo(
        f"{printable(history.run_name)} ({history.source}): {counted(len(history.series), 'metric')}, "
        f"{counted(history.n_steps, history.steps_are)}, {len(history.batches)} batches"
    )
    click.echo(f"finding         {printable(key_finding(analysis))}")
    click.echo(f"recommendation  {recommendation(analysis)}")
    for one in analysis.incidents[:3]:
        click.echo(f"  {one.severity:<9} {printable(sentence(one))}")
    if len(analysis.incidents) > 3:
        click.echo(f"  and {counted(len(analysis.incidents) - 3, 'lesser incident')}")
    unknown = [one.metric for one in analysis.performance if one.direction is None and _is_metric(one.metric)]
    if unknown:
        click.echo(
            "note            whether higher is better is not known, so no drop is looked for; say so by "
            f"--better NAME=higher or NAME=lower: {printable(first_few(unknown, 5, ' …'))}"
        )
    if analysis.images is not None:
        bad = sum(bool(found) for found in analysis.images.findings)
        click.echo(f"images          {bad} of {len(analysis.images.images)} have something wrong; no batch names them")
    if analysis.diagnosis is not None:
        for hypothesis, share in zip(analysis.diagnosis.hypotheses, analysis.diagnosis.shares, strict=True):
            click.echo(f"  {believed(share):>8} {hypothesis.family}")
            for part in [part for part in hypothesis.evidence if part.weight > 0][:3] if share >= 0.05 else ():
                click.echo(f"           {part.weight:+.1f} {printable(part.text)}")


def _is_metric(name: str) -> bool:
    """Return whether a column may be a metric: no rate, no counter, no term that nobody minimises."""
    from exaid_evals.runs.metric_names import role_of_column

    return role_of_column(name) in ("metric", "unknown")


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


def run_audit(request: AuditRequest) -> int:
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
    from exaid_evals.artifacts.written import note_written
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
    note_written(output_dir, "audit-images", map(output_dir.joinpath, (_RECORDS, _SHEET)))
    counts = _show_audit(audit)
    click.echo(f"wrote {shown(output_dir / _RECORDS)}")
    click.echo(f"wrote {shown(output_dir / _SHEET)}")
    failed = [name for name in failing if counts[name]]
    if failed:
        found = ", ".join(f"{counts[name]} {name}" for name in failed)
        click.echo(f"error: {found}; mend or remove them, or leave these checks out of --fail-on", err=True)
        return 1
    return SOME_FAILED if audit.unread else 0


audit_images_command = verb("audit-images", AuditRequest, run_audit)


def _known_checks(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        remedy = f"there are {', '.join(known)}"
        raise ConfigError(f"no check {', '.join(map(repr, unknown))}", where="--fail-on", remedy=remedy)
    return names


def _show_audit(audit: Audit) -> Counter[str]:
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
