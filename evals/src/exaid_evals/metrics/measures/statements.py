"""Updates against texts: statements against what had been said, content against a clinician's note."""

from __future__ import annotations

from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.factuality.reference import NAMES, Verdict
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """Statements of updates against what had been said: numbers, units, sides, denials and plans, beyond concepts.

    An update is divided into statements, at conjunctions and marks; `exaid_evals.factuality.reference` says how each is
    judged. The family `meaning` takes what comes near in other words as said too. How far that agrees with people:
    docs/human_agreement.md.
    """
    return [
        Measure(
            f"statements_{verdict.value}",
            "share",
            "higher" if verdict is Verdict.SUPPORTED else "lower",
            partial(statements, verdict=verdict.value),
        )
        for verdict in Verdict
    ]


def meaning_measures(_: MetricsConfig) -> list[Measure]:
    """Statements of updates, where what comes near in other words counts as said too (extra `meaning`)."""
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


def reference_measures(_: MetricsConfig) -> list[Measure]:
    """Updates against a clinician's note of the case, for cases that have one.

    What is compared is the text of all updates that kept the schema, in order. `exaid_evals.factuality.reference` says
    how: `content` are words and values that carry content, `concept` affirmed concepts, `term` clinical words, pairs of
    them and concepts, `value` numbers with their units and dates. How far they agree with people:
    docs/human_agreement.md.
    """
    return [
        *(
            Measure(f"reference_{name}_{side}", "share", "higher", partial(reference_overlap, name=name, side=side))
            for name in NAMES
            for side in ("precision", "recall", "f1")
        ),
        Measure("reference_negation_agreement", "share", "higher", reference_negation_agreement),
    ]


def reference_overlap(seen: Observation, name: str, side: str) -> float | None:
    """Precision, recall or F1 of what the updates hold, against what the clinician's note holds.

    Edge cases: undefined without a reference, and where nothing of the kind stands in the updates (precision), in the
    note (recall), or in either (F1).

    >>> seen = Observation(noted={"reference_concept_recall": 0.5})
    >>> reference_overlap(seen, "concept", "recall")
    0.5
    """
    return seen.noted.get(f"reference_{name}_{side}")


def reference_negation_agreement(seen: Observation) -> float | None:
    """Of the note's parts of concepts that the updates mention too, the share that both affirm or both deny.

    Edge case: undefined without a reference, and where they share none.

    >>> reference_negation_agreement(Observation(noted={"reference_negation_agreement": 1.0}))
    1.0
    """
    return seen.noted.get("reference_negation_agreement")
