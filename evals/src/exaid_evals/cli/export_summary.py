"""What `export` says on stdout: which runs it read, and what they amount to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from exaid_evals.cli.display import printable

if TYPE_CHECKING:
    from exaid_evals.export.aggregate import Aggregate, Ranked
    from exaid_evals.export.reading import Reading
    from exaid_evals.export.stage import Export
    from exaid_evals.runs.base import Run

_HEADLINE = ("accuracy", "kappa", "macro_f1")
_NAMED_AT_MOST = 10
_TIED_AT_MOST = 5


def what_was_read(reading: Reading) -> str:
    """Return how many runs were read, and their names."""
    n = len(reading.runs)
    more = n - _NAMED_AT_MOST
    names = ", ".join(printable(item.name) for item in reading.runs[:_NAMED_AT_MOST]) + (
        f" and {more} more" if more > 0 else ""
    )
    notes = [f"{reading.n_remembered} unchanged"] if reading.n_remembered else []
    notes += [f"{len(reading.failures)} could not be read"] if reading.failures else []
    return f"read {n} run{'' if n == 1 else 's'}: {names}" + (f" ({'; '.join(notes)})" if notes else "")


def what_it_amounts_to(export: Export) -> Iterator[str]:
    """Yield the metrics that a reader looks for first, and which runs are best and worst.

    Several cross-validations or models are told one by one: a mean over all of them is nobody's.
    """
    from exaid_evals.export.aggregate import aggregate_all, best_and_worst
    from exaid_evals.export.grouping import LEADERBOARDS, comparable

    groups = comparable(export.runs, export.by)
    if len(groups) == 1:
        yield from _headline(export.aggregated)
        yield from _ranking(export.runs, export.primary_metric, export.best, export.worst)
        return
    if all(run.format in LEADERBOARDS for run in export.runs):  # a model a row: there is nothing to take means over
        yield from _ranking(export.runs, export.primary_metric, export.best, export.worst)
        return
    for name, members in groups[:_NAMED_AT_MOST]:
        yield f"{printable(name)}: {len(members)} run{'' if len(members) == 1 else 's'}"
        ends = (
            best_and_worst(members, export.primary_metric, lower=bool(export.lower))
            if export.primary_metric
            else (None, None)
        )
        for line in (*_headline(aggregate_all(members)), *_ranking(members, export.primary_metric, *ends)):
            yield f"  {line}"
    more = len(groups) - _NAMED_AT_MOST
    if more > 0:
        yield f"and {more} further groups: exported_metrics.csv has every run"


def _headline(aggregated: Mapping[str, Aggregate]) -> Iterator[str]:
    for name in _HEADLINE:
        one = aggregated.get(name)
        if one is not None and one.mean is not None:
            spread = f" ± {one.std:.3f} (n = {one.n})" if one.n > 1 else ""
            yield f"{name:<9} {one.mean:.{3 if spread else 4}f}{spread}"


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
        return f"{printable(one.run)} ({one.value:.4f})"
    names = (one.run, *one.tied)
    more = f" and {len(names) - _TIED_AT_MOST} more" if len(names) > _TIED_AT_MOST else ""
    return f"{', '.join(map(printable, names[:_TIED_AT_MOST]))}{more} (tied at {one.value:.4f})"
