"""Causes that were planted are named, each family for its own reasons, and clean runs are left alone."""

from __future__ import annotations

import re
import sys

import pytest

from analysis.histories import BENCH, simulated
from exaid_evals.analysis.causes.rank import Diagnosis
from exaid_evals.analysis.stage import analyse
from exaid_evals.runs.history import History


def diagnosis_of(history: History) -> Diagnosis | None:
    """Rank the causes with the default settings."""
    return analyse(history).diagnosis


@pytest.mark.parametrize(
    ("kind", "index", "family", "word"),
    [
        ("wrong_labels", 1004, "data", "drawn more often|same items"),
        ("learning_rate_jump", 3001, "optimisation", "lr rose"),
        ("validation_order_changed", 8000, "evaluation", "another place"),
        ("validation_set_reduced", 7000, "evaluation", "are shared"),
        ("lost_state", 10000, "system", "restart|memory"),
    ],
)
def test_each_family_is_named_for_its_reason(kind: str, index: int, family: str, word: str) -> None:
    """The planted family comes first, and what was really done is what is given as the reason."""
    found = diagnosis_of(simulated(kind, index))
    assert found is not None
    assert found.named == family
    assert any(re.search(word, part.text) for part in found.hypotheses[0].evidence if part.weight > 0)
    assert sum(found.shares) == pytest.approx(1.0)


def test_the_interval_holds_the_onset() -> None:
    """The onset that was planted lies where the analysis says, give or take the steps until harm shows."""
    sys.path.insert(0, str(BENCH))
    from simulated_runs import simulate

    run = simulate(31, 1004, "wrong_labels")
    found = diagnosis_of(simulated("wrong_labels", 1004))
    assert found is not None
    low, high = found.onset.interval
    assert run.onset is not None
    assert low - 2 <= run.onset <= high + 2


def test_a_clean_run_has_no_cause() -> None:
    """Three clean runs with decays, restarts and spikes have nothing that needs a cause."""
    assert [diagnosis_of(simulated(None, 900_000 + number)) for number in range(3)] == [None, None, None]


def test_a_simulated_run_is_the_same_again_and_halves_differ() -> None:
    """The generator depends on nothing but its seed, and no run stands in both halves."""
    from simulated_runs import DEVELOPMENT, HELD_OUT, simulate

    first, again, other = (simulate(half, 3, "corrupt_images") for half in (DEVELOPMENT, DEVELOPMENT, HELD_OUT))
    assert repr(first.rows) == repr(again.rows)
    assert repr(first.rows) != repr(other.rows)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_benchmark_passes_and_the_page_shows_its_table() -> None:
    """At least 90 % of the held-out causes are named first, at most 5 % of clean runs alarm; the page is current."""
    import bench_root_causes as bench

    results = {name: bench.evaluate(seed, 2) for name, seed in bench.HALVES.items()}
    held = results["held-out"]
    assert held.share_named >= bench.LEAST_NAMED
    assert held.share_alarms <= bench.MOST_ALARMS
    assert bench.table(results) in bench.PAGE.read_text(encoding="utf-8")
