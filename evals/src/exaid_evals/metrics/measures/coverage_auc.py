"""How early in the reading coverage comes, as one number."""

from __future__ import annotations

from functools import partial

from exaid_evals.artifacts.text_units import CHARS_PER_CTU
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.measures.coverage_at_budget import completion_offsets
from exaid_evals.metrics.observation import Observation


def measures(config: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    compute = partial(coverage_auc, largest=config.budget_list[-1], policy=config.budget_policy)
    return [Measure("coverage_auc", "share", "higher", compute, version=2)]


def coverage_auc(seen: Observation, largest: int, policy: str = "cut") -> float | None:
    """Area under coverage over budgets from 0 to max B, divided by max B.

    Coverage is a step function of the budget, so the area is exact: a concept complete after o code points adds
    max(0, max B − o/4) / (max B · |K(T)|). The result lies between 0 and coverage at max B.

    Edge cases: undefined where the conversation states no concept; what comes after max B adds nothing.

    A is complete after 8 code points, 2 CTU, and B after 80, 20 CTU. With max B = 10: (10 − 2) / (10 · 2).

    >>> update = Update(mentions=(Mention("A", 0, 8), Mention("B", 70, 80)), length=80)
    >>> coverage_auc(Observation(stated_ms={"A": 0, "B": 0}, updates=(update,)), largest=10)
    0.4
    """
    if not seen.trace_concepts:
        return None
    # In code points the sum stays an integer, hence exact.
    room = CHARS_PER_CTU * largest
    area = sum(max(0, room - offset) for offset in completion_offsets(seen, policy))
    return area / (room * len(seen.trace_concepts))
