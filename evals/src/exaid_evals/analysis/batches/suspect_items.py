"""Which batches carry a drop, and whether the same items make them bad: exact tests on halves that do not overlap."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exaid_evals.runs.history import BatchRow
from exaid_evals.runs.metric_names import direction_of, is_validation, metric_named, words_of

_LEAST = 20
"""Batches below which nothing is tested."""
BELIEVED = 0.01
"""Items are named only where the test says that items make batches bad."""


@dataclass(frozen=True, slots=True)
class Concentration:
    """Whether items that were bad in one half of the batches make batches of the other half bad.

    Attributes:
        p: that the items of one half say nothing about the other; one-sided.
        odds_ratio: of a batch to be bad that holds many of these items.
        n_batches: of both halves.
        items: those that stand mostly in bad batches, the most telling first, with times in bad batches and in all.
    """

    p: float
    odds_ratio: float
    n_batches: int
    items: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Repetition:
    """How much of a batch's items stands in the other half of the batches too, before and after the onset."""

    share_before: float
    share_after: float
    p: float


@dataclass(frozen=True, slots=True)
class BadShare:
    """Bad images among the items of the bad batches and of the others."""

    share_affected: float
    share_others: float
    p: float
    odds_ratio: float


def batches_of(rows: Sequence[BatchRow], metric: str | None) -> Sequence[BatchRow]:
    """Return the batches that tell of items: those of the training, else of evaluations for a metric of validation."""
    trained = [row for row in rows if row.phase == "train"]
    if any(row.items for row in trained) or metric is None or not is_validation(metric):
        return trained or list(rows)
    evaluated = [row for row in rows if row.phase == "eval" and row.items]
    return evaluated if len({row.step for row in evaluated}) > 1 else trained or list(rows)


def batch_metric(rows: Sequence[BatchRow], wanted: str | None = None) -> str | None:
    """Return the metric that batches are judged by: the one that fell, else their loss, else any with a direction.

    Args:
        rows: batches.
        wanted: the metric that fell, as the run calls it: `val/recall` is the batches' `recall`.
    """
    counts = Counter(name for row in rows for name, value in row.metrics.items() if value is not None)
    # A training's rows may hold the metrics of an evaluation now and then: those tell nothing of its batches.
    names = sorted(name for name, count in counts.items() if 2 * count >= max(counts.values()))
    if wanted is not None:
        asked = set(words_of(wanted))
        same = [name for name in names if direction_of(name) and set(words_of(name)) <= asked]
        entry = metric_named(wanted)
        same = same or [name for name in names if entry is not None and metric_named(name) is entry]
        if same:
            return max(same, key=lambda name: (len(words_of(name)), name))
    known = [name for name in names if direction_of(name)]
    return next((name for name in known if direction_of(name) == "lower"), next(iter(known), None))


def badness(rows: Sequence[BatchRow], wanted: str | None = None) -> NDArray[np.float64]:
    """Return how bad each batch is, by `batch_metric`; NaN where that is not known."""
    name = batch_metric(rows, wanted)
    if name is None:
        return np.full(len(rows), np.nan)
    values = np.array(
        [np.nan if row.metrics.get(name) is None else row.metrics[name] for row in rows], dtype=np.float64
    )
    return values if direction_of(name) == "lower" else -values


def affected_batches(rows: Sequence[BatchRow], wanted: str | None = None) -> NDArray[np.bool_]:
    """Return batches that are worse than their neighbours: above the running mean of 15, for a trend makes none bad."""
    values = badness(rows, wanted)
    known = np.isfinite(values)
    if known.sum() < 3:
        return np.zeros(len(rows), dtype=bool)
    filled = np.interp(np.arange(len(rows)), np.flatnonzero(known), values[known])
    width = min(15, len(rows))
    padded = np.pad(filled, (width // 2, width - 1 - width // 2), mode="edge")
    mean = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    return known & (values > mean)


def concentration(
    rows: Sequence[BatchRow], onset: float, horizon: float, wanted: str | None = None
) -> Concentration | None:
    """Test whether the same items make batches bad.

    Of the batches after the onset, one half tells by how much batches with an item are worse than their neighbours; the
    mean of this over the items of each batch of the other half is then held against how bad that batch is (Spearman's
    ρ, one-sided). So nothing is tested on what it was chosen by. The batches of an evaluation stay together: each half
    has every second evaluation, or every second batch of a training. Tested are the batches within the horizon, since
    a fault may pass, and all to the end, since items come seldom; the better of the two counts, by Bonferroni.

    Returns:
        None where too few batches name their items.
    """
    found = [
        one for end in (onset + horizon, math.inf) if (one := _concentration(rows, onset, end, wanted)) is not None
    ]
    best = min(found, key=lambda one: one.p, default=None)
    return None if best is None else replace(best, p=min(1.0, len(found) * best.p))


def _concentration(rows: Sequence[BatchRow], onset: float, end: float, wanted: str | None) -> Concentration | None:
    from scipy.stats import spearmanr

    chosen = [row for row in rows if onset < row.step <= end and row.items]
    if len(chosen) < _LEAST:
        return None
    bad = affected_batches(chosen, wanted)
    excess = _excess_over_neighbours(chosen, wanted)
    if chosen[0].phase == "eval":
        excess = excess - _usual([row for row in rows if row.step <= onset and row.items], chosen, wanted)
    half = _halves(chosen)
    best: tuple[float, float] | None = None
    for trained_on in (0, 1):
        own = [row for row, at in zip(chosen, half, strict=True) if at == trained_on]
        scores = _scores(own, excess[half == trained_on])
        others = [row for row, at in zip(chosen, half, strict=True) if at != trained_on]
        held, truth = np.array([_mean_score(row, scores) for row in others]), excess[half != trained_on]
        usable = np.isfinite(truth)
        if usable.sum() < _LEAST // 2 or np.ptp(held[usable]) == 0 or np.ptp(truth[usable]) == 0:
            continue
        p = float(spearmanr(held[usable], truth[usable], alternative="greater").pvalue)
        if best is None or p < best[0]:
            best = (p, _odds(held, bad[half != trained_on]))
    if best is None:
        return None
    times, times_bad = Counter[str](), Counter[str]()
    for row, is_bad_one in zip(chosen, bad, strict=True):
        times.update(set(row.items))
        if is_bad_one:
            times_bad.update(set(row.items))
    # The better of two halves was taken: Bonferroni's factor.
    p = min(1.0, 2 * best[0])
    every = _scores(chosen, excess)
    telling = sorted(times, key=lambda item: (-every.get(item, 0.0), item)) if p < BELIEVED else []
    items = tuple((item, times_bad[item], times[item]) for item in telling[:20] if every.get(item, 0.0) > 0)
    return Concentration(p, best[1], len(chosen), items)


def _usual(before: Sequence[BatchRow], rows: Sequence[BatchRow], wanted: str | None) -> NDArray[np.float64]:
    """Return by how much each batch of an evaluation was worse than the others before the onset; 0 for new ones.

    Batches of an evaluation differ in difficulty, and always in the same way: that is not a fault of their items.
    """
    known: dict[tuple[str, ...], list[float]] = {}
    if before:
        for row, value in zip(before, _excess_over_neighbours(before, wanted), strict=True):
            if np.isfinite(value):
                known.setdefault(tuple(sorted(row.items)), []).append(float(value))
    return np.array([float(np.mean(known.get(tuple(sorted(row.items)), [0.0]))) for row in rows])


def _halves(rows: Sequence[BatchRow]) -> NDArray[np.int64]:
    """Return 0 or 1 for each batch: alternately, batches of one step together."""
    steps = {step: at for at, step in enumerate(sorted({row.step for row in rows}))}
    return np.array([steps[row.step] % 2 for row in rows], dtype=np.int64)


def _excess_over_neighbours(rows: Sequence[BatchRow], wanted: str | None) -> NDArray[np.float64]:
    """Return by how much each batch is worse than the median of those around it; of an evaluation, than its median."""
    values = badness(rows, wanted)
    steps = np.array([row.step for row in rows])
    if len(np.unique(steps)) <= len(rows) // 3:
        medians = {step: np.nanmedian(values[steps == step]) for step in np.unique(steps).tolist()}
        apart: NDArray[np.float64] = values - np.array([medians[step] for step in steps.tolist()])
        return apart
    width = min(15, len(rows))
    starts = np.clip(np.arange(len(rows)) - width // 2, 0, len(rows) - width)
    if not np.isfinite(values).any():
        return values
    medians = np.nanmedian(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    rest: NDArray[np.float64] = values - medians[starts]
    return rest


def _odds(held: NDArray[np.float64], bad: NDArray[np.bool_]) -> float:
    """Return the odds ratio of a batch to be bad that holds many telling items."""
    from scipy.stats import fisher_exact

    many = held > np.median(held)
    table = [
        [int((many & bad).sum()), int((many & ~bad).sum())],
        [int((~many & bad).sum()), int((~many & ~bad).sum())],
    ]
    return _bounded(float(fisher_exact(table)[0]))


def _scores(rows: Sequence[BatchRow], excess: NDArray[np.float64]) -> dict[str, float]:
    """Return item → by how much batches that hold it are worse; drawn to 0 for items that are seen seldom."""
    centre = float(np.nanmean(excess)) if np.isfinite(excess).any() else 0.0
    sums: dict[str, float] = {}
    times: Counter[str] = Counter()
    for row, value in zip(rows, excess, strict=True):
        if np.isfinite(value):
            for item in set(row.items):
                sums[item] = sums.get(item, 0.0) + float(value) - centre
                times[item] += 1
    return {item: total / (times[item] + 2) for item, total in sums.items()}


def _mean_score(row: BatchRow, scores: Mapping[str, float]) -> float:
    return sum(scores.get(item, 0.0) for item in row.items) / len(row.items)


def repetition(rows: Sequence[BatchRow], low: float, high: float, horizon: float) -> Repetition | None:
    """Compare how often items come again, among as many batches before as after the onset.

    Returns:
        None where too few batches name their items on either side.
    """
    from scipy.stats import fisher_exact

    before = [row for row in rows if row.items and row.step <= low]
    after = [row for row in rows if row.items and high < row.step <= high + horizon]
    n = min(len(before), len(after))
    if n < _LEAST:
        return None
    again_before, every_before = _again(before[-n:])
    again_after, every_after = _again(after[:n])
    table = [[again_after, every_after - again_after], [again_before, every_before - again_before]]
    _, p = fisher_exact(table, alternative="greater")
    return Repetition(again_before / max(every_before, 1), again_after / max(every_after, 1), float(p))


def _again(rows: Sequence[BatchRow]) -> tuple[int, int]:
    """Return how many items of every second batch stand in one of the four around it, and how many there are."""
    again = every = 0
    for at in range(0, len(rows), 2):
        around = {
            item for other in (at - 3, at - 1, at + 1, at + 3) if 0 <= other < len(rows) for item in rows[other].items
        }
        own = set(rows[at].items)
        again += len(own & around)
        every += len(own)
    return again, every


def bad_in_affected(
    rows: Sequence[BatchRow], bad_items: Mapping[str, str], onset: float, horizon: float
) -> BadShare | None:
    """Test whether bad images are concentrated in the bad batches (Fisher's exact test, one-sided).

    Each different item of each batch counts once per batch.
    """
    from scipy.stats import fisher_exact

    chosen = [row for row in rows if onset < row.step <= onset + horizon and row.items]
    if len(chosen) < 4:
        return None
    affected = affected_batches(chosen)
    counts = {True: [0, 0], False: [0, 0]}
    for row, is_bad in zip(chosen, affected, strict=True):
        own = set(row.items)
        n_bad = sum(item in bad_items for item in own)
        counts[bool(is_bad)][0] += n_bad
        counts[bool(is_bad)][1] += len(own) - n_bad
    odds, p = fisher_exact([counts[True], counts[False]], alternative="greater")
    shares = [counts[key][0] / max(sum(counts[key]), 1) for key in (True, False)]
    return BadShare(shares[0], shares[1], float(p), _bounded(float(odds)))


def _bounded(odds: float) -> float:
    """Return an odds ratio that has a form in JSON: an empty cell makes it infinite or no number."""
    return 0.0 if math.isnan(odds) else min(odds, 1e6)
