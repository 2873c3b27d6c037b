"""How much of what was said reaches the clinician: in all, within a budget of reading, and how early."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial

from exaid_evals.artifacts.text_units import CHARS_PER_CTU
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation, Update


def measures(_: MetricsConfig) -> list[Measure]:
    """How much of what was said reaches the clinician at all."""
    return [
        Measure("coverage", "share", "higher", coverage, version=2),
        Measure("concepts_told", "count", "higher", concepts_told),
        Measure("concepts_never_told", "count", "lower", concepts_never_told),
        Measure("anticipated", "share", "lower", anticipated),
    ]


def coverage(seen: Observation) -> float | None:
    """|∪(K(s_i) ∩ K(T_i))| / |K(T)|: the share of what was said that some update states after it was said.

    T_i is what had been said, whole, when update i was emitted: a guess that comes true later does not count.

    Edge cases: undefined where the conversation states no concept; a failed update adds nothing; no update gives 0.

    The conversation states A, B, C and D, the last one after the updates, which state A and X, then A, B and D: two of
        four.

    >>> said = {"A": 0, "B": 0, "C": 0, "D": 900}
    >>> updates = (Update(t_ms=10, concepts={"A", "X"}), Update(t_ms=20, concepts={"A", "B", "D"}))
    >>> coverage(Observation(stated_ms=said, updates=updates))
    0.5
    """
    if not seen.trace_concepts:
        return None
    return len(seen.reported_by) / len(seen.trace_concepts)


def concepts_told(seen: Observation) -> float:
    """|∪(K(s_i) ∩ K(T_i))|: how many of the conversation's concepts some update states after they were said.

    >>> concepts_told(Observation(stated_ms={"A": 0, "B": 0}, updates=(Update(concepts={"A"}),)))
    1
    """
    return len(seen.reported_by)


def concepts_never_told(seen: Observation) -> float:
    """|K(T)| − |∪(K(s_i) ∩ K(T_i))|: how many of the conversation's concepts never reach the clinician.

    >>> concepts_never_told(Observation(stated_ms={"A": 0, "B": 0}, updates=(Update(concepts={"A"}),)))
    1
    """
    return len(seen.trace_concepts) - len(seen.reported_by)


def anticipated(seen: Observation) -> float | None:
    """The share of K(∪s) that an update stated before anyone had said it, and that somebody said later.

    What nobody ever says is `unsupported`; what is neither was said before it was first stated.

    Edge case: undefined where the updates state no concept.

    A was said first, B after the update, X never: one of three.

    >>> seen = Observation(stated_ms={"A": 0, "B": 900}, updates=(Update(t_ms=10, concepts={"A", "B", "X"}),))
    >>> round(anticipated(seen), 3)
    0.333
    """
    first: dict[str, Update] = {}
    for update in seen.updates:
        for concept in update.concepts:
            first.setdefault(concept, update)
    early = [c for c, update in first.items() if c in seen.trace_concepts and not seen.was_said(c, update)]
    return len(early) / len(first) if first else None


WHOLE_UPDATES = "whole_updates"


def coverage_at_budget_measures(config: MetricsConfig) -> list[Measure]:
    """How much of what was said reaches a clinician who reads only so much."""
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


def coverage_auc_measures(config: MetricsConfig) -> list[Measure]:
    """How early in the reading coverage comes, as one number."""
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
