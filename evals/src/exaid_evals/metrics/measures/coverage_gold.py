"""Coverage without an extractor: against what messages really state, for updates that copy them."""

from __future__ import annotations

from functools import partial

from exaid_evals.artifacts.text_units import CHARS_PER_CTU
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.measures.coverage import WHOLE_UPDATES, coverage
from exaid_evals.metrics.observation import Observation


def measures(config: MetricsConfig) -> list[Measure]:
    """Coverage without an extractor: against what messages really state, for updates that copy them.

    In the examples `labelled(labels)` is a conversation of one message with gold labels as kind, concept, start and
    end.
    """
    return [
        Measure("coverage_gold", "share", "higher", coverage_gold),
        Measure("coverage_error", "share", "neither", coverage_error),
        *(
            Measure(
                f"coverage_gold_at_{budget}",
                "share",
                "higher",
                partial(coverage_gold_at_budget, budget=budget, policy=config.budget_policy),
            )
            for budget in config.budget_list
        ),
    ]


def coverage_gold(seen: Observation) -> float | None:
    """|G(∪s)| / |G(T)|: of the concepts that the conversation really states, the share that some update states.

    G(T) are the gold concepts of the conversation. G(s_i) are those whose gold mention was copied whole into s_i, which
    must consist of sentences of the conversation (`exaid_evals.metrics.observe` says how that is decided), since nobody
    labels what a middleware writes.

    Edge cases: undefined without labels, where the conversation states no known concept, where the text of one update
    is no copy, and where it is a copy of text that nobody has labelled: of a real case report, which may state
    anything. A failed update adds nothing.

    The conversation really states A and B; the update copies a sentence that states A.

    >>> update = Update(gold=(Mention("A", 0, 1),))
    >>> coverage_gold(labelled([("canonical", "A", 0, 1), ("synonym", "B", 5, 9)], updates=[update]))
    0.5
    """
    stated, reported = seen.gold_concepts, seen.gold_output
    return len(reported) / len(stated) if stated and reported is not None else None


def coverage_error(seen: Observation) -> float | None:
    """Difference coverage − coverage_gold: what it changes to count by the extractor instead of by gold labels.

    Two things are in it: what the extractor misses or makes up, and what it finds in text that nobody labelled, which
    coverage counts and coverage_gold does not (`extractor_unjudged` says how much that is).

    Edge case: undefined where one of the two is.

    The extractor finds A alone, in conversation and update: coverage 1, where it really is 1/2.

    >>> update = Update(concepts={"A"}, gold=(Mention("A", 0, 1),))
    >>> seen = labelled([("canonical", "A", 0, 1), ("synonym", "B", 5, 9)], updates=[update], stated_ms={"A": 0})
    >>> coverage_error(seen)
    0.5
    """
    measured, real = coverage(seen), coverage_gold(seen)
    return measured - real if measured is not None and real is not None else None


def coverage_gold_at_budget(seen: Observation, budget: int, policy: str = "cut") -> float | None:
    """`coverage_gold` of the first 4·B code points of the output, as `coverage_at_B` counts them.

    f_i begins with s_i, whose gold mentions keep their places; what f_i adds states nothing.

    Edge cases: undefined where `coverage_gold` is, and where some f_i does not begin with its s_i.

    A ends at 3 in an update of 12 code points and B at 10: B = 2 CTU are 8 code points.

    >>> update = Update(gold=(Mention("A", 0, 3), Mention("B", 6, 10)), length=12)
    >>> seen = labelled([("canonical", "A", 0, 3), ("canonical", "B", 6, 10)], updates=[update])
    >>> [coverage_gold_at_budget(seen, budget) for budget in (0, 2, 3)]
    [0.0, 0.5, 1.0]
    >>> coverage_gold_at_budget(seen, 2, "whole_updates")
    0.0
    """
    offsets = seen.gold_shown_whole_at if policy == WHOLE_UPDATES else seen.gold_completed_at
    if not seen.gold_concepts or offsets is None:
        return None
    return sum(offset <= CHARS_PER_CTU * budget for offset in offsets.values()) / len(seen.gold_concepts)
