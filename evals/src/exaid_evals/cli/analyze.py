"""`analyze`: one run of any experiment, what went wrong in it, when and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.cli.display import printable, shown, warn
from exaid_evals.cli.histories import (
    HistoryRequest,
    analysis_config_of,
    places_of,
    require_known,
    require_one_way,
    require_writable,
)
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import argument, option

if TYPE_CHECKING:
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


def run(request: AnalyzeRequest) -> int:
    """Diagnose a run: what went wrong, when, and why.

    RUN is the file or folder that the run lies in, or its name. Reads its history wherever it was logged, finds
    anomalies, ranks the causes of the worst drop, and writes report.md, report.html, analysis_request.md and
    summary.json. Exit status: 0 done; 1 there is no such run, or it cannot be read; 2 wrong usage.
    """
    from exaid_evals.analysis.report.write import REPORT_HTML, write_report
    from exaid_evals.analysis.stage import analyse
    from exaid_evals.runs.registry import find_run

    config = analysis_config_of(request)
    require_writable(request.output_dir)
    history = find_run(request.path or str(request.run_name), places_of(request.place), request.source)
    require_known(request.better, history.series)
    warn(history.warnings)
    analysis = analyse(history, config, request.image_dir)
    folder = write_report(analysis, request.output_dir)
    _show(analysis)
    click.echo(f"wrote {shown(folder / REPORT_HTML)}")
    return 0


command = verb("analyze", AnalyzeRequest, run)


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
