"""What runs differ in: seeds, folds, trials or anything; and which folds and trials belong together."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.errors import ConfigError
from exaid_evals.export.aggregate import Aggregate, aggregate_all, grouped
from exaid_evals.export.reading import Failure
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.run_names import position_of, run_names

SEED, FOLD, TRIAL, NONE = "seed", "fold", "trial", "none"
BY = (SEED, FOLD, TRIAL, NONE)
LEADERBOARDS = ("model_reports",)
"""Formats whose runs are of different models: they should differ, and their mean is nobody's."""
_KEPT_APART = ("wandb_group", "mlflow_experiment")
"""Attributes by which people keep runs apart."""
_SETTINGS_NAMED = 3
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
    if by is not None and by not in BY:
        if not any(by in run.config or by in run.attributes for run in runs):
            known = sorted({key for run in runs for key in run.config})
            remedy = f"write seed, fold, trial, none, or a setting: {', '.join(known[:12]) or 'the runs have none'}"
            raise ConfigError(f"no run has a setting {by!r}", where="--group-by", remedy=remedy)
        return by
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
        kind: `fold` or `trial`. The folds of two models are two cross-validations; a search may try several models.
        failures: what cannot be read; a group of which nothing can be read is none. Nothing says of which model an
            unreadable fold is: it counts as failed for each model of its folder.
    """

    def parted(run: Run) -> tuple[tuple[str, str], tuple[str, ...]]:
        return holder_of(run), _identity(run) if kind == FOLD else ()

    held = grouped([run for run in runs if getattr(run, kind) is not None], parted)
    failed: dict[tuple[str, str], list[FailedMember]] = {}
    for failure in failures:
        position = position_of(failure.path)
        number = getattr(position, kind)
        if number is not None:
            holder = _holder(failure.path, position.group or "")
            failed.setdefault(holder, []).append(FailedMember(failure.run, str(number), failure.problem))
    # Paths tell two groups of one name apart; names alone are written.
    holders = Counter(holder for holder, _ in held)
    places = [Source(Path(place or name or "runs")) for place, name in holders]
    named = dict(zip(holders, run_names(places), strict=True))
    found = [
        (" ".join([named[holder], *filter(None, of if holders[holder] > 1 else ())]), members)
        for (holder, of), members in held.items()
    ]
    groups = [
        Group(
            name,
            tuple(sorted(members, key=lambda run: _place(run, kind))),
            aggregate_all(members),
            tuple(failed.get(holder, ())),
        )
        for (holder, _), (name, members) in zip(held, _distinct(found), strict=True)
    ]
    return sorted(groups, key=lambda group: group.name)


def _distinct(groups: Sequence[tuple[str, list[Run]]]) -> list[tuple[str, list[Run]]]:
    """Return groups of runs with names that differ: where some are alike, with the first run of each behind."""
    counts = Counter(name for name, _ in groups)
    return [(name if counts[name] == 1 else f"{name} ({runs[0].name} …)", runs) for name, runs in groups]


def held_together(runs: Iterable[Run]) -> dict[tuple[str, str] | None, list[Run]]:
    """Return the runs of each cross-validation or search; those of none belong together."""
    return grouped(runs, lambda run: holder_of(run) if run.group else None)


def comparable(runs: Sequence[Run], by: str) -> list[tuple[str, list[Run]]]:
    """Return the runs that may be summed up together, each group with its name: they differ in seed or fold alone.

    Runs of another model, cross-validation, W&B group or MLflow experiment are another group, and so are runs over
    seeds with another value of a setting that some of them share. A setting that is another in every run parts those
    that do not differ in their seed, if it is a number; else it may name the run, and is reported elsewhere.

    Args:
        runs: in order of their names.
        by: what they differ in; `none` and trials are one group, for there differing is the point. Any other word is
            the key of a setting or attribute, whose values part the runs.
    """
    if by in (NONE, TRIAL) or all(run.format in LEADERBOARDS for run in runs):
        return [("", list(runs))]

    def parted(run: Run) -> tuple[object, ...]:
        return holder_of(run) if run.group else None, *((_said(run, by),) if by not in BY else _identity(run))

    groups = grouped(runs, parted)
    if by == SEED:
        groups = {
            (*key, *of): members for key, all_of in groups.items() for of, members in _by_settings(all_of).items()
        }
    if len(groups) == 1:
        return [("", list(runs))]
    varying = [at for at in range(1, max(map(len, groups))) if len({key[at : at + 1] for key in groups}) > 1]
    found = []
    for key, members in groups.items():
        group = (members[0].group or "") if key[0] is not None else ""
        words = dict.fromkeys([group, *(str(key[at]) for at in varying if at < len(key))])
        found.append((" ".join(part for part in words if part) or "others", members))
    return _distinct(found)


def _identity(run: Run) -> tuple[str, ...]:
    """Return what a run is of, as its format or its tracker says."""
    return (model_of(run), *(str(run.attributes.get(key) or "") for key in _KEPT_APART))


def _said(run: Run, key: str) -> str:
    value = run.config.get(key, run.attributes.get(key))
    return f"{key} {compared(value)}" if value is not None else f"no {key}"


def _by_settings(runs: Sequence[Run]) -> dict[tuple[str, ...], list[Run]]:
    """Return the runs by the values of those settings of which several runs share one and others have another."""
    keys = sorted({key for run in runs for key in run.config if "seed" not in key.lower()})
    searched = searched_by(runs)
    differing = []
    for key in keys:
        values = [compared(run.config[key]) if key in run.config else "" for run in runs]
        if key in searched or 1 < len(set(values)) < len(values):
            differing.append(key)
    if not differing:
        return {(): list(runs)}

    def shown(run: Run) -> tuple[str, ...]:
        each = [f"{key} {compared(run.config[key])[:40]}" if key in run.config else f"no {key}" for key in differing]
        return ", ".join(each[:_SETTINGS_NAMED]), *each[_SETTINGS_NAMED:]

    return grouped(runs, shown)


def searched_by(runs: Sequence[Run]) -> set[str]:
    """Return the settings that are another number in every run of several with one seed, or none known: a search."""
    if len(runs) < 2 or len({(run.seed, run.fold) for run in runs}) > 1:
        return set()
    values = {key: [compared(run.config.get(key, "")) for run in runs] for key in runs[0].config}
    return {key for key, held in values.items() if len(set(held)) == len(runs) and all(map(_NUMBER.fullmatch, held))}


def of_one_model(runs: Sequence[Run]) -> list[list[Run]]:
    """Return the runs of each model where models are compared on purpose, else all of them together.

    One run of another model among several of one is no comparison: it may be there by mistake.
    """
    models = list(grouped(runs, model_of).values())
    sizes = {len(members) for members in models}
    return [list(runs)] if 1 in sizes and len(sizes) > 1 else models


def model_of(run: Run) -> str:
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
    return not value.isdecimal(), int(value) if value.isdecimal() else 0, value, run.name


_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def compared(value: Any) -> str:
    """Return the text by which a setting is held against that of another run; equal texts are equal settings.

    YAML reads `1e-4` as text and `1.0e-4` as a number, and a table turns 32 into 32.0: neither makes another run.

    >>> compared("1e-4") == compared(0.0001), compared(32) == compared(32.0), compared(1e-7) == compared(2e-7)
    (True, True, False)
    >>> compared("adam"), compared(True), compared([1e-8, "x"])
    ('adam', 'true', '[1e-08,x]')
    """
    if isinstance(value, str):
        text = value.strip()
        return compared(float(text)) if len(text) < 30 and _NUMBER.fullmatch(text) else value
    if isinstance(value, bool) or value is None:
        return canonical_json(value)
    if isinstance(value, int | float):
        whole = isinstance(value, int) or (math.isfinite(value) and value.is_integer())
        return str(int(value)) if whole else repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(compared, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{compared(value[key])}' for key in sorted(value))}}}"
    return str(value)
