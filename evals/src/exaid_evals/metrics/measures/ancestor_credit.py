"""Coverage that credits a nearly right concept, for those who ask for it.

In metrics.yaml: ``measures: ["exaid_evals.metrics.measures.ancestor_credit:measures"]``; `coverage` stands beside it.
"""

from __future__ import annotations

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation
from exaid_evals.ontologies.hpo import lin


def measures(_: MetricsConfig) -> list[Measure]:
    """Declare the family."""
    return [Measure("coverage_ancestor_credit", "share", "higher", coverage_ancestor_credit)]


def coverage_ancestor_credit(seen: Observation) -> float | None:
    """The mean, over K(T), of how near the nearest concept is that an update states after the one was said.

    Nearness is Lin's similarity of phenotypes in HPO, so that a parent or child is a partial match; concepts of other
    vocabularies are near to themselves alone. At least as much as `coverage`.

    Edge cases: as of `coverage`.

    Seizure was said; the update reports focal-onset seizures, which are seizures.

    >>> seen = Observation(stated_ms={"HP:0001250": 0}, updates=(Update(t_ms=10, concepts={"HP:0007359"}),))
    >>> 0.5 < coverage_ancestor_credit(seen) < 1
    True
    """
    if not seen.trace_concepts:
        return None
    total = 0.0
    for one in sorted(seen.trace_concepts):
        reported = frozenset().union(*(update.concepts for update in seen.updates if seen.was_said(one, update)))
        total += max((lin(one, other) for other in reported), default=0.0)
    return total / len(seen.trace_concepts)
