"""`export`: stage 04."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import click

from exaid_evals.cli.options import campaign_of, data_dir_option, debug_option, dry_run_option, option
from exaid_evals.cli.showing import shown
from exaid_evals.errors import ConfigError

# A campaign that exports itself has a name that does not depend on where it lies: its bytes must not either.
ITSELF = "campaign"


@click.command("export")
@option("--run", "runs", multiple=True, type=click.Path(path_type=Path), help="Folder of a finished run; repeatable.")
@option("--runs", "pattern", default=None, metavar="GLOB", help="Folders of finished runs, as a pattern.")
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder to write.  [default: DATA/exports]",
)
@option("--primary-metric", default=None, metavar="NAME", help="Metric that ranks the runs, such as V3.coverage.")
@data_dir_option
@dry_run_option
@debug_option
def command(
    runs: tuple[Path, ...],
    pattern: str | None,
    out: Path | None,
    primary_metric: str | None,
    data_dir: Path | None,
    dry_run: bool,
) -> int:
    """Consolidate finished runs (over seeds, say) into one set of tables.

    Without --run it exports the campaign itself. Writes exported_metrics.csv (a row per run),
    exported_summary.json, and variants_over_runs as CSV, Markdown and LaTeX.
    """
    campaign = campaign_of(data_dir)
    target = (out or campaign.exports).resolve()
    if not runs and pattern is None:
        return run([campaign.root], target, names=[ITSELF], primary_metric=primary_metric, dry_run=dry_run)
    return run([*runs, *_matches(pattern)], target, primary_metric=primary_metric, dry_run=dry_run)


def run(
    folders: Sequence[Path],
    out: Path,
    *,
    names: Sequence[str] | None = None,
    primary_metric: str | None = None,
    dry_run: bool = False,
) -> int:
    """Run stage 04 and report it; return the exit status.

    Args:
        folders: finished runs.
        out: folder to write.
        names: what the runs are called; None takes what tells their paths apart.
        primary_metric: ranks the runs; None takes what their format proposes.
        dry_run: read and check, and write nothing.
    """
    from exaid_evals.export.stage import consolidate, read_runs
    from exaid_evals.export.writers.write import write_export
    from exaid_evals.report.formats import plain

    runs = read_runs(folders, names)
    export = consolidate(runs, primary_metric)
    click.echo(f"read {len(runs)} run{'' if len(runs) == 1 else 's'}: {', '.join(item.name for item in runs)}")
    for warning in export.warnings:
        click.echo(f"warning: {warning}", err=True)
    if export.best and export.worst and len(runs) > 1:
        click.echo(f"{export.primary_metric}: best {export.best.run} ({export.best.value:.4f}), ", nl=False)
        click.echo(f"worst {export.worst.run} ({export.worst.value:.4f})")
    if dry_run:
        click.echo(f"would write {shown(out)}")
        return 0
    table = write_export(export, out)
    if table is not None and len(runs) > 1:
        click.echo(f"\n{plain.render(table)}")
    click.echo(f"wrote {shown(out)}")
    return 0


def _matches(pattern: str | None) -> list[Path]:
    if pattern is None:
        return []
    found = sorted(Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207 - may be absolute
    folders = [path for path in found if path.is_dir()]
    if not folders:
        raise ConfigError(f"no folder matches {pattern!r}", where="--runs", remedy="quote the pattern, and check it")
    return folders
