"""`analyze`: one run of any experiment, what went wrong in it, when and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable, shown
from exaid_evals.cli.histories import (
    analysis_config_of,
    analysis_config_option,
    better_option,
    from_option,
    history_source_option,
    output_dir_option,
    places_of,
    primary_metric_option,
    require_writable,
    warn,
)
from exaid_evals.cli.options import debug_option, option

if TYPE_CHECKING:
    from exaid_evals.analysis.stage import Analysis


@click.command("analyze")
@option("--run-name", required=True, metavar="NAME", help="Name of the run, or the file or folder it lies in.")
@history_source_option
@from_option
@option(
    "--data-dir",
    "image_dir",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=None,
    envvar="EXAID_IMAGE_DIR",  # EXAID_DATA_DIR is the campaign, here as everywhere
    help="Folder of the images that the run's batches name.",
)
@output_dir_option("experiment_reports", "Folder to write; the run gets a folder of its own in it.")
@primary_metric_option()
@better_option
@analysis_config_option
@debug_option
def command(
    run_name: str,
    source: str | None,
    place: Path | None,
    image_dir: Path | None,
    output_dir: Path,
    primary_metric: str | None,
    better: str | None,
    analysis_config: Path | None,
) -> int:
    """Say what went wrong in a run, when, and why.

    Reads the run's history wherever it was logged, finds anomalies, ranks the causes of the worst drop, and writes
    report.md, report.html, analysis_request.md and summary.json. Exit status: 0 done; 1 there is no such run, or it
    cannot be read; 2 wrong usage.
    """
    from exaid_evals.analysis.report.write import REPORT_HTML, write_report
    from exaid_evals.analysis.stage import analyse
    from exaid_evals.runs.registry import find_run

    config = analysis_config_of(analysis_config, primary_metric, better)
    require_writable(output_dir)
    history = find_run(run_name, places_of(place), source)
    warn(history.warnings)
    analysis = analyse(history, config, image_dir)
    folder = write_report(analysis, output_dir)
    _show(analysis)
    click.echo(f"wrote {shown(folder / REPORT_HTML)}")
    return 0


def _show(analysis: Analysis) -> None:
    """Print the finding, the worst anomalies and the ranked causes."""
    from exaid_evals.analysis.report.sentences import believed, described, key_finding, recommendation

    history = analysis.history
    steps = max((len(one.points) for one in history.series.values()), default=0)
    click.echo(
        f"{printable(history.run_name)} ({history.source}): {len(history.series)} metrics, {steps} "
        f"{history.steps_are}s, {len(history.batches)} batches"
    )
    click.echo(f"finding         {printable(key_finding(analysis))}")
    click.echo(f"recommendation  {recommendation(analysis)}")
    worst = [one for one in analysis.anomalies if one.severity in ("high", "critical")]
    for one in worst[:5]:
        click.echo(f"  {one.severity:<9} {printable(described(one))}")
    if len(worst) > 5:
        click.echo(f"  and {len(worst) - 5} more of these, {len(analysis.anomalies) - len(worst)} lesser ones")
    if analysis.diagnosis is not None:
        for hypothesis, share in zip(analysis.diagnosis.hypotheses, analysis.diagnosis.shares, strict=True):
            click.echo(f"  {believed(share):>8} {hypothesis.family}")
            for part in [part for part in hypothesis.evidence if part.weight > 0][:3] if share >= 0.05 else ():
                click.echo(f"           {part.weight:+.1f} {printable(part.text)}")
