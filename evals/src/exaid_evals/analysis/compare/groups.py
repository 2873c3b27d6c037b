"""Runs of one configuration, and what limits a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exaid_evals.analysis.compare.collect import Run, differing, is_seed, making, passed_over, setting_text
from exaid_evals.analysis.compare.final_means import ends_differ
from exaid_evals.analysis.report.sentences import counted
from exaid_evals.artifacts.redaction import first_few
from exaid_evals.errors import ConfigError
from exaid_evals.runs.files.summary import is_code_version
from exaid_evals.runs.history import IrregularityKind

SEED, NONE = "seed", "none"


@dataclass(frozen=True)
class Group:
    """Runs of one configuration.

    Attributes:
        name: of its run where it has one, else the settings by which it differs from other groups.
        runs: in order of their seeds, one a seed.
        settings: that its runs share and that say how they were made.
        repetition: run → its seed, or whatever tells repetitions apart; groups are paired by it.
    """

    name: str
    runs: tuple[Run, ...]
    settings: Mapping[str, Any]
    repetition: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grouping:
    """The groups, the settings in which they differ, and notes on the grouping."""

    groups: tuple[Group, ...]
    differing: tuple[str, ...]
    notes: tuple[str, ...]


def group_runs(runs: Sequence[Run], by: str = SEED) -> Grouping:
    """Return the runs in groups that differ in one key alone.

    A run that holds no such key stands alone: equal configurations without a seed may be one run that was logged twice.
    Of two runs of one configuration and one seed the first counts, the other stands alone, and a note names both.

    Args:
        runs: in the order in which they are listed.
        by: `seed`, `none`, or the dotted key of another setting (`fold`).

    Raises:
        ConfigError: no run has that key.
    """
    if by not in (SEED, NONE) and not any(by in run.settings for run in runs):
        keys = ", ".join(sorted({key for run in runs for key in run.settings})[:12]) or "none"
        raise ConfigError(f"no run has a setting {by!r}", where="--group-by", remedy=f"there are {keys}")
    notes: list[str] = []
    held: dict[str, dict[str, Run]] = {}
    for number, run in enumerate(runs):
        key = None if by == NONE else run.seed_at if by == SEED else by
        made = making(run.settings, key)
        if key is None or key not in run.settings:
            held[f"alone {number}"] = {"": run}
            continue
        # The source is part of it: a campaign's cases and a training's steps have no common mean.
        texts = [run.history.steps_are, *(f"{name}={setting_text(made, name)}" for name in made)]
        members = held.setdefault("\0".join(texts), {})
        value = _value(run, key)
        if value in members:
            notes.append(
                f"{members[value].name} and {run.name} have one configuration and one {by} ({value}): they are no "
                "independent runs, and the second stands alone"
            )
            held[f"alone {number}"] = {"": run}
        else:
            members[value] = run
    notes += [*_repeats(held, by), *_remarks(runs)]
    return _grouping(list(held.values()), by, notes)


def _value(run: Run, key: str) -> str:
    """Return what tells a run from its repetitions; of several seeds (of the data, of the weights) all."""
    others = sorted(other for other in run.settings if is_seed(other) and other != key) if is_seed(key) else []
    return ", ".join(setting_text(run.settings, one) for one in (key, *others))


def _remarks(runs: Sequence[Run]) -> list[str]:
    """State what sets runs apart or does not, though a user might think otherwise."""
    settings = [run.settings for run in runs]
    versions = [key for key in differing(settings) if is_code_version(key)]
    notes = []
    if versions:
        shown = first_few(versions, 12)
        notes.append(f"versions of the code differ ({shown}): runs of two versions are not repetitions")
    ignored = [key for key in passed_over(settings) if not is_code_version(key)]
    if ignored:
        notes.append(
            f"taken for what names, places or times a run, and for no setting, though runs differ in it: "
            f"{first_few(ignored, 12)} (--group-by KEY, or another name, makes it count)"
        )
    return notes


def _grouping(held: Sequence[Mapping[str, Run]], by: str, notes: Sequence[str]) -> Grouping:
    made = []
    for members in held:
        first = next(iter(members.values()))
        key = None if by == NONE else first.seed_at if by == SEED else by
        made.append(making(first.settings, key))
    keys = differing(made)
    groups, used = [], set()
    for members, settings in zip(held, made, strict=True):
        ordered = [members[value] for value in sorted(members, key=_in_order)]
        name = ordered[0].name if len(ordered) == 1 else _called(settings, keys, ordered)
        while name in used:
            name = f"{name} ({ordered[0].name})"
        used.add(name)
        repetition = {run.name: value for value, run in members.items() if value}
        groups.append(Group(name, tuple(ordered), settings, repetition))
    return Grouping(tuple(groups), tuple(keys), tuple(notes))


def _called(settings: Mapping[str, Any], keys: Sequence[str], runs: Sequence[Run]) -> str:
    """Return the settings that set a group apart, or its first run's name where that would be long."""
    text = " ".join(f"{key.rpartition('.')[2]}={setting_text(settings, key)}" for key in keys)
    return text if text and len(text) <= 60 else f"{runs[0].name} and {len(runs) - 1} more"


def _repeats(held: Mapping[str, Mapping[str, Run]], by: str) -> list[str]:
    """Name runs of one configuration that hold no seed, so that the user can say what they are."""
    alike: dict[str, list[str]] = {}
    for members in held.values():
        run = next(iter(members.values()))
        if by == SEED and run.seed_at is None and run.settings:
            made = making(run.settings)
            alike.setdefault("\0".join(f"{key}={setting_text(made, key)}" for key in made), []).append(run.name)
    return [
        f"{', '.join(names[:5])}{' …' if len(names) > 5 else ''}: one configuration and no seed in it; they are not "
        "taken for repetitions (log the seed, or say with --group-by which setting tells them apart)"
        for names in alike.values()
        if len(names) > 1
    ]


def _in_order(value: str) -> tuple[bool, float, str]:
    try:
        return False, float(value.partition(",")[0]), value
    except ValueError:
        return True, 0.0, value


MOST_WARNINGS = 20
_ODDITIES: dict[IrregularityKind, str] = {
    "unordered_step": "steps came out of order and are put in order",
    "repeated_step": "a step came more than once, and its last value counts",
    "not_a_number": "some values are text and no numbers, and are left out",
}


def limits_of_lengths(runs: Sequence[Run]) -> list[str]:
    """State in what the runs cannot be compared: length, and kind of steps."""
    notes = []
    kinds = {run.history.steps_are for run in runs}
    if len(kinds) > 1:
        notes.append("some runs have steps of a training, others cases of an evaluation: their levels are not alike")
    last = {run.name: run.history.last_step for run in runs if run.history.steps_are == "step"}
    known = {name: step for name, step in last.items() if step is not None}
    if known and ends_differ(list(known.values())):
        shortest, longest = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        notes.append(
            f"runs end at different steps, from {known[shortest]:g} ({shortest}) to {known[longest]:g} ({longest}): "
            "levels are those at each run's own end, histories are compared as far as both go"
        )
    return notes


def limits_of_logging(runs: Sequence[Run]) -> list[str]:
    """State what was odd about the logs: what was put in order or left out, metrics without numbers, warnings."""
    notes = []
    for kind, sentence in _ODDITIES.items():
        odd = [run.name for run in runs if any(one.kind == kind for one in run.history.irregularities)]
        if odd:
            notes.append(f"in {counted(len(odd), 'run')} {sentence}: {first_few(odd)}")
    metrics = sorted({metric for run in runs for metric in run.history.series})
    empty = [
        metric
        for metric in metrics
        if not any(len(run.history.series[metric].clean) for run in runs if metric in run.history.series)
    ]
    if empty:
        notes.append(f"no run has a finite number of {first_few(empty)}")
    warnings = [f"{run.name}: {line}" for run in runs for line in run.history.warnings]
    more = len(warnings) - MOST_WARNINGS
    return [*notes, *warnings[:MOST_WARNINGS], *([f"{more} further warnings of what was read"] if more > 0 else [])]
