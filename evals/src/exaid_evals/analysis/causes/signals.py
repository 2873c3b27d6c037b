"""What logged series and events say of a drop: the rate, gradients, the loss scale, memory, restarts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.causes.base import Context, Evidence, Reaction
from exaid_evals.analysis.relearning import relearnt
from exaid_evals.runs.history import CleanSeries, Series
from exaid_evals.runs.metric_names import is_validation, role_of_column
from exaid_evals.runs.rows import PAUSE

RATE = r"(^|[/._ -])(lr|learning[_ -]?rate)([/._ -]|$)|^lr-"
NORM = r"grad(ient)?s?[/._ -]*((global|total|l2|2\.0|inf)[/._ -]*)?norm|norm[/._ -]*grad|\bgnorm"
SCALE = r"(loss|grad)[/._-]?scale"
MEMORY = r"mem|rss"
TIME = r"(step|batch|iter)[a-z_/.-]{0,80}(time|duration|seconds)|time_per"
WORKERS = (
    r"world[_-]?size|(num|n)[/._-]?(gpus|workers|nodes|replicas|ranks)\b"
    r"|(samples|tokens|images|examples|steps|it|iters)[/._-]?(per|/)[/._-]?s(ec|econd)?\b|throughput"
)
_RESTART = re.compile(r"restart|resum|preempt|killed|oom|out of memory|crash", re.IGNORECASE)
_MULTIPLIED = 1e6
"""Times its level: what gets so far has multiplied at each of many steps, in a feedback."""
_GROWN = 4.0
_CLIMBED = 4.0
_SLOWER = 0.7
_FIRST, _SOME, _FAR_ABOVE = 6, 20, 3.0
_EXPLODED = 8.0
"""Times its level that a loss has to rise by to speak of the steps' size, and of nothing else."""

Find = Callable[[Context], Iterable[Evidence] | None]


def over(pattern: str, look: Callable[[Context, Series], Iterator[Evidence]], *, machine: bool = False) -> Find:
    """Return what looks at each of the first four series whose name has a pattern; it returns None where none has.

    Args:
        pattern: regular expression, in which upper and lower case are alike.
        look: at one series.
        machine: whether metrics of the machine are meant as well.
    """
    named = re.compile(pattern, re.IGNORECASE)

    def find(context: Context) -> list[Evidence] | None:
        logged = context.history.series
        if machine:
            logged = {**logged, **context.history.system}
        series = [one for name, one in logged.items() if named.search(name)]
        return [found for one in series[:4] for found in look(context, one)] if series else None

    return find


def rate(context: Context, series: Series) -> Iterator[Evidence]:
    """Look for the steepest rise of a rate, and for one that went on by and by to where it had never been."""
    steps, values = series.clean.steps, series.clean.values
    best: Evidence | None = None
    for at in range(1, len(values)):
        fits = context.near(float(steps[at]))
        if fits == 0 or values[at - 1] <= 0:
            continue
        ratio = float(values[at] / values[at - 1])
        earlier = float(values[:at].max())
        if ratio < 1.5:
            continue
        # A warm restart goes back to a rate at which the training has been stable.
        new = float(values[at]) > 1.2 * earlier
        weight = fits * min(6.0, 1.5 * math.log2(ratio)) * (1.0 if new else 0.4)
        moved = f"from {values[at - 1]:.3g} to {values[at]:.3g}"
        text = f"{series.metric} rose {ratio:.3g}-fold at step {steps[at]:g}, {moved}"
        text += "" if new else ", which it had been before"
        if best is None or weight > best.weight:
            best = Evidence(text, weight, float(steps[at]), {"ratio": ratio, "highest_before": earlier})
    if best is not None:
        yield best
        return
    inside, known = _inside(context, series.clean), values[steps < context.window[0]]
    top, peak = float(max(inside, default=0.0)), float(max(known, default=0.0))
    if top >= 1.5 * peak > 0:
        text = f"{series.metric} went up to {top:.3g} by then, and had never been above {peak:.3g}"
        yield Evidence(text, min(6.0, 1.5 * math.log2(top / peak)), None, {"ratio": top / peak})
        return
    lowest = float(known[int(np.argmax(known)) :].min()) if len(known) else 0.0
    if top >= _CLIMBED * max(lowest, peak / 100) > 0:
        text = f"{series.metric} rose again by and by, to {top:.3g} from {max(lowest, 0.0):.3g}"
        yield Evidence(text, 3.0, None, {"lowest": lowest})
    elif len(inside):
        yield Evidence(f"{series.metric} did not rise before the drop", -0.5)


def rate_fell(context: Context) -> bool:
    """Return whether a logged rate was cut to half or less about the onset: a training loss falls with that, too."""
    rates = [one for name, one in context.history.series.items() if re.search(RATE, name, re.IGNORECASE)]
    logged = [_inside(context, one.clean) for one in rates]
    return any(bool(((one[:-1] > 0) & (one[1:] <= one[:-1] / 2)).any()) for one in logged)


def norm(context: Context, series: Series) -> Iterator[Evidence]:
    """Look for a leap of a gradient norm."""
    inside = _inside(context, series.clean, after=3)
    earlier = series.clean.values[series.clean.steps < context.window[0]][-100:]
    if not len(inside) or len(earlier) < 5 or float(np.median(earlier)) <= 0:
        return
    if float(np.ptp(earlier)) == 0 and float(inside.max()) == float(earlier[0]):
        return  # a norm after clipping
    level, usual = float(np.median(earlier)), float(np.quantile(earlier, 0.99))
    ratio = float(inside.max()) / max(usual, 1e-12)
    if ratio >= 3:
        weight = min(5.0, 0.8 * math.log2(ratio))
        text = f"{series.metric} leapt to {inside.max():.3g}, where 99 % had been below {usual:.3g}"
        if _follows(context, series, 3 * usual, ratio):
            weight *= 0.3
            text += ", no earlier than the loss and by no more"
        yield Evidence(text, weight, None, {"peak": float(inside.max()), "median_before": level, "q99_before": usual})
    elif ratio < 1.5:
        yield Evidence(f"{series.metric} stayed below {inside.max():.3g} (99 % before: {usual:.3g})", -1.5)


def grown(context: Context, series: Series) -> Iterator[Evidence]:
    """Look for a gradient norm that had grown by and by before the drop, while the loss had not as much."""
    low, train = context.onset.interval[0], context.onset.train
    ratio = _growth(series, low)
    loss = context.history.series.get(train.metric) if train is not None else None
    if ratio >= _GROWN and ratio >= 2 * (1.0 if loss is None else _growth(loss, low)):
        text = f"{series.metric} had grown {ratio:.3g}-fold by then"
        yield Evidence(text, min(3.0, math.log2(ratio)), low, {"ratio": ratio})


def _growth(series: Series, step: float) -> float:
    """Return the median of the last values up to a step over that of all before; 0 where these are few."""
    values = series.clean.values[series.clean.steps <= step]
    usual = float(np.median(values)) if len(values) >= 4 * _SOME else 0.0
    return float(np.median(values[-_SOME:])) / usual if usual > 0 else 0.0


def _follows(context: Context, series: Series, high: float, ratio: float) -> bool:
    """Return whether a norm rose because the loss did: a gradient that does harm is there before it, and larger."""
    drop, train = context.onset.anomaly, context.onset.train
    low = context.window[0]
    moved = [] if train is None or train.undefined or train.z < 5 else [(train.relative, train.interval[1])]
    before = drop.evidence.get("before")
    if before and drop.magnitude and not is_validation(drop.metric):
        moved.append((abs(drop.magnitude / before), drop.step))
    losses = [name for name, way in context.directions.items() if way == "lower" and not is_validation(name)]
    if moved and train is not None and losses:
        # Single batches may be bad before the level moves.
        loss = context.history.series[train.metric if train.metric in losses else losses[0]].clean
        ahead, inside = loss.values[loss.steps < low][-100:], _inside(context, loss, after=3)
        usual = float(np.quantile(ahead, 0.99)) if len(ahead) else 0.0
        wild = np.flatnonzero(inside >= 3 * usual)
        if usual > 0 and len(wild):
            began = float(loss.steps[loss.steps >= low][wild[0]])
            moved.append((float(inside[wild].max()) / usual - 1, began))
    steps = series.clean.steps[(series.clean.values >= high) & (series.clean.steps >= low)]
    return bool(len(steps)) and any(
        ratio <= 1 + more < _MULTIPLIED and float(steps[0]) >= first for more, first in moved
    )


def scale(context: Context, series: Series) -> Iterator[Evidence]:
    """Look for the collapse of a loss scale."""
    inside = _inside(context, series.clean, after=10)
    earlier = series.clean.values[series.clean.steps < context.window[0]][-20:]
    if not len(inside) or not len(earlier) or float(inside.min()) <= 0:
        return
    ratio = float(earlier[-1]) / float(inside.min())
    if ratio >= 8:
        text = (
            f"{series.metric} fell {ratio:.3g}-fold, from {earlier[-1]:.4g} to {inside.min():.4g}: gradients overflowed"
        )
        yield Evidence(text, min(6.0, 1.2 * math.log2(ratio)), None, {"ratio": ratio})
    else:
        yield Evidence(f"{series.metric} did not collapse", -0.5)


def undefined(context: Context) -> Iterator[Evidence]:
    """Look for NaN and infinities."""
    metric, one = context.onset.anomaly.metric, context.onset.anomaly
    if one.kind == "not_finite" and one.severity == "critical":
        # Sound weights give finite values on sound inputs: it is mostly the weights that are not.
        yield Evidence(f"{metric} was NaN or infinite from step {context.onset.interval[1]:g} on", 4.0, one.step)
        return
    low, high = context.window[0], context.onset.interval[1] + context.settings.lookback * context.span
    for series in context.history.series.values():
        found = [
            point.step
            for point in series.points
            if low <= point.step <= high and isinstance(point.value, float) and not point.finite
        ]
        if found:
            lasting = len(found) >= 3 and role_of_column(series.metric) != "unknown"
            text = f"{series.metric} was NaN or infinite at {len(found)} steps from step {found[0]:g} on"
            yield Evidence(text, 3.0 if lasting else 1.5, found[0], {"count": len(found)})
            return


def exploded(context: Context) -> Iterator[Evidence]:
    """Look at how far a loss rose, where no gradient norm was logged.

    A shard with wrong labels makes it several times what it was, and so do weights that were overwritten. Where the
    rate is known, what is left is a single gradient: no more likely than these.
    """
    train, times = context.onset.train, context.onset.anomaly.evidence.get("times_untrained")
    if times:
        metric = context.onset.anomaly.metric
        text = f"{metric} rose by {times:.3g} times all that it had been, untrained too: steps were far too large"
        yield Evidence(text, 4.0, context.onset.interval[1], {"times": times})
        return
    if any(re.search(NORM, name, re.IGNORECASE) for name in context.history.series):
        return
    steady = any(re.search(RATE, name, re.IGNORECASE) for name in context.history.series)
    if train is not None and train.relative >= _EXPLODED and train.z >= 10 and _beyond_start(context, train):
        text = (
            f"{train.metric} rose to {1 + train.relative:.3g} times its level: steps were far too large for the model"
        )
        most = 1.0 if steady and train.relative < _MULTIPLIED else 3.0
        yield Evidence(text, min(most, 0.5 * math.log2(train.relative / 4)), train.interval[1])


def _beyond_start(context: Context, train: Reaction) -> bool:
    """Return whether a loss rose far above where the training began: wrong labels bring it back to about there."""
    series = context.history.series.get(train.metric)
    if series is None:
        return True
    clean = series.clean
    began = float(np.median(clean.values[:_FIRST]))
    since = clean.values[clean.steps >= train.interval[1]][:_SOME]
    return bool(len(since)) and abs(float(np.median(since))) >= _FAR_ABOVE * abs(began)


def _inside(context: Context, series: CleanSeries, after: int = 0) -> NDArray[np.float64]:
    """Return the values within the window, and some points after it."""
    low, high = context.window
    last = int(np.searchsorted(series.steps, high, side="right")) + after
    first = int(np.searchsorted(series.steps, low))
    return series.values[first:last]


def _prompt(context: Context, step: float) -> float:
    """Return how well a disturbance at a step fits: it shows at once, so that one long before the drop does not."""
    low, high = context.onset.interval
    slack = max(3.0, 0.01 * context.span)  # steps that are counted again shift what is logged around them
    if low - slack <= step <= high + slack:
        return 1.0
    return 0.3 * context.near(step)


def events(context: Context) -> Iterator[Evidence]:
    """Look for restarts among the events."""
    found = [(_prompt(context, step), step, text) for step, text in context.history.events if _RESTART.search(text)]
    fitting = max((one for one in found if one[0] > 0), default=None)
    if fitting is not None:
        yield Evidence(f"step {fitting[1]:g}: {fitting[2]}", 4.5 * fitting[0], fitting[1])
    elif found:
        text = (
            f"{len(found)} restarts at other steps ({', '.join(f'{step:g}' for _, step, _ in found[:4])}) did no harm"
        )
        yield Evidence(text, -0.5)


def paused(context: Context) -> Iterator[Evidence]:
    """Look for a time without rows, as of a process that ended and was started again."""
    for step, text in context.history.events:
        if text.startswith(PAUSE) and _prompt(context, step) == 1.0:
            yield Evidence(f"step {step:g}: {text}", 2.5, step)
            return


def counted_again(context: Context) -> Iterator[Evidence]:
    """Look for steps that go back, as those of a run that resumed from a checkpoint."""
    longest = max(context.history.series.values(), key=lambda one: len(one.points), default=None)
    if longest is None:
        return
    for before, after in zip(longest.points, longest.points[1:], strict=False):
        if after.step < before.step and (fits := max(_prompt(context, after.step), _prompt(context, before.step))) > 0:
            text = f"the steps go back from {before.step:g} to {after.step:g}: the run was resumed from a checkpoint"
            yield Evidence(text, 4.0 * fits, after.step, {"from": before.step, "to": after.step})
            return


def learnt_again(context: Context) -> Iterator[Evidence]:
    """Look for a course that the metrics had taken before, as from the weights of an old checkpoint."""
    known = context.onset.anomaly.evidence
    if known.get("recovered") and "relearnt_since" not in known:
        return  # as of cycles, which come back regularly
    found = relearnt(context.history, context.directions, context.onset.interval[1])
    if found is not None:
        first, more = found.metrics[0], len(found.metrics) - 1
        who = first + (f" (and {more} other metric{'s' * (more > 1)})" if more else "")
        text = f"{who} fell back to the values of step {found.since:g} and took the same course again"
        yield Evidence(
            f"{text}: the weights were those of then", 4.0, context.onset.interval[1], {"since": found.since}
        )


def memory(context: Context, series: Series) -> Iterator[Evidence]:
    """Look for memory that fell at once."""
    steps, values = series.clean.steps, series.clean.values
    if len(values) < 5:
        return
    usual = float(np.median(np.abs(np.diff(values))))
    for at in range(1, len(values)):
        fell = float(values[at - 1] - values[at])
        fits = _prompt(context, float(steps[at]))
        if fits > 0 and fell >= 0.2 * abs(values[at - 1]) and fell > 10 * usual:
            moved = f"from {values[at - 1]:.3g} to {values[at]:.3g}"
            text = f"{series.metric} fell {moved} at step {steps[at]:g}, as when a process ends"
            yield Evidence(
                text, 3.0 * fits, float(steps[at]), {"before": float(values[at - 1]), "after": float(values[at])}
            )
            return


def fewer(context: Context, series: Series) -> Iterator[Evidence]:
    """Look for a number of processes that fell, or a throughput that did and stayed there."""
    low, high = context.onset.interval
    steps, values = series.clean.steps, series.clean.values
    before, after = values[steps <= low][-_SOME:], values[steps >= high][:_SOME]
    if len(before) < _FIRST or len(after) < _FIRST:
        return
    had, has = float(np.median(before)), float(np.median(after))
    usual = float(np.median(np.abs(before - had)))
    if 0 <= has <= _SLOWER * had and had - has > 10 * usual:
        text = f"{series.metric} fell from {had:.4g} to {has:.4g} and stayed there, as when a process is lost"
        yield Evidence(text, 3.5, high, {"before": had, "after": has})


def slow(context: Context, series: Series) -> Iterator[Evidence]:
    """Look for steps that took much longer."""
    steps, values = series.clean.steps, series.clean.values
    earlier = values[steps < context.window[0]][-100:]
    if len(earlier) < 5:
        return
    usual = float(np.median(earlier))
    low, high = context.onset.interval
    inside = values[(steps >= low - 3) & (steps <= high + 5)]
    if len(inside) and usual > 0 and float(inside.max()) >= 3 * usual:
        n_slow = int((inside >= 3 * usual).sum())
        text = (
            f"{n_slow} steps took at least three times as long as usual (up to {inside.max():.3g}, usually {usual:.3g})"
        )
        yield Evidence(text, min(2.0, 1.0 + 0.5 * n_slow), None, {"n_slow": n_slow})
