"""Statements of updates against what had been said: numbers, units, sides, denials and plans, beyond concepts.

An update is divided into statements, at conjunctions and marks; `exaid_evals.factuality.support` says how each is
judged. The family `meaning` takes what comes near in other words as said too. How far that agrees with people:
docs/human_agreement.md.
"""

from __future__ import annotations

from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.factuality.support import Verdict
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    return [
        Measure(
            f"statements_{verdict.value}",
            "share",
            "higher" if verdict is Verdict.SUPPORTED else "lower",
            partial(statements, verdict=verdict.value),
        )
        for verdict in Verdict
    ]


def by_meaning(_: MetricsConfig) -> list[Measure]:
    """Declare the family that knows other words too (extra `meaning`)."""
    shares = [
        Measure(
            f"statements_{verdict.value}_by_meaning",
            "share",
            "higher" if verdict is Verdict.SUPPORTED else "lower",
            partial(statements, verdict=f"{verdict.value}_by_meaning"),
        )
        for verdict in Verdict
    ]
    return [*shares, Measure("restated_by_meaning", "share", "lower", restated_by_meaning)]


def statements(seen: Observation, verdict: str) -> float | None:
    """Of the statements of all updates, the share that what had been said supports, contradicts, or does not hold.

    Edge cases: failed updates are left out; undefined where no statement is left.

    >>> statements(Observation(noted={"statements_not_found": 0.25}), "not_found")
    0.25
    """
    return seen.noted.get(f"statements_{verdict}")


def restated_by_meaning(seen: Observation) -> float | None:
    """Of the statements of all updates, the share that comes near a sentence of an earlier update, in whatever words.

    Near is a cosine of sentence embeddings of 0.60 or more. `restated` is the same of concepts.

    Edge cases: failed updates are left out; undefined where no statement is left; the first update restates nothing.

    >>> restated_by_meaning(Observation(noted={"statements_restated_by_meaning": 0.5}))
    0.5
    """
    return seen.noted.get("statements_restated_by_meaning")
