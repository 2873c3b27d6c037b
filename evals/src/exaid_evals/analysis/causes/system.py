"""System: the process was restarted, lost its state, or ran out of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from exaid_evals.analysis.causes.base import Cause, Context, Evidence, Family, Hypothesis
from exaid_evals.analysis.causes.optimisation import training_moved
from exaid_evals.runs.history import Series

_RESTART = re.compile(r"restart|resum|preempt|killed|oom|out of memory|crash", re.IGNORECASE)
_MEMORY = re.compile(r"mem|rss", re.IGNORECASE)
_TIME = re.compile(r"(step|batch|iter)[a-z_/.-]*(time|duration|seconds)|time_per", re.IGNORECASE)


class System(Cause):
    """Looks for restarts, steps that were counted again, memory that fell at once, and steps that took much longer."""

    family: Family = "system"

    def weigh(self, context: Context) -> Hypothesis:
        """Weigh what was logged of the process and its machine."""
        evidence = [*_events(context), *_counted_again(context)]
        unseen = []
        for what, pattern, look in (("memory", _MEMORY, _memory), ("the time of a step", _TIME, _slow)):
            series = [one for name, one in _every(context).items() if pattern.search(name)]
            if not series:
                unseen.append(what)
            for one in series[:4]:
                evidence += look(context, one)
        if not any(one.weight > 0 for one in evidence):
            evidence.append(Evidence("no restart, no step counted again and no loss of memory near the drop", -2.0))
        evidence += training_moved(context, for_training=True)
        return Hypothesis(
            self.family,
            "The process was disturbed: it restarted, lost part of its state, or ran short of memory.",
            "Check which checkpoint was loaded and that it holds weights, optimiser and schedule; look at the memory.",
            tuple(sorted(evidence, key=lambda one: -abs(one.weight))),
            tuple(unseen),
        )


def _every(context: Context) -> dict[str, Series]:
    return {**context.history.series, **context.history.system}


def _prompt(context: Context, step: float) -> float:
    """Return how well a disturbance at a step fits: it shows at once, so that one long before the drop does not."""
    low, high = context.onset.interval
    slack = max(3.0, 0.01 * context.span)  # steps that are counted again shift what is logged around them
    if low - slack <= step <= high + slack:
        return 1.0
    return 0.3 * context.near(step)


def _events(context: Context) -> Iterator[Evidence]:
    found = [(_prompt(context, step), step, text) for step, text in context.history.events if _RESTART.search(text)]
    fitting = max((one for one in found if one[0] > 0), default=None)
    if fitting is not None:
        yield Evidence(f"step {fitting[1]:g}: {fitting[2]}", 4.5 * fitting[0], fitting[1])
    elif found:
        text = (
            f"{len(found)} restarts at other steps ({', '.join(f'{step:g}' for _, step, _ in found[:4])}) did no harm"
        )
        yield Evidence(text, -0.5)


def _counted_again(context: Context) -> Iterator[Evidence]:
    """The steps of a run that resumed from a checkpoint go back."""
    longest = max(context.history.series.values(), key=lambda one: len(one.points), default=None)
    if longest is None:
        return
    for before, after in zip(longest.points, longest.points[1:], strict=False):
        if after.step < before.step and (fits := max(_prompt(context, after.step), _prompt(context, before.step))) > 0:
            text = f"the steps go back from {before.step:g} to {after.step:g}: the run was resumed from a checkpoint"
            yield Evidence(text, 4.0 * fits, after.step, {"from": before.step, "to": after.step})
            return


def _memory(context: Context, series: Series) -> Iterator[Evidence]:
    import numpy as np

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


def _slow(context: Context, series: Series) -> Iterator[Evidence]:
    import numpy as np

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
