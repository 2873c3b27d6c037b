"""How much of what was said reaches a clinician who reads only so much."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial

from exaid_evals.artifacts.text_units import CHARS_PER_CTU
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation

WHOLE_UPDATES = "whole_updates"


def measures(config: MetricsConfig) -> list[Measure]:
    """Declare one measure per budget."""
    return [
        Measure(
            f"coverage_at_{budget}",
            "share",
            "higher",
            partial(coverage_at_budget, budget=budget, policy=config.budget_policy),
            version=2,
        )
        for budget in config.budget_list
    ]


def coverage_at_budget(seen: Observation, budget: int, policy: str = "cut") -> float | None:
    """Coverage of the first 4·B code points of the output f_1 f_2 … in order of emission.

    A concept counts when one of its mentions in an update that came after it was said lies whole within the cut.
    Mentions are those of the whole updates, found before the cut, so that a cut can neither make nor change one, and
    coverage never falls as B grows. Under the policy `whole_updates` it counts only when the whole update that mentions
    it fits. All of f_i takes room, as the clinician reads it; concepts are those of s_i, its fields without
    `agent_contributions`, in the places that they have in f_i. So it never exceeds `coverage`, and reaches it when all
    is read.

    Edge cases: undefined where the conversation states no concept; a failed update takes its room and adds nothing.

    Two updates of 12 code points: A ends at 3 and B at 10 in the first, C at 8 in the second, hence at 20 in the
    output. B = 2 CTU are 8 code points (A alone); B = 5 CTU are 20 (all three, but only one whole update).

    >>> first = Update(mentions=(Mention("A", 0, 3), Mention("B", 6, 10)), length=12)
    >>> second = Update(mentions=(Mention("C", 2, 8),), length=12)
    >>> seen = Observation(stated_ms={"A": 0, "B": 0, "C": 0, "D": 0}, updates=(first, second))
    >>> [coverage_at_budget(seen, budget) for budget in (0, 2, 5)]
    [0.0, 0.25, 0.75]
    >>> [coverage_at_budget(seen, budget, "whole_updates") for budget in (2, 5, 6)]
    [0.0, 0.5, 0.75]
    """
    return coverage_curve(seen, [budget], policy)[0]


def completion_offsets(seen: Observation, policy: str) -> Sequence[int]:
    """Return, per concept that the output states, the code points to read until it counts; in no order."""
    return list((seen.shown_whole_at if policy == WHOLE_UPDATES else seen.completed_at).values())


def coverage_curve(seen: Observation, budgets: Sequence[int], policy: str) -> list[float | None]:
    """Return coverage at each budget.

    >>> coverage_curve(Observation(stated_ms={}), [0, 25], "cut")
    [None, None]
    """
    if not seen.trace_concepts:
        return [None for _ in budgets]
    offsets = sorted(completion_offsets(seen, policy))
    return [bisect_right(offsets, CHARS_PER_CTU * budget) / len(seen.trace_concepts) for budget in budgets]
