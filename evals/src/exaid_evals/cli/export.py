"""`export`: stage 04."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.options import campaign_of, data_dir_option, debug_option, dry_run_option, option
from exaid_evals.cli.progress import Progress
from exaid_evals.config.campaign import EXPORTED_AS
from exaid_evals.errors import ConfigError, DataError

if TYPE_CHECKING:
    from exaid_evals.export.reading import Reading
    from exaid_evals.runs.base import Settings

SOME_FAILED = 3
_LONG = 100


@click.command("export")
@option("--run", "runs", multiple=True, type=click.Path(path_type=Path), help="Folder of a finished run; repeatable.")
@option("--runs", "pattern", default=None, metavar="GLOB", help="Folders of finished runs, as a quoted pattern.")
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder to write.  [default: RUN/export for one --run, else DATA/exports]",
)
@option("--primary-metric", default=None, metavar="NAME", help="Metric that ranks the runs, such as V3.coverage.")
@option(
    "--better",
    type=click.Choice(["higher", "lower"]),
    default=None,
    help="Which way the primary metric improves, where its name does not say.",
)
@option(
    "--group-by",
    type=click.Choice(["seed", "fold", "trial", "none"]),
    default=None,
    help="What the runs differ in.  [default: fold or trial where all are such, else seed]",
)
@option("--mapping", type=click.Path(dir_okay=False, path_type=Path), default=None, help="YAML: where metrics lie.")
@option("--patterns", type=click.Path(dir_okay=False, path_type=Path), default=None, help="YAML: names of models.")
@option("--require-prompts", default=None, metavar="A,B", help="Only models with reports for all these prompts.")
@option(
    "--on-failure",
    type=click.Choice(["skip", "raise"]),
    default="skip",
    show_default=True,
    help="Export the others when a run cannot be read, or nothing.",
)
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="From which level on messages go to the terminal; the log file has all.",
)
@option("-j", "--jobs", type=click.IntRange(min=1), default=None, help="Processes at most.  [default: number of cores]")
@option("--force", is_flag=True, help="Read also runs that have not changed since the last export.")
@data_dir_option
@dry_run_option
@debug_option
def command(
    runs: tuple[Path, ...],
    pattern: str | None,
    out: Path | None,
    primary_metric: str | None,
    better: str | None,
    group_by: str | None,
    mapping: Path | None,
    patterns: Path | None,
    require_prompts: str | None,
    on_failure: str,
    log_level: str,
    jobs: int | None,
    force: bool,
    data_dir: Path | None,
    dry_run: bool,
) -> int:
    """Consolidate finished runs, of this pipeline or of others, into one set of tables.

    Without --run and --runs it exports the campaign itself. Writes exported_metrics (a row per run),
    aggregated_metrics, per_class_summary, cv_summary for folds, hpo_summary for trials, over_seeds for campaigns,
    each as CSV, Markdown and LaTeX, and exported_summary.json. Exit status: 0 done; 1 no run can be read; 2 wrong
    usage; 3 some runs cannot be read, and the others are exported.
    """
    from exaid_evals.runs.base import Settings

    campaign = campaign_of(data_dir)
    prompts = tuple(part.strip() for part in (require_prompts or "").split(",") if part.strip())
    itself = not runs and pattern is None
    settings = Settings(mapping=mapping, patterns=patterns, require_prompts=prompts)
    matched, obstacles = _matches(pattern, settings)
    folders = [campaign.root] if itself else [*runs, *matched]
    beside = len(folders) == 1 and not itself and pattern is None and out is None
    target = _beside(folders[0], settings) if beside else out or campaign.exports
    return run(
        folders,
        target.resolve(),
        names=[EXPORTED_AS] if itself else None,
        primary_metric=primary_metric,
        better=better,
        by=group_by,
        settings=settings,
        jobs=jobs or os.cpu_count() or 1,
        dry_run=dry_run,
        force=force,
        keep_going=on_failure == "skip",
        log_level=log_level,
        log_file=True,
        name_csv=beside,
        obstacles=obstacles,
    )


def run(
    folders: Sequence[Path],
    out: Path,
    *,
    names: Sequence[str] | None = None,
    primary_metric: str | None = None,
    better: str | None = None,
    by: str | None = None,
    settings: Settings | None = None,
    jobs: int = 1,
    dry_run: bool = False,
    force: bool = False,
    keep_going: bool = True,
    log_level: str = "info",
    log_file: bool = False,
    name_csv: bool = False,
    obstacles: Sequence[str] = (),
) -> int:
    """Run stage 04 and report it; return the exit status.

    Args:
        folders: finished runs.
        out: folder to write.
        names: what the runs are called; None takes what tells their paths apart.
        primary_metric: ranks the runs; None takes what their format proposes.
        better: which way the primary metric improves; None finds out.
        by: what the runs differ in; None finds out.
        settings: of the readers.
        jobs: processes at most.
        dry_run: read and check, and write nothing.
        force: read also what has not changed since the last export.
        keep_going: export the others when a run cannot be read.
        log_level: from which level on messages go to the terminal.
        log_file: write a log into the output folder.
        name_csv: say where the CSV lies.
        obstacles: what was passed over when the folders were looked for.
    """
    import logging

    from exaid_evals.cli.export_summary import what_it_amounts_to, what_was_read
    from exaid_evals.execution.local import without_cycle_search
    from exaid_evals.export.logs import logging_of
    from exaid_evals.export.stage import consolidate
    from exaid_evals.export.writers.write import write_export

    log = logging.getLogger("exaid_evals.export")
    with logging_of(log_level, out if log_file and not dry_run else None), without_cycle_search():
        for line in obstacles:
            log.warning("%s", line)
        reading, finish = _read(folders, out, names, settings, jobs=jobs, remember=not (force or dry_run))
        for failure in reading.failures:
            log.error("%s", failure.error)
        if reading.failures and not keep_going:
            raise DataError(
                f"{len(reading.failures)} runs cannot be read", remedy="mend them, or use --on-failure skip"
            )
        export = consolidate(
            reading.runs, primary_metric, by=by, better=better, failures=reading.failures, notes=reading.notes
        )
        for warning in export.warnings:
            log.warning("%s", warning)
        for line in (what_was_read(reading), *what_it_amounts_to(export)):
            click.echo(line)
        if dry_run:
            click.echo(f"would write {shown(out)}")
            return SOME_FAILED if reading.failures else 0
        from exaid_evals.runs.registry import formats

        table = write_export(export, out, formats(settings), reading.texts)
        finish()
        if table is not None:
            from exaid_evals.report.formats import plain

            click.echo(f"\n{plain.render(table)}")
        log.debug("wrote %s", out)
    click.echo(f"wrote {shown(out / 'exported_metrics.csv' if name_csv else out)}")
    return SOME_FAILED if reading.failures else 0


def _read(
    folders: Sequence[Path],
    out: Path,
    names: Sequence[str] | None,
    settings: Settings | None,
    *,
    jobs: int,
    remember: bool,
) -> tuple[Reading, Callable[[], None]]:
    """Read the runs; return them, and what writes down that they were read."""
    from exaid_evals.export.cache import Cache
    from exaid_evals.export.reading import read_runs
    from exaid_evals.runs.base import Settings
    from exaid_evals.runs.registry import formats

    settings = settings or Settings()
    cache = Cache(out, settings, [reader.name for reader in formats(settings)], remember=remember)
    if len(folders) < _LONG:
        return read_runs(folders, names, settings=settings, jobs=jobs, cache=cache), cache.write
    with Progress("read", len(folders)) as progress:
        reading = read_runs(folders, names, settings=settings, jobs=jobs, cache=cache, advance=progress.advance)
    return reading, cache.write


def _beside(folder: Path, settings: Settings) -> Path:
    """Return where a single run's export goes: into its own folder."""
    from exaid_evals.runs.registry import format_of, formats

    place = Path(os.path.realpath(folder))
    own = format_of(place, formats(settings)).own_folder
    return (place if place.is_dir() else place.parent) / own


def _matches(pattern: str | None, settings: Settings) -> tuple[list[Path], list[str]]:
    """Return the folders that a pattern matches, and what was passed over.

    Of nested folders those that hold others and are not runs themselves are none.
    """
    if pattern is None:
        return [], []
    from exaid_evals.export.finding import matching_folders
    from exaid_evals.runs.registry import formats

    found, obstacles = matching_folders(pattern)
    above = {folder.parent for folder in found}
    holding = {parent for folder in above for parent in (folder, *folder.parents)}.intersection(found)
    if holding:
        known = formats(settings)
        found = [folder for folder in found if folder not in holding or any(one.claims(folder) for one in known)]
    if not found:
        what = "".join(f"\n  - {line}" for line in obstacles)
        raise ConfigError(
            f"no folder matches {pattern!r}{what}", where="--runs", remedy="quote the pattern, and check it"
        )
    return found, obstacles
