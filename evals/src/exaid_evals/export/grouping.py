"""What runs differ in: seeds, folds, trials or anything; and which folds and trials belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exaid_evals.errors import ConfigError
from exaid_evals.export.aggregate import Aggregate, aggregate_all
from exaid_evals.export.reading import Failure
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.position import position_of
from exaid_evals.runs.run_names import run_names

SEED, FOLD, TRIAL, NONE = "seed", "fold", "trial", "none"
BY = (SEED, FOLD, TRIAL, NONE)
LEADERBOARDS = ("model_reports",)
"""Formats whose runs are of different models: they should differ, and their mean is nobody's."""
_MODEL_KEYS = ("model", "model_name", "model.name", "arch", "architecture", "backbone")


@dataclass(frozen=True, slots=True)
class FailedMember:
    """A fold or trial that cannot be read.

    Attributes:
        run: what it is called.
        number: of the fold, or the trial's id, as its folder says.
        problem: what is wrong and what to do.
    """

    run: str
    number: str
    problem: str


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that belong together.

    Attributes:
        name: of the folder that holds them.
        runs: in order of their fold, trial or name.
        aggregated: metric → aggregate over these runs.
        failed: those that cannot be read, in order of their names.
    """

    name: str
    runs: tuple[Run, ...]
    aggregated: dict[str, Aggregate]
    failed: tuple[FailedMember, ...] = ()

    @property
    def n_expected(self) -> int:
        """The number of members that were found, read or not."""
        return len(self.runs) + len(self.failed)


def resolve(by: str | None, runs: Sequence[Run]) -> str:
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
            f"{len(lacking)} of {len(runs)} runs have no {by}: {', '.join(lacking[:5])}",
            where="--group-by",
            remedy=f"name the {by}s alone (their folders are called {by}_0 and so on), or group by something else",
        )
    return by


def groups_of(runs: Sequence[Run], kind: str, failures: Sequence[Failure] = ()) -> list[Group]:
    """Return the cross-validations or searches among the runs, each with its folds or trials.

    Args:
        runs: of any kind; those without the kind's number are passed over.
        kind: `fold` or `trial`.
        failures: what cannot be read; a group of which nothing can be read is none.
    """
    held: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if getattr(run, kind) is not None:
            held.setdefault(holder_of(run), []).append(run)
    failed: dict[tuple[str, str], list[FailedMember]] = {}
    for failure in failures:
        position = position_of(failure.path)
        number = getattr(position, kind)
        if number is not None:
            holder = _holder(failure.path, position.group or "")
            failed.setdefault(holder, []).append(FailedMember(failure.run, str(number), failure.problem))
    # Paths tell two groups of one name apart; names alone are written.
    places = [Source(Path(place or name or "runs")) for place, name in held]
    named = run_names(places)
    groups = [
        Group(
            name,
            tuple(sorted(members, key=lambda run: _place(run, kind))),
            aggregate_all(members),
            tuple(failed.get(holder, ())),
        )
        for name, (holder, members) in zip(named, held.items(), strict=True)
    ]
    return sorted(groups, key=lambda group: group.name)


def held_together(runs: Iterable[Run]) -> dict[object, list[Run]]:
    """Return the runs of each cross-validation or search; those of none belong together."""
    groups: dict[object, list[Run]] = {}
    for run in runs:
        groups.setdefault(holder_of(run) if run.group else None, []).append(run)
    return groups


def comparable(runs: Sequence[Run], by: str) -> list[tuple[str, list[Run]]]:
    """Return the runs that may be summed up together, each group with its name: of one cross-validation and one model.

    Args:
        runs: in order of their names.
        by: what they differ in; `none` and trials are one group, for there differing is the point.
    """
    if by in (NONE, TRIAL):
        return [("", list(runs))]
    groups: dict[tuple[object, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((holder_of(run) if run.group else None, _model_of(run)), []).append(run)
    if len(groups) == 1:
        return [("", list(runs))]
    n_models = len({model for _, model in groups})
    found = []
    for (holder, model), members in groups.items():
        group = (members[0].group or "") if holder is not None else ""
        parts = [group, model if n_models > 1 and model != group else ""]
        found.append((" ".join(part for part in parts if part) or "others", members))
    names = [name for name, _ in found]
    return [(name if names.count(name) == 1 else f"{name} ({members[0].name} …)", members) for name, members in found]


def _model_of(run: Run) -> str:
    """Return what model a run is of, as its format or settings say; empty where neither does."""
    said = run.attributes.get("model", next((run.config[key] for key in _MODEL_KEYS if key in run.config), None))
    return said if isinstance(said, str) else ""


def holder_of(run: Run) -> tuple[str, str]:
    """Return the folder that holds a run's group, and the group's name."""
    name = run.group or ""
    return ("", name) if run.origin is None else _holder(run.origin, name)


def _holder(origin: Path, name: str) -> tuple[str, str]:
    if position_of(origin).group is None:
        return str(origin.parent), name
    up = origin if position_of(origin.parent).group is None or origin.parent.name == name else origin.parent
    return str(up.parent), name


def _place(run: Run, kind: str) -> tuple[bool, int, str, str]:
    value = str(getattr(run, kind))
    return not value.isdigit(), int(value) if value.isdigit() else 0, value, run.name
