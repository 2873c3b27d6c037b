"""Evaluation: not the model changed, but what it is measured on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from exaid_evals.analysis.causes.base import Cause, Context, Evidence, Family, Hypothesis
from exaid_evals.analysis.causes.optimisation import training_moved
from exaid_evals.runs.metric_names import is_validation

_SIZE = re.compile(
    r"(n|num|count|size)[/._-]?(val|eval|valid|test)|(val|eval|valid|test)[/._-]?(n|num|size|count)([/._-]|$)"
)


class Evaluation(Cause):
    """Looks whether the items of the evaluation, their number or their order changed with the drop."""

    family: Family = "evaluation"

    def weigh(self, context: Context) -> Hypothesis:
        """Weigh what was logged of the evaluations."""
        evidence: list[Evidence] = []
        unseen = []
        sets = evaluated_items(context)
        if len(sets) >= 2:
            evidence += _changed(context, sets)
        else:
            unseen.append("the items of each evaluation (log_batch_metrics with phase='eval')")
        evidence += _sizes(context)
        evidence += training_moved(context, for_training=False)
        metric = context.onset.anomaly.metric
        if not is_validation(metric):
            evidence.append(Evidence(f"{metric} is not called a metric of an evaluation", -2.0))
        return Hypothesis(
            self.family,
            "The evaluation changed, and not the model: its set, the set's size, or the order of its items.",
            "Compare the lists of evaluated items before and after, fix them in the configuration, and evaluate again.",
            tuple(sorted(evidence, key=lambda one: -abs(one.weight))),
            tuple(unseen),
        )


def evaluated_items(context: Context) -> list[tuple[float, tuple[str, ...]]]:
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


def _sizes(context: Context) -> Iterator[Evidence]:
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
