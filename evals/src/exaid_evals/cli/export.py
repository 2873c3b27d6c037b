"""`export`: stage 04."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.cli.display import SOME_FAILED, Progress, printable, shown
from exaid_evals.cli.verb import report_store, verb
from exaid_evals.config.campaign import EXPORTED_AS
from exaid_evals.config.requests import ExportRequest
from exaid_evals.errors import ConfigError, DataError, UnknownFormatError

if TYPE_CHECKING:
    import logging

    from exaid_evals.export.aggregate import Aggregate, Ranked
    from exaid_evals.export.reading import Reading
    from exaid_evals.export.stage import Export
    from exaid_evals.runs.base import Run, Settings

_HEADLINE = ("accuracy", "kappa", "macro_f1")
_NAMED_AT_MOST = 10
_TIED_AT_MOST = 5


def what_was_read(reading: Reading) -> str:
    """Return how many runs were read, and their names."""
    n = len(reading.runs)
    names = first_few([item.name for item in reading.runs], _NAMED_AT_MOST)
    notes = [f"{reading.n_remembered} unchanged"] if reading.n_remembered else []
    notes += [f"{len(reading.failures)} could not be read"] if reading.failures else []
    return f"read {n} run{'' if n == 1 else 's'}: {names}" + (f" ({'; '.join(notes)})" if notes else "")


def what_it_amounts_to(export: Export) -> Iterator[str]:
    """Yield the metrics that a reader looks for first, and which runs are best and worst.

    Several cross-validations or models are reported one by one: a mean over all of them is nobody's.
    """
    from exaid_evals.export.aggregate import aggregate_all, best_and_worst
    from exaid_evals.export.grouping import LEADERBOARDS

    groups = [(group.name, list(group.runs)) for group in export.groups]
    # A campaign has its tables: one of its measures says nothing.
    primary = None if any(run.format == "campaign" for run in export.runs) else export.primary_metric
    if len(groups) == 1:
        if export.is_of_like_runs:
            yield from _headline(export.aggregated, primary)
        yield from _ranking(export.runs, export.primary_metric, export.best, export.worst)
        return
    # A model or a setting a row: there is nothing to take means over.
    if all(run.format in LEADERBOARDS for run in export.runs) or all(len(members) == 1 for _, members in groups):
        yield from _ranking(export.runs, export.primary_metric, export.best, export.worst)
        return
    for name, members in groups[:_NAMED_AT_MOST]:
        yield f"{name}: {len(members)} run{'' if len(members) == 1 else 's'}"
        ends = (
            best_and_worst(members, export.primary_metric, lower=export.lower)
            if export.primary_metric and export.lower is not None
            else (None, None)
        )
        for line in (*_headline(aggregate_all(members), primary), *_ranking(members, export.primary_metric, *ends)):
            yield f"  {line}"
    more = len(groups) - _NAMED_AT_MOST
    if more > 0:
        yield f"and {more} further groups: exported_metrics.csv has every run"


def _headline(aggregated: Mapping[str, Aggregate], primary: str | None) -> Iterator[str]:
    """Yield the usual metrics; of runs that have none of them the one that ranks such runs."""
    known = [name for name in _HEADLINE if name in aggregated and not _is_of_training(name, primary)]
    known = known or ([primary] if primary else [])
    for name in known:
        one = aggregated.get(name)
        if one is not None and one.mean is not None:
            spread = f" ± {_decimals(one.std or 0.0, 3)} (n = {one.n})" if one.n > 1 else ""
            yield f"{name:<9} {_decimals(one.mean, 3 if spread else 4)}{spread}"


def _is_of_training(name: str, primary: str | None) -> bool:
    """Return whether the runs are ranked by the same metric on validation data, which this one is not of."""
    from exaid_evals.runs.metric_names import is_validation, metric_named

    same = primary is not None and metric_named(primary) is metric_named(name)
    return primary is not None and same and is_validation(primary) and not is_validation(name)


def _decimals(value: float, n: int) -> str:
    """Return a number with so many decimals, or three digits where these would be zeros."""
    return f"{value:.{n}f}" if value == 0 or abs(value) >= 10**-n else f"{value:.3g}"


def _ranking(runs: Sequence[Run], metric: str | None, best: Ranked | None, worst: Ranked | None) -> Iterator[str]:
    if best is None or len(runs) < 2:
        return
    if worst is not None:
        yield f"{metric}: best {_named(best)}, worst {_named(worst)}"
    elif best.tied:
        yield f"{metric}: neither best nor worst, {_named(best)}"
    else:
        yield f"{metric}: {_named(best)} alone has it"


def _named(one: Ranked) -> str:
    if not one.tied:
        return f"{one.run} ({_decimals(one.value, 4)})"
    return f"{first_few((one.run, *one.tied), _TIED_AT_MOST)} (tied at {_decimals(one.value, 4)})"


_LONG = 100


def run(request: ExportRequest) -> int:
    """Consolidate finished runs, of this pipeline or of others, into one set of tables.

    Without --run and --runs it exports the campaign itself. Writes exported_metrics (a row per run),
    aggregated_metrics, per_class_summary, cv_summary for folds, hpo_summary for trials, over_seeds for campaigns,
    each as CSV, Markdown and LaTeX, and exported_summary.json. Exit status: 0 done; 1 no run can be read; 2 wrong
    usage; 3 some runs cannot be read, and the others are exported.
    """
    try:
        return _run(request)
    except DataError:
        for place in request.runs:
            _show_items(place)
        raise


def _show_items(place: Path) -> None:
    """State where a place holds answers item by item, which are compared and not exported."""
    from exaid_evals.item_scores.registry import tool_of

    with contextlib.suppress(DataError):
        if tool := tool_of(place):
            what = f"{shown(place)}: has the items of {tool}, each with its scores"
            click.echo(f"note: {what}: `exaid-evals compare-logs A B` compares two such logs", err=True)


def _run(request: ExportRequest) -> int:
    import logging

    from exaid_evals.artifacts.atomic import writing
    from exaid_evals.execution.local import without_cycle_search
    from exaid_evals.export.stage import consolidate
    from exaid_evals.export.write import logging_of
    from exaid_evals.runs.base import Settings

    if request.draft_mapping:
        return _draft(request)
    log = logging.getLogger("exaid_evals.export")
    settings = Settings(request.mapping, request.patterns, request.require_prompts, request.metric_value)
    matched, obstacles = _matches(request.pattern, settings)
    itself = not request.runs and request.pattern is None
    folders = [request.campaign.root] if itself else [*request.runs, *matched]
    beside = len(request.runs) == 1 and request.pattern is None and request.out is None
    out = (_beside(folders[0], settings) if beside else request.out or request.campaign.exports).resolve()
    log_folder = out if request.log_file and not request.dry_run else None
    lock = contextlib.nullcontext() if request.dry_run else writing(out)
    with lock, logging_of(request.log_level, log_folder), without_cycle_search():
        for line in obstacles:
            log.warning("%s", line)
        reading, finish = _read(folders, out, [EXPORTED_AS] if itself else None, settings, request)
        _report_failures(reading, log, request)
        export = consolidate(
            reading.runs,
            request.primary_metric,
            by=request.group_by,
            better=request.better,
            failures=reading.failures,
            notes=reading.notes,
        )
        for warning in export.warnings:
            log.warning("%s", warning)
        for line in (what_was_read(reading), *what_it_amounts_to(export)):
            click.echo(printable(line))
        if request.dry_run:
            click.echo(f"would write {shown(out)}")
        else:
            _write(export, reading, out, settings, request, finish)
            log.debug("wrote %s", out)
    if not request.dry_run:
        _print_place(out, folders[0] if beside else None, reading)
    return SOME_FAILED if reading.failures else 0


def _print_place(out: Path, place: Path | None, reading: Reading) -> None:
    """Show where the export is; the main table of a lone run goes into its folder itself, where its readers look.

    Args:
        out: the folder of the export.
        place: what was named, where it is the only one and the export goes beside it.
        reading: what was read there.
    """
    from exaid_evals.artifacts.atomic import write_bytes
    from exaid_evals.export.tables import RUNS_CSV

    if place is not None and len(reading.runs) == 1 and place.is_dir() and reading.runs[0].format != "campaign":
        beside = place.resolve() / RUNS_CSV
        write_bytes(beside, (out / RUNS_CSV).read_bytes())
        click.echo(f"wrote {shown(beside)}, and all else into {shown(out)}")
    else:
        click.echo(f"wrote {shown(out if place is None else out / RUNS_CSV)}")


def _report_failures(reading: Reading, log: logging.Logger, request: ExportRequest) -> None:
    for failure in reading.failures:
        log.error("%s", failure.error)
    if reading.failures and request.on_failure == "raise":
        raise DataError(f"{len(reading.failures)} runs cannot be read", remedy="mend them, or use --on-failure skip")


def _write(
    export: Export, reading: Reading, out: Path, settings: Settings, request: ExportRequest, finish: Callable[[], None]
) -> None:
    """Write the tables, note down what was read, and show the table of a comparison where there is one."""
    from exaid_evals.export.write import write_export
    from exaid_evals.runs.registry import FORMATS

    asked = {one.format for one in export.runs}.union(FORMATS.others())
    readers = [FORMATS.build(name, settings) for name in FORMATS.names() if name in asked]
    table = write_export(export, out, readers, reading.texts)
    finish()
    if request.parquet:
        _write_parquet(reading, out / "parquet", settings)
    if table is not None:
        from exaid_evals.report.formats import plain

        click.echo(f"\n{plain.render(table)}")


def _write_parquet(reading: Reading, folder: Path, settings: Settings) -> None:
    """Write what a lone campaign or the runs hold, and remove what an earlier export wrote and this one does not.

    Only names that an export gives are removed: other files are the user's.
    """
    from exaid_evals.api import campaign, runs
    from exaid_evals.api.campaign import open_campaign
    from exaid_evals.api.runs import Runs

    [first, *others] = reading.runs
    alone = first.format == "campaign" and not others and first.origin
    written = open_campaign(alone).to_parquet(folder) if alone else Runs(reading, settings).to_parquet(folder)
    ours = {folder / f"{name}.parquet" for name in (*campaign.FRAMES, *runs.FRAMES)}
    for path in ours - set(written):
        path.unlink(missing_ok=True)


command = verb("export", ExportRequest, run)


def _draft(request: ExportRequest) -> int:
    """Print a draft of a mapping for the place that is named."""
    from exaid_evals.runs.formats.mapping import draft_mapping

    if len(request.runs) != 1 or request.pattern is not None:
        raise ConfigError("drafts a mapping for one place", where="--draft-mapping", remedy="name it with --run")
    [place] = request.runs
    if not place.exists():
        raise DataError("no such file or folder", where=str(place), remedy="name what your runs lie in")
    draft = draft_mapping(place)
    if draft is None:
        remedy = "a mapping reads JSON, YAML, CSV and JSON Lines"
        raise DataError("holds no number that a mapping could read", where=str(place), remedy=remedy)
    click.echo(draft.text(shown(place)), nl=False)
    return 0


def _read(
    folders: Sequence[Path], out: Path, names: Sequence[str] | None, settings: Settings, request: ExportRequest
) -> tuple[Reading, Callable[[], None]]:
    """Read the runs; return them, and what writes down that they were read."""
    from exaid_evals.export.cache import Cache
    from exaid_evals.export.reading import read_runs
    from exaid_evals.runs.registry import FORMATS

    jobs = request.jobs or os.cpu_count() or 1
    cache = Cache(out, settings, FORMATS.names(), remember=not (request.force or request.dry_run))
    shown_progress = Progress("read", len(folders)) if len(folders) >= _LONG else contextlib.nullcontext()
    with shown_progress as progress:
        reading = read_runs(
            folders,
            names,
            settings=settings,
            jobs=jobs,
            cluster=request.cluster,
            cache=cache,
            advance=progress.advance if progress else lambda: None,
        )
    return reading, cache.write


def _beside(folder: Path, settings: Settings) -> Path:
    """Return where a single run's export goes: into its own folder."""
    from exaid_evals.runs.base import Format
    from exaid_evals.runs.places import places_below
    from exaid_evals.runs.registry import format_of, formats

    place, known = Path(os.path.realpath(folder)), formats(settings)
    try:
        own = format_of(place, known).own_folder
    except UnknownFormatError:
        if not place.is_dir() or not places_below(place, known):
            raise
        own = Format.own_folder  # the runs lie below it
    return (place if place.is_dir() else place.parent) / own


def _matches(pattern: str | None, settings: Settings) -> tuple[list[Path], list[str]]:
    """Return the folders that a pattern matches, or else the files, and what was passed over.

    Of nested folders those that hold others and are not runs themselves are none.
    """
    if pattern is None:
        return [], []
    from exaid_evals.artifacts.object_store import fetched
    from exaid_evals.export.finding import matching_folders
    from exaid_evals.runs.registry import formats

    pattern = fetched(pattern, report_store)
    found, obstacles = matching_folders(pattern)
    above = {folder.parent for folder in found}
    holding = {parent for folder in above for parent in (folder, *folder.parents)}.intersection(found)
    if holding:
        known = formats(settings)
        found = [folder for folder in found if folder not in holding or any(one.claims(folder) for one in known)]
    if not found:
        whole = os.path.expanduser(pattern)  # noqa: PTH111 - a pattern
        found = [path for path in map(Path, sorted(glob(whole, recursive=True))) if path.is_file()]  # noqa: PTH207
    if not found:
        what = "".join(f"\n  - {line}" for line in obstacles)
        raise ConfigError(
            f"no folder and no file matches {pattern!r}{what}",
            where="--runs",
            remedy="quote the pattern, and check it",
        )
    return found, obstacles
