"""What the batch log says of a drop: items and inputs of the training, sets of the evaluations."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from exaid_evals.analysis.batches.profile import input_shift
from exaid_evals.analysis.batches.suspect_items import (
    BELIEVED,
    bad_in_affected,
    batches_of,
    concentration,
    repetition,
)
from exaid_evals.analysis.causes.base import Context, Evidence
from exaid_evals.analysis.causes.onset import is_gradual
from exaid_evals.analysis.causes.signals import rate_fell
from exaid_evals.anomalies.robust import worsening
from exaid_evals.runs.history import BatchRow, History
from exaid_evals.runs.metric_names import Direction, counterpart, is_ambiguous, is_validation

_DATA = re.compile(r"data[ _-]?(set|loader)|shard|new data|augment", re.IGNORECASE)


_OF_INPUTS = re.compile(
    r"(^|[/._-])(inputs?|pixels?|images?|batch|x)[/._-]?(mean|std|var|min|max|brightness|contrast|norm)$",
    re.IGNORECASE,
)
_ALL = 0.9
_EVALUATIONS, _BEFORE, _FEW = 3, 20, 5
_FAR_MORE, _CLEAR = 2.5, 4.0
"""Times what the validation lost; times the median deviation from the level."""


def of_items(context: Context) -> list[Evidence] | None:
    """Return whether single items make batches bad, and are drawn more often; None where batches name no items."""
    if not any(row.items for row in context.history.batches):
        return None
    # Where all batches moved, no single items can stand out.
    moved = any(float(one.numbers.get("outside", 0.0)) >= _ALL for one in inputs(context) or ())
    all_moved = moved or any(lost_in_training(context))
    found = [one for one in _items(context) if one.weight > 0 or not all_moved]
    return [*found, *_repeated(context), *_in_affected(context)]


def _items(context: Context) -> Iterator[Evidence]:
    metric = context.onset.anomaly.metric
    horizon = context.settings.horizon * context.span
    found = concentration(batches_of(context.history.batches, metric), context.onset.interval[0], horizon, metric)
    if found is None:
        return
    numbers = {"p": found.p, "odds_ratio": found.odds_ratio, "n_batches": found.n_batches}
    test = f"Spearman's ρ between halves of {found.n_batches} batches: p = {found.p:.1e}"
    if found.p < BELIEVED:
        text = (
            "the bad batches after the onset hold the same items: which batches are bad follows from items that were "
            f"bad in other batches ({test})"
        )
        most = 3.0 if is_validation(metric) and not context.train_batches else 6.0  # new items differ in difficulty
        yield Evidence(text, min(most, -0.9 * math.log10(max(found.p, 1e-300))), None, numbers)
    elif found.p > 0.05:
        yield Evidence(f"no items make a batch bad ({test})", -1.5, None, numbers)


def _repeated(context: Context) -> Iterator[Evidence]:
    low, high = context.onset.interval
    found = repetition(context.train_batches, low, high, context.settings.horizon * context.span)
    if found is None:
        return
    text = (
        f"after the onset {found.share_after:.0%} of a batch's items also stand in the batches next to it, "
        f"before it {found.share_before:.0%}"
    )
    numbers = {"before": found.share_before, "after": found.share_after, "p": found.p}
    if found.p < 1e-4 and found.share_after > 1.5 * found.share_before:
        text += f": a part of the data is drawn more often (Fisher's exact test: p = {found.p:.1e})"
        yield Evidence(text, min(5.0, 2.0 - 0.15 * math.log10(max(found.p, 1e-300))), None, numbers)


def inputs(context: Context) -> list[Evidence] | None:
    """Return whether the statistics of the batches' inputs moved; None where neither batches nor steps have any."""
    rows = [row for row in context.train_batches if row.profile] or logged_inputs(context.history)
    return list(_inputs(context, rows)) if rows else None


def logged_inputs(history: History) -> list[BatchRow]:
    """Return the statistics of inputs that were logged as metrics of the steps, such as `input_mean`, as batches."""
    named = {name: one.clean for name, one in history.series.items() if _OF_INPUTS.search(name)}
    named = {name: one for name, one in named.items() if not is_validation(name)}
    return [
        BatchRow(step, 0, {}, profile={name: value})
        for name, one in named.items()
        for step, value in zip(one.steps.tolist(), one.values.tolist(), strict=True)
    ]


def _inputs(context: Context, rows: Sequence[BatchRow]) -> Iterator[Evidence]:
    low, high = context.onset.interval
    found = input_shift(rows, low, high, context.settings.horizon * context.span)
    if found is None:
        return
    numbers = {"p": found.p, "outside": found.share_outside, "before": found.median_before, "after": found.median_after}
    if found.p < 1e-4 and found.share_outside >= 0.2:
        text = (
            f"{found.name} of the batches' inputs lies outside its range of before in {found.share_outside:.0%} of the "
            f"batches after the onset (median {found.median_before:.3g} → {found.median_after:.3g}, "
            f"Mann–Whitney p = {found.p:.1e})"
        )
        yield Evidence(text, 6.0 if found.share_outside >= _ALL else 4.0, None, numbers)
    elif found.p > 0.01:
        yield Evidence("the statistics of the batches' inputs are those of before the drop", -0.5, None, numbers)


def images(context: Context) -> Sequence[Evidence] | None:
    """Return nothing, or None where no images were given: what they say stands with the items."""
    return None if context.bad_items is None else ()


def _in_affected(context: Context) -> Iterator[Evidence]:
    if context.bad_items is None:
        return
    found = bad_in_affected(
        context.train_batches, context.bad_items, context.onset.interval[0], context.settings.horizon * context.span
    )
    if found is None:
        return
    numbers = {"p": found.p, "odds_ratio": found.odds_ratio, "n_bad": len(context.bad_items)}
    text = (
        f"{found.share_affected:.0%} of the items in the bad batches are bad images, {found.share_others:.0%} of those "
        f"in the others (Fisher's exact test: p = {found.p:.1e})"
    )
    if found.p < 1e-3 and found.odds_ratio > 1:
        yield Evidence(text, min(6.0, -0.8 * math.log10(max(found.p, 1e-12))), None, numbers)
    else:
        yield Evidence(text, -1.5, None, numbers)


def announced(context: Context) -> Iterator[Evidence]:
    """Look for events that speak of data."""
    for step, text in context.history.events:
        if _DATA.search(text) and context.near(step):
            yield Evidence(f"step {step:g}: {text}", 2.0, step)


def changed_data(context: Context) -> Iterator[Evidence]:
    """Look for steps that are bad among others that are not, and for training data that became easier at once."""
    train = context.onset.train
    if train is not None and train.leapt and is_validation(context.onset.anomaly.metric) and not rate_fell(context):
        yield Evidence("the loss of the training fell to less than half at once: it learns from other data", 3.5)
    if train is not None and train.stray and train.z < 5:
        yield Evidence("some steps are bad and the others as before: it depends on what a batch holds", 1.5)
    yield from lost_in_training(context)


def lost_in_training(context: Context) -> Iterator[Evidence]:
    """Look for a training metric that lost far more than the same metric of the validation, and does not get it back.

    It is one model: had it been harmed, it would have lost as much on the one as on the other. What has changed is what
    it is trained on. Three evaluations must say so, each beside the training's values just before it.
    """
    for name, direction in context.directions.items():
        beside = counterpart(name, context.history.series) if is_validation(name) else None
        lost = _lost_beside(context, name, beside, direction) if beside is not None else []
        if len(lost) < _EVALUATIONS or any(own < max(clear, _FAR_MORE * its) for own, its, clear in lost):
            continue
        if lost[-1][0] >= lost[0][0] / 2:
            own, its, _ = lost[-1]
            text = f"{beside} is worse by {own:.3g}, and {name} of the same model by {max(its, 0.0):.3g} only"
            yield Evidence(f"{text}: what is trained on has changed", 2.5, None, {"training": own, "validation": its})
            return


def _lost_beside(
    context: Context, validation: str, training: str, direction: Direction
) -> list[tuple[float, float, float]]:
    """Return what both metrics have lost at each of the first evaluations after the onset, and what is no noise."""
    low, high = context.onset.interval
    series = context.history.series
    steps, values = series[training].clean.steps, worsening(series[training].clean.values, direction)
    at, evaluated = series[validation].clean.steps, worsening(series[validation].clean.values, direction)
    before, ahead = values[steps <= low][-_BEFORE:], evaluated[at <= low][-_EVALUATIONS:]
    if len(before) < _FEW or len(ahead) < _EVALUATIONS:
        return []
    level, its_level = float(np.median(before)), float(np.median(ahead))
    noise = float(np.median(np.abs(before - level)))
    found = []
    for step, value in zip(at[at >= high][:_EVALUATIONS], evaluated[at >= high], strict=False):
        own = values[(steps >= high) & (steps <= step)][-_FEW:]
        if len(own):
            found.append((float(np.median(own)) - level, float(value) - its_level, _CLEAR * noise))
    return found


_SIZE = re.compile(
    r"(n|num|count|size)[/._-]?(val|eval|valid|test)|(val|eval|valid|test)[/._-]?(n|num|size|count)([/._-]|$)"
)


def evaluated_sets(context: Context) -> list[Evidence] | None:
    """Return whether the evaluated items or their order changed; None where fewer than two evaluations name them."""
    sets = _evaluated_items(context)
    return list(_changed(context, sets)) if len(sets) >= 2 else None


def _evaluated_items(context: Context) -> list[tuple[float, tuple[str, ...]]]:
    """Return step and items, in order, of each evaluation whose batches name their items."""
    found: dict[float, dict[int, tuple[str, ...]]] = {}
    for row in context.eval_batches:
        if row.items:
            # Where an evaluation was repeated, the later one is what counts.
            found.setdefault(row.step, {})[row.batch_idx] = row.items
    return [(step, tuple(item for _, items in sorted(found[step].items()) for item in items)) for step in sorted(found)]


def _changed(context: Context, sets: Sequence[tuple[float, tuple[str, ...]]]) -> Iterator[Evidence]:
    elsewhere = 0
    for (_, before), (step, after) in pairwise(sets):
        if before == after:
            continue
        fits = context.near(step) if step > context.onset.interval[0] else 0.3 * context.near(step)
        # An evaluation lies after what the training's metrics say: it is the first one after the onset that counts.
        fits = max(fits, 1.0 if abs(step - context.onset.anomaly.step) < 1e-9 else 0.0)
        if fits == 0:
            elsewhere += 1
            continue
        old, new = set(before), set(after)
        shared = len(old & new) / len(old | new)
        if old != new:
            text = f"of {len(old)} and {len(new)} evaluated items only {shared:.0%} are shared since step {step:g}"
            yield Evidence(text, fits * 6.0, step, {"jaccard": shared, "n_before": len(old), "n_after": len(new)})
        else:
            moved = sum(one != other for one, other in zip(before, after, strict=False)) / max(len(before), 1)
            text = f"{moved:.0%} of the evaluated items, which are the same, stand at another place since step {step:g}"
            yield Evidence(text, fits * 4.0, step, {"moved": moved})
        return
    what = "the evaluated items and their order are the same before and after the drop"
    yield Evidence(f"{what}; they changed at another step" if elsewhere else what, -4.0, None)


def sizes(context: Context) -> Iterator[Evidence]:
    """Look for a change of how many items are evaluated."""
    for name, series in context.history.series.items():
        if not _SIZE.search(name) or len(series.clean) < 2:
            continue
        steps, values = series.clean.steps, series.clean.values
        for at in range(1, len(values)):
            here = context.near(float(steps[at])) or float(float(steps[at]) == context.onset.anomaly.step)
            if values[at] != values[at - 1] and here:
                text = f"{name} went from {values[at - 1]:g} to {values[at]:g} at step {steps[at]:g}"
                yield Evidence(text, 3.0 * here, float(steps[at]), {"before": values[at - 1], "after": values[at]})
                return


def by_and_by(context: Context) -> Iterator[Evidence]:
    """Speak against an evaluation where a metric got worse over many of its values."""
    if context.onset.anomaly.detector == "lost_gain" or is_gradual(context.history, context.onset.anomaly):
        yield Evidence(f"{context.onset.anomaly.metric} got worse by and by, and an evaluation changes at once", -3.0)


def not_of_validation(context: Context) -> Iterator[Evidence]:
    """Speak against an evaluation where the metric is none of one."""
    metric = context.onset.anomaly.metric
    if not is_validation(metric) and not is_ambiguous(metric, context.history.series):
        yield Evidence(f"{metric} is not called a metric of an evaluation", -2.0)
