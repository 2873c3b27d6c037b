"""What runs differ in: seeds, folds, trials or anything; and which folds and trials belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exaid_evals.errors import ConfigError
from exaid_evals.export.aggregate import Aggregate, aggregate_all
from exaid_evals.export.base import ExportedRun, Source
from exaid_evals.export.readers.position import position_of
from exaid_evals.export.reading import run_names

SEED, FOLD, TRIAL, NONE = "seed", "fold", "trial", "none"
BY = (SEED, FOLD, TRIAL, NONE)


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that belong together.

    Attributes:
        name: of the folder that holds them.
        runs: in order of their fold, trial or name.
        aggregated: metric → aggregate over these runs.
    """

    name: str
    runs: tuple[ExportedRun, ...]
    aggregated: dict[str, Aggregate]


def resolve(by: str | None, runs: Sequence[ExportedRun]) -> str:
    """Return what the runs differ in: as asked for, else folds or trials where all runs are such, else seeds.

    Raises:
        ConfigError: the runs cannot be grouped as was asked for.
    """
    if by is None:
        if runs and all(run.fold is not None for run in runs):
            return FOLD
        return TRIAL if runs and all(run.trial is not None for run in runs) else SEED
    lacking = [run.name for run in runs if by in (FOLD, TRIAL) and getattr(run, by) is None]
    if lacking:
        raise ConfigError(
            f"{len(lacking)} of {len(runs)} runs are no {by}: {', '.join(lacking[:5])}",
            where="--group-by",
            remedy=f"name the {by}s alone (their folders are called {by}_0 and so on), or group by something else",
        )
    return by


def groups_of(runs: Sequence[ExportedRun], kind: str) -> list[Group]:
    """Return the cross-validations or searches among the runs, each with its folds or trials.

    Args:
        runs: of any kind; those without the kind's number are passed over.
        kind: `fold` or `trial`.
    """
    held: dict[tuple[str, str], list[ExportedRun]] = {}
    for run in runs:
        if getattr(run, kind) is not None:
            held.setdefault(holder_of(run), []).append(run)
    # Paths tell two groups of one name apart; names alone are written.
    places = [Source(Path(place or name or "runs")) for place, name in held]
    named = run_names(places)
    groups = [
        Group(name, tuple(sorted(members, key=lambda run: _place(run, kind))), aggregate_all(members))
        for name, members in zip(named, held.values(), strict=True)
    ]
    return sorted(groups, key=lambda group: group.name)


def holder_of(run: ExportedRun) -> tuple[str, str]:
    """Return the folder that holds a run's group, and the group's name."""
    name = run.group or ""
    if run.origin is None:
        return "", name
    if position_of(run.origin).group is None:
        return str(run.origin.parent), name
    up = (
        run.origin
        if position_of(run.origin.parent).group is None or run.origin.parent.name == name
        else run.origin.parent
    )
    return str(up.parent), name


def _place(run: ExportedRun, kind: str) -> tuple[bool, int, str, str]:
    value = str(getattr(run, kind))
    return not value.isdigit(), int(value) if value.isdigit() else 0, value, run.name
