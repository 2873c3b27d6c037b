"""Whether, when and within which reading budget updates report the step at which a conversation went wrong."""

from __future__ import annotations

from functools import partial

from exaid_evals.artifacts.text_units import CHARS_PER_CTU
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import DecisiveStep, Observation
from exaid_evals.stats.descriptive import median_survival


def measures(config: MetricsConfig) -> list[Measure]:
    """Whether, when and within which reading budget updates report the step at which a conversation went wrong.

    For conversations whose importer knows that step. Counted are the concepts that were first stated in it: what had
    been said before is no news of the step.
    """
    return [
        Measure("told_by_step", "share", "higher", reported_by_step),
        *(
            Measure(f"told_by_step_at_{budget}", "share", "higher", partial(reported_by_step_at, budget=budget))
            for budget in config.budget_list
        ),
        Measure("told_by_step_delay_ms", "ms", "lower", reported_by_step_delay),
        Measure("told_by_step_ctu", "CTU", "lower", reported_by_step_ctu),
    ]


def reported_by_step(seen: Observation) -> float | None:
    """|D ∩ ∪(K(s_i) ∩ K(T_i))| / |D|, D: the concepts first stated in the decisive step.

    Edge case: undefined where no step is known to be decisive, or it states nothing new.

    The step first states A and B; an update reports A after it was said.

    >>> step = DecisiveStep(frozenset({"A", "B"}), start_ms=0)
    >>> reported_by_step(Observation(stated_ms={"A": 5, "B": 9}, updates=(Update(t_ms=10, concepts={"A"}),), step=step))
    0.5
    """
    step = seen.step
    if step is None or not step.concepts:
        return None
    return len(step.concepts & seen.reported_by.keys()) / len(step.concepts)


def reported_by_step_at(seen: Observation, budget: int) -> float | None:
    """The same, of what is read within a budget of CTU from the beginning of the step on.

    Updates that were emitted before it have been read by then.

    Edge cases: as `told_by_step`.

    >>> step = DecisiveStep(frozenset({"A"}), start_ms=0)
    >>> late = Update(t_ms=10, concepts={"A"}, mentions=(Mention("A", 90, 100),), length=100)
    >>> seen = Observation(stated_ms={"A": 5}, updates=(late,), step=step)
    >>> reported_by_step_at(seen, budget=24), reported_by_step_at(seen, budget=25)
    (0.0, 1.0)
    """
    step = seen.step
    if step is None or not step.concepts:
        return None
    return sum(end <= budget * CHARS_PER_CTU for end in _read_until(seen, step).values()) / len(step.concepts)


def reported_by_step_delay(seen: Observation) -> float | None:
    """The time until half of D is reported: the Kaplan–Meier median of the time from a first mention to its report.

    Edge cases: undefined where half of it never is; and as `told_by_step`.

    >>> step = DecisiveStep(frozenset({"A"}), start_ms=0)
    >>> reported_by_step_delay(Observation(stated_ms={"A": 5}, updates=(Update(t_ms=10, concepts={"A"}),), step=step))
    5
    """
    step = seen.step
    if step is None or not step.concepts:
        return None
    reported = {concept: seen.reported_by.get(concept) for concept in sorted(step.concepts)}
    waits = [(seen.last_ms if one is None else one.t_ms) - seen.stated_ms[c] for c, one in reported.items()]
    return median_survival(waits, [one is not None for one in reported.values()])


def reported_by_step_ctu(seen: Observation) -> float | None:
    """The CTU to be read from the beginning of the step on until half of D is reported.

    Edge cases: undefined where half of it never is; and as `told_by_step`.

    >>> step = DecisiveStep(frozenset({"A"}), start_ms=0)
    >>> late = Update(t_ms=10, concepts={"A"}, mentions=(Mention("A", 90, 99),), length=100)
    >>> reported_by_step_ctu(Observation(stated_ms={"A": 5}, updates=(late,), step=step))
    25
    """
    step = seen.step
    if step is None or not step.concepts:
        return None
    ends = sorted(_read_until(seen, step).values())
    half = -(-len(step.concepts) // 2)
    return -(-ends[half - 1] // CHARS_PER_CTU) if len(ends) >= half else None


def _read_until(seen: Observation, step: DecisiveStep) -> dict[str, int]:
    """Return concept of the step → code points of f_1 f_2 … to be read from its beginning on until it is reported."""
    found: dict[str, int] = {}
    start = 0
    for update in seen.updates:
        reported = [
            one for one in update.mentions if one.concept_id in step.concepts and seen.was_said(one.concept_id, update)
        ]
        # Of what is emitted at the moment at which the step begins, an update that reports it came after.
        if update.t_ms <= step.start_ms and not reported:
            continue
        for mention in reported:
            found.setdefault(mention.concept_id, start + mention.end)
        start += update.length
    return found
