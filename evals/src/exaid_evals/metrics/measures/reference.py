"""Updates against a clinician's note of the case, for cases that have one.

What is compared is the text of all updates that kept the schema, in order. `exaid_evals.factuality.reference` says how:
`content` are words and values that carry content, `concept` affirmed concepts, `term` clinical words, pairs of them and
concepts, `value` numbers with their units and dates. How far they agree with people: docs/human_agreement.md.
"""

from __future__ import annotations

from functools import partial

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.factuality.reference import NAMES
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
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
