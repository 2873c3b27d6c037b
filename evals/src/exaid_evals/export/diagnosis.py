"""What is wrong with runs, or between them. Each line says what it is, of which runs, and what to look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.errors import ConfigError
from exaid_evals.export.aggregate import Aggregate, aggregate_all, grouped
from exaid_evals.export.grouping import (
    FOLD,
    LEADERBOARDS,
    NONE,
    SEED,
    Group,
    comparable,
    compared,
    held_together,
    of_one_model,
    searched_by,
)
from exaid_evals.runs.base import Predictions, Run
from exaid_evals.runs.metric_names import direction_of_name

WIDE_STD = 0.1
LOW_ACCURACY = 0.1
Z_ONE_SIDED = 1.645
"""What guesses exceed by luck in one validation set of twenty."""
_NAMED_AT_MOST = 5
_VALUES_AT_MOST = 4


def diagnose(
    runs: Sequence[Run], aggregated: Mapping[str, Aggregate], by: str, folds: Sequence[Group] = ()
) -> list[str]:
    """Return the warnings about runs and between them.

    Args:
        runs: in order of their names.
        aggregated: metric → aggregate over the runs.
        by: what the runs differ in; `none` compares nothing between runs but their making.
        folds: the cross-validations among them.
    """
    each = [line for run in runs for line in (*run.warnings, *_of_run(run))]
    each += [line for group in folds for line in _incomplete(group)]
    each += _overflows(aggregated)
    if by == NONE:
        return [*each, *_same_predictions(runs), *_comparability(runs, by)]
    between: list[str] = []
    # Rows of a leaderboard are different models: they should differ, and their mean is nobody's.
    samples = [run for run in runs if run.format not in LEADERBOARDS]
    if by in (SEED, FOLD):
        groups = held_together(samples)
        between += _pooled(groups)
        for members in groups.values():
            for alike in of_one_model(members):
                between += _drift(alike, by)
        for name, members in comparable(samples, by):
            whole = aggregated if len(members) == len(runs) else aggregate_all(members)
            between += [f"{name}: {line}" if name else line for line in _wide(whole)]
    if by == SEED:
        between += _same_seeds(samples) + _other_items(samples)
    elif by == FOLD:
        between += _same_items(samples)
    return [*each, *between, *_same_predictions(runs), *_git(runs), *_comparability(runs, by)]


def _overflows(aggregated: Mapping[str, Aggregate]) -> list[str]:
    names = [name for name, one in aggregated.items() if one.overflows]
    if not names:
        return []
    n = len(names)
    return [f"mean or spread of {n} metric{'s' * (n > 1)} overflows and is undefined: {', '.join(names[:5])}"]


def _of_run(run: Run) -> list[str]:
    found = []
    accuracy = run.metrics.get("accuracy")
    if accuracy is not None and run.predictions is not None:
        n_classes = sum(count > 0 for count in run.predictions.support.values())
        if accuracy < LOW_ACCURACY:
            found.append(f"accuracy is {accuracy:.1%}, under 10 %: look at the labels' order and the learning rate")
        if n_classes > 1:
            chance = 1 / n_classes
            margin = Z_ONE_SIDED * math.sqrt(chance * (1 - chance) / run.predictions.n)
            if accuracy <= chance + margin and accuracy >= LOW_ACCURACY:
                found.append(
                    f"accuracy is {accuracy:.1%}, at chance for {n_classes} classes ({chance:.1%} ± {margin:.1%}): "
                    "look whether training learnt anything"
                )
    elif accuracy is not None and accuracy < LOW_ACCURACY:
        found.append(f"accuracy is {accuracy:.1%}, under 10 %: look at how it was measured")
    training = run.training
    if training is not None:
        if training.divergence:
            found.append(f"training diverged: {training.divergence}; look at the learning rate and at the history")
        expected = training.expected_epochs
        if expected is not None and training.n_epochs < expected and not training.may_stop_early:
            found.append(
                f"the history ends after {training.n_epochs} of {expected} epochs, and nothing is configured to stop "
                "early: look whether training was cut off"
            )
    return [f"{run.name}: {line}" for line in found]


def _incomplete(group: Group) -> list[str]:
    """State which folds of a cross-validation are not among those that were read."""
    lines = []
    if group.failed:
        named = ", ".join(f"{one.run} (fold {one.number})" for one in group.failed[:_NAMED_AT_MOST])
        lines.append(
            f"{group.name}: {len(group.failed)} of {group.n_expected} folds cannot be read: {named}: its means are "
            "over the others alone; look at failed_runs"
        )
    known = {run.fold for run in group.runs if run.fold is not None} | {int(one.number) for one in group.failed}
    absent = [str(number) for number in range(min(known), max(known)) if number not in known]
    if absent:
        lines.append(
            f"{group.name}: there is no fold {first_few(absent, _NAMED_AT_MOST, ' …')} "
            f"between {min(known)} and {max(known)}: look whether it was trained, or left out"
        )
    return lines


def _pooled(groups: Mapping[Any, Sequence[Run]]) -> list[str]:
    if len(groups) < 2:
        return []
    named = [f"{members[0].group or 'no group'} ({len(members)} runs)" for members in groups.values()]
    return [
        f"the best run is chosen over {len(named)} groups together: {first_few(named, _NAMED_AT_MOST)}: it "
        "says nothing of any one of them; means are taken over each"
    ]


def _drift(runs: Sequence[Run], by: str) -> list[str]:
    """State which settings differ among runs that should be alike but for their seed or fold."""
    configured = [run for run in runs if run.config]
    keys = sorted({key for run in configured for key in run.config} - (searched_by(runs) if by == SEED else set()))
    where = "each summary.json" if all(run.format == "training_run" for run in configured) else "their settings"
    lines = []
    for key in keys:
        if _all_alike([run.config.get(key) for run in configured]):
            continue
        held = {run.name: compared(run.config[key]) if key in run.config else "absent" for run in configured}
        groups = grouped(configured, lambda run, held=held: held[run.name])  # type: ignore[misc]
        if len(groups) > 1 and not _is_planned(list(groups.values())):
            lines.append(
                f"configuration drift: {key} is {_listed(groups)}: runs that should differ in {by} alone differ in "
                f"it; look at {where}"
            )
    return lines


def _is_planned(groups: Sequence[Sequence[Run]]) -> bool:
    """Return whether each value of a setting was tried with the same seeds and folds, several of them."""
    tried = [sorted(f"{run.seed} {run.fold}" for run in members if run.seed is not None) for members in groups]
    whole = all(len(one) == len(members) for one, members in zip(tried, groups, strict=True))
    return whole and len(tried[0]) > 1 and all(one == tried[0] for one in tried)


def _all_alike(values: Sequence[object]) -> bool:
    """Return whether all have one text or number, fast for thousands of runs; anything else they have gives no."""
    first = values[0]
    kind = type(first)
    return kind in (str, int, float) and all(type(value) is kind and value == first for value in values)


def _wide(aggregated: Mapping[str, Aggregate]) -> list[str]:
    return [
        f"σ of {name} is {aggregate.std:.3f}, over {WIDE_STD}: look at the runs at {aggregate.min:.3f} and "
        f"{aggregate.max:.3f}; the mean says little"
        for name, aggregate in aggregated.items()
        if aggregate.std is not None and aggregate.std > WIDE_STD and _is_share(name, aggregate)
    ]


def _is_share(name: str, aggregate: Aggregate) -> bool:
    """Return whether a metric lies between -1 and 1 by its nature; a spread of 0.1 milliseconds is no news."""
    within = aggregate.min is not None and aggregate.max is not None and aggregate.min >= -1 and aggregate.max <= 1
    return within and direction_of_name(name) == HIGHER


def _same_seeds(runs: Sequence[Run]) -> list[str]:
    seeded = [run for run in runs if run.seed is not None]
    # A search has one seed for all settings, and a copy the settings of its original.
    groups = grouped(seeded, lambda run: (run.seed, run.fold, run.trial, compared(run.config)))
    return [
        f"duplicate seed {members[0].seed}: {_names(members)}: not independent runs; look whether one is a copy"
        for members in groups.values()
        if len(members) > 1
    ]


def _alike(runs: Sequence[Run], key: Callable[[Run, Predictions], object], message: str) -> list[str]:
    """Return a line for each set of runs whose predictions are alike, `message` with their number and names."""
    groups = grouped(
        [run for run in runs if run.predictions], lambda run: run.predictions and key(run, run.predictions)
    )
    return [message.format(len(members), _names(members)) for members in groups.values() if len(members) > 1]


def _same_predictions(runs: Sequence[Run]) -> list[str]:
    message = (
        "the same predictions under {} names: {}: look whether a folder was copied, or a checkpoint evaluated twice"
    )
    return _alike(runs, lambda _, made: (made.items, made.digest), message)


def _same_items(runs: Sequence[Run]) -> list[str]:
    """Folds are validated on items of their own."""
    message = "the same validation set in {} folds: {}: look how the folds were split"
    return _alike(runs, lambda run, made: (run.group, made.items), message)


def _other_items(runs: Sequence[Run]) -> list[str]:
    having = [run for run in runs if run.predictions is not None]
    kinds = {run.predictions.items.partition(":")[0] for run in having if run.predictions}
    # Digests of two kinds say nothing about each other; numbers of items always do.
    key: Callable[[Run], object] = (
        (lambda run: run.predictions and run.predictions.items)
        if len(kinds) == 1
        else (lambda run: run.predictions and run.predictions.n)
    )
    groups = grouped(having, key)
    if len(groups) < 2:
        return []
    sets = "; ".join(
        f"{members[0].predictions.n if members[0].predictions else 0} items in {_names(members)}"
        for members in list(groups.values())[:_VALUES_AT_MOST]
    )
    return [
        f"{len(groups)} different validation sets ({sets}): their metrics are not of the same items; look at the ids "
        "in the predictions"
    ]


def _git(runs: Sequence[Run]) -> list[str]:
    lines = []
    hashed = grouped([run for run in runs if run.git_hash], lambda run: run.git_hash)
    if len(hashed) > 1:
        lines.append(f"git hashes differ: {_listed(hashed, shorten=12)}: look at what changed in the code between them")
    dirty = [run for run in runs if run.git_dirty]
    if dirty:
        lines.append(f"made with uncommitted changes: {_names(dirty)}: the git hash does not say which code ran")
    return lines


def _comparability(runs: Sequence[Run], by: str) -> list[str]:
    """State what makes numbers hard to compare: other settings, other cases, or stub beside real runs."""
    lines = [
        f"{run.name}: its parts were made in {len(set(run.signatures.values()))} ways and must not be compared"
        for run in runs
        if len(set(run.signatures.values())) > 1
    ]
    settings = {_comparable(signature) for run in runs for signature in run.signatures.values()}
    if len(settings) > 1 and len(runs) > 1:
        lines.append(f"the runs were made with {len(settings)} different settings: {'; '.join(sorted(settings))}")
    if len({run.stub for run in runs if run.stub is not None}) > 1:
        lines.append("stub and real runs are mixed")
    if by != NONE and len({run.attributes.get("case_list_hash") for run in runs}) > 1:
        lines.append("the runs do not cover the same cases")
    formats = sorted({run.format for run in runs})
    if len(formats) > 1:
        lines.append(
            f"runs of {len(formats)} formats ({', '.join(formats)}) are aggregated together: look whether "
            "metrics of one name mean one thing"
        )
    return lines


def _comparable(signature: str) -> str:
    """Return the part of a signature in which runs that are aggregated must agree.

    Campaigns differ in their traces. Other runs sign their whole configuration, the seed included, which may be their
    bootstrap's too; which settings differ among them is reported by name.
    """
    parts = signature.split("|")
    if any(part.startswith("traces:") for part in parts):
        return "|".join(part for part in parts if not part.startswith("traces:"))
    of_others = [part.partition("/")[0] if part.startswith("boot:") else part for part in parts]
    return "|".join(part for part in of_others if not part.startswith("cfg:"))


def _listed(groups: Mapping[Any, Sequence[Run]], *, shorten: int = 60) -> str:
    shown = [f"{str(value)[:shorten]} ({_names(members)})" for value, members in groups.items()]
    return first_few(shown, _VALUES_AT_MOST, " and {} more values")


def _names(runs: Sequence[Run]) -> str:
    return first_few([run.name for run in runs], _NAMED_AT_MOST)


HIGHER = "higher"
LOWER = "lower"


def direction_of(metric: str, runs: Iterable[Run] = ()) -> str | None:
    """Return `higher` or `lower`; None where neither the runs nor the name say.

    >>> direction_of("val_loss"), direction_of("V3.coverage"), direction_of("top5_accuracy"), direction_of("alpha")
    ('lower', 'higher', 'higher', None)
    >>> direction_of("Train Loss"), direction_of("Loss/train"), direction_of("valAcc"), direction_of("acc,none")
    ('lower', 'lower', 'higher', 'higher')

    Raises:
        ConfigError: some runs say this and some that.
    """
    runs = list(runs)
    said = {
        way
        for way, named in ((LOWER, "lower_is_better"), (HIGHER, "higher_is_better"))
        if any(metric in getattr(run, named) for run in runs)
    }
    if len(said) > 1:
        raise ConfigError(
            f"some runs say that {metric} improves upwards, and some downwards",
            where="--primary-metric",
            remedy="say which with --better higher or --better lower",
        )
    if said:
        return said.pop()
    return direction_of_name(metric)
