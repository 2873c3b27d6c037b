"""Which batches carry a drop, and whether the same items make them bad: exact tests on halves that do not overlap."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exaid_evals.runs.history import BatchRow
from exaid_evals.runs.metric_names import direction_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST = 20
"""Batches below which nothing is tested."""


@dataclass(frozen=True, slots=True)
class Concentration:
    """Whether items that were bad in one half of the batches make batches of the other half bad.

    Attributes:
        p: of Fisher's exact test, one-sided.
        odds_ratio: of a batch to be bad that holds many of these items.
        n_batches: of both halves.
        items: those that stand mostly in bad batches, the most telling first, with times in bad batches and in all.
        affected: indices of the bad batches, in the order that was given.
    """

    p: float
    odds_ratio: float
    n_batches: int
    items: tuple[tuple[str, int, int], ...]
    affected: tuple[int, ...]


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


def badness(rows: Sequence[BatchRow]) -> NDArray[np.float64]:
    """Return how bad each batch is: its loss, else what its first metric with a direction says; NaN where unknown."""
    import numpy as np

    names = sorted({name for row in rows for name, value in row.metrics.items() if value is not None})
    ways = {name: direction_of(name) for name in names}
    name = next((one for one in names if ways[one] == "lower"), next((one for one in names if ways[one]), None))
    if name is None:
        return np.full(len(rows), np.nan)
    values = np.array(
        [np.nan if row.metrics.get(name) is None else row.metrics[name] for row in rows], dtype=np.float64
    )
    return values if ways[name] == "lower" else -values


def affected_batches(rows: Sequence[BatchRow]) -> NDArray[np.bool_]:
    """Tell which batches are worse than their neighbours: above the running mean of 15, for a trend makes none bad."""
    import numpy as np

    values = badness(rows)
    known = np.isfinite(values)
    if known.sum() < 3:
        return np.zeros(len(rows), dtype=bool)
    filled = np.interp(np.arange(len(rows)), np.flatnonzero(known), values[known])
    width = min(15, len(rows))
    padded = np.pad(filled, (width // 2, width - 1 - width // 2), mode="edge")
    mean = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    return known & (values > mean)


def concentration(rows: Sequence[BatchRow], onset: float, horizon: float) -> Concentration | None:
    """Test whether the same items make batches bad.

    Of the batches within the horizon after the onset, every second one tells which items stand in bad batches; the
    others are then split by how many of these items they hold, and that is held against whether they are bad. So
    nothing is tested on what it was chosen by.

    Args:
        rows: of the training.
        onset: last good step.
        horizon: in steps.

    Returns:
        None where too few batches name their items.
    """
    import numpy as np
    from scipy.stats import fisher_exact

    chosen = [row for row in rows if onset < row.step <= onset + horizon and row.items]
    if len(chosen) < _LEAST:
        return None
    bad = affected_batches(chosen)
    best: tuple[float, float] | None = None
    for half in (0, 1):
        scores = _scores(chosen[half::2], bad[half::2])
        held = np.array([_mean_score(row, scores) for row in chosen[1 - half :: 2]])
        many, is_bad = held > np.median(held), bad[1 - half :: 2]
        table = [
            [int((many & is_bad).sum()), int((many & ~is_bad).sum())],
            [int((~many & is_bad).sum()), int((~many & ~is_bad).sum())],
        ]
        odds, p = fisher_exact(table, alternative="greater")
        if best is None or p < best[0]:
            best = (float(p), _bounded(float(odds)))
    assert best is not None  # noqa: S101 - the loop has two rounds
    times, times_bad = Counter[str](), Counter[str]()
    for row, is_bad_one in zip(chosen, bad, strict=True):
        times.update(set(row.items))
        if is_bad_one:
            times_bad.update(set(row.items))
    telling = sorted(times, key=lambda item: (-_excess(times_bad[item], times[item], float(bad.mean())), item))
    items = tuple((item, times_bad[item], times[item]) for item in telling[:20] if times_bad[item] >= 2)
    indices = tuple(int(at) for at in np.flatnonzero(bad))
    # The better of two halves was taken: Bonferroni's factor.
    return Concentration(min(1.0, 2 * best[0]), best[1], len(chosen), items, indices)


def _scores(rows: Sequence[BatchRow], bad: NDArray[np.bool_]) -> dict[str, float]:
    """Return item → how much more often than expected it stood in bad batches."""
    share = float(bad.mean()) if len(bad) else 0.0
    scores: Counter[str] = Counter()
    for row, is_bad in zip(rows, bad, strict=True):
        for item in set(row.items):
            scores[item] += (1 - share) if is_bad else -share  # type: ignore[assignment]
    return dict(scores)


def _mean_score(row: BatchRow, scores: Mapping[str, float]) -> float:
    return sum(scores.get(item, 0.0) for item in row.items) / len(row.items)


def _excess(bad: int, every: int, share: float) -> float:
    """Return by how many standard deviations an item is in more bad batches than the share of these would make it."""
    expected = every * share
    return float((bad - expected) / max((expected * (1 - share)) ** 0.5, 1e-9))


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
