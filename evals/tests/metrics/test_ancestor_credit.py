"""Coverage with ancestor credit, which a configuration may ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.measures.ancestor_credit import coverage_ancestor_credit
from exaid_evals.metrics.measures.coverage import coverage
from exaid_evals.metrics.observation import Observation, Update
from exaid_evals.metrics.registry import load_measures
from exaid_evals.ontologies.hpo import lin

FAMILY = "exaid_evals.metrics.measures.ancestor_credit:measures"
CONCEPTS = st.sampled_from(["HP:0001250", "HP:0007359", "HP:0001251", "HP:0002066", "HP:0000107", "MESH:C01"])
UPDATES = st.builds(Update, t_ms=st.integers(0, 20), concepts=st.frozensets(CONCEPTS))


@given(
    said=st.dictionaries(CONCEPTS, st.integers(0, 20), min_size=1),
    updates=st.lists(UPDATES, max_size=4).map(tuple),
)
def test_credit_lies_between_coverage_and_one(said: dict[str, int], updates: tuple[Update, ...]) -> None:
    """A concept that is reported counts whole, a near one in part, and what comes before it was said counts nothing."""
    seen = Observation(stated_ms=said, updates=updates)
    credited, plain = coverage_ancestor_credit(seen), coverage(seen)
    assert credited is not None
    assert plain is not None
    assert plain <= credited + 1e-12
    assert credited <= 1 + 1e-12


def test_a_child_counts_as_much_as_it_is_similar() -> None:
    """Of two concepts that were said, one is reported by its child and the other not at all."""
    seen = Observation(
        stated_ms={"HP:0001250": 0, "MESH:C01": 0}, updates=(Update(t_ms=1, concepts=frozenset({"HP:0007359"})),)
    )
    assert coverage_ancestor_credit(seen) == pytest.approx(lin("HP:0001250", "HP:0007359") / 2)
    assert coverage_ancestor_credit(Observation()) is None


def test_a_configuration_asks_for_it_by_name() -> None:
    """It is none of the default measures; `measures` in metrics.yaml adds it."""
    default = {measure.name for measure in load_measures(MetricsConfig())}
    asked = {measure.name for measure in load_measures(MetricsConfig(measures=(FAMILY,)))}
    assert asked - default == {"coverage_ancestor_credit"}
