"""Incidents: what belongs together is reported once, and the text never contradicts the list of anomalies."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.histories import BENCH
from exaid_evals.analysis.report.record import summary_record
from exaid_evals.analysis.report.sentences import key_finding, recommendation
from exaid_evals.analysis.stage import Analysis, analyse
from exaid_evals.runs.rows import history_of

sys.path.insert(0, str(BENCH))

from dynamic_histories import TROUBLED as DYNAMIC_TROUBLED
from made_histories import CLEAN, TROUBLED

SEVERE = ("high", "critical")
ALL_IS_WELL = ("nothing else stands out", "No action is needed", "No metric")


def reported(columns: dict[str, np.ndarray]) -> Analysis:
    """Return the analysis of columns over steps 0, 1, 2 and so on."""
    n = max(map(len, columns.values()))
    rows = [{"step": at} | {name: float(one[at]) for name, one in columns.items() if at < len(one)} for at in range(n)]
    return analyse(history_of("run", "jsonl", rows))


@st.composite
def columns(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Return metrics of any course: with steps, spikes, NaN, trends, noise of any size; still; or parting slowly."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    n = draw(st.integers(5, 150))
    if draw(st.integers(0, 3)) == 0:  # what is severe, and no drop
        falls = np.exp(-np.arange(n) / 20)
        return {"train_loss": falls, "val_loss": 2 - falls} if draw(st.booleans()) else {"loss": np.full(n, 2.302)}
    found = {}
    for name in draw(
        st.sets(st.sampled_from(["train_loss", "val_loss", "val_acc", "reward", "lr", "zest"]), min_size=1)
    ):
        values = np.cumsum(rng.normal(0, draw(st.sampled_from([0.0, 0.01, 1.0])), n)) + rng.normal(0, 0.1, n)
        values += draw(st.sampled_from([0.0, 2.0])) * np.exp(-np.arange(n) / 10)
        for at in draw(st.lists(st.integers(0, n - 1), max_size=3)):
            values[at:] += draw(st.sampled_from([-3.0, 3.0, 1e12]))
        for at in draw(st.lists(st.integers(0, n - 1), max_size=3)):
            values[at : at + draw(st.integers(1, 5))] = draw(st.sampled_from([np.nan, np.inf, 1e6]))
        values[0] = 1.0
        found[name] = values
    return found


@given(columns())
@settings(max_examples=60, deadline=None)
def test_the_text_never_contradicts_the_list(found: dict[str, np.ndarray]) -> None:
    """What is high or critical is in an incident; the finding names or counts each, and says no word of peace."""
    analysis = reported(found)
    finding, advice = key_finding(analysis), recommendation(analysis)
    severe = [one for one in analysis.anomalies if one.severity in SEVERE]
    assert {id(one) for one in severe} <= {id(one) for incident in analysis.incidents for one in incident.anomalies}
    if severe:
        assert not any(phrase in finding + advice for phrase in ALL_IS_WELL)
        assert any(one.metric in finding for one in severe)
        more = re.search(r", and (\d+) more\.$", finding)
        spoken_of = 1 + (" Also: " in finding) + (int(more[1]) if more else 0)
        assert spoken_of >= sum(one.severity in SEVERE for one in analysis.incidents)
    record = summary_record(analysis)
    assert record["key_finding"] == finding
    assert len(record["incidents"]) == len(analysis.incidents)


def test_what_begins_together_is_one_incident() -> None:
    """A run whose loss, accuracy and gradient go wrong at once, after which each moves again and again."""
    rng = np.random.default_rng(0)
    bad = np.arange(700) >= 550
    found = {
        f"part{number}_loss": np.exp(rng.normal(-3, 0.1, 700)) * np.where(bad, 30 * np.exp(rng.normal(0, 0.5, 700)), 1)
        for number in range(4)
    }
    analysis = reported(found)
    assert len(analysis.anomalies) > 4
    (one,) = [incident for incident in analysis.incidents if incident.severity in SEVERE]
    assert (one.onset, set(one.metrics)) == ((549.0, 550.0), set(found))


def test_nan_that_stays_is_one_incident_however_few_the_steps() -> None:
    """Of twenty epochs, the reports of the first NaN, the third and the sixth in a row are one."""
    falls = np.exp(-np.arange(20) / 6)
    falls[13:] = np.nan
    (one,) = reported({"loss": falls, "val_loss": falls + 0.2}).incidents
    assert (one.severity, one.onset, set(one.metrics)) == ("critical", (12.0, 13.0), {"loss", "val_loss"})


def test_a_run_of_few_steps_is_not_called_sound() -> None:
    """Two steps show no drop, whatever comes; the finding says how much was seen."""
    assert key_finding(reported({"loss": np.array([2.0, 1.5])})) == "No metric dropped, as far as 2 steps can show."


def test_a_fall_that_passes_is_reported_with_its_recovery() -> None:
    """A recall that is lost for five evaluations and comes back lost what had been learnt: high, with both ends."""
    recall = 0.9 - 0.5 * np.exp(-np.arange(60) / 6) + np.random.default_rng(1).normal(0, 0.004, 60)
    recall[40:45] = 0.3
    analysis = reported({"val_recall": recall})
    (one,) = analysis.incidents
    assert (one.severity in SEVERE, one.onset, one.course, one.recovered_at) == (True, (39.0, 40.0), "recovered", 45.0)
    assert "was back by step 45" in key_finding(analysis)


def test_a_shift_that_is_found_again_once_it_has_lasted_is_reported_once() -> None:
    """A recall that falls to two thirds for good diverges from its best much later: that is the same fall."""
    rng = np.random.default_rng(2)
    recall = 0.9 - 0.6 * np.exp(-np.arange(60) / 6) + rng.normal(0, 0.004, 60)
    recall[35:] -= 0.5
    analysis = reported({"val_recall": recall})
    assert {"change_point", "divergence"} <= {one.kind for one in analysis.anomalies}
    (one,) = analysis.incidents
    assert (one.severity, one.onset, one.lead.kind == "divergence") == ("critical", (34.0, 35.0), False)
    assert "between steps 34 and 35, and stayed there; " in key_finding(analysis)


@pytest.mark.parametrize("kind", CLEAN, ids=lambda kind: kind.__name__)
def test_clean_runs_of_any_method_are_left_alone(kind: object) -> None:
    """Two of each method, of other seeds than those that thresholds were chosen on."""
    for index in range(2):
        run = kind(np.random.default_rng([9, index]))  # type: ignore[operator]
        analysis = analyse(history_of("run", "jsonl", run.rows))
        assert analysis.diagnosis is None
        assert not [one for one in analysis.incidents if one.severity in SEVERE]


@pytest.mark.parametrize("kind", TROUBLED, ids=lambda kind: kind.__name__)
def test_faults_are_reported_and_no_wrong_cause_is_named(kind: object) -> None:
    """Of each fault one run: an incident that is high or critical; the family is right, or not determined."""
    run = kind(np.random.default_rng([9, 7]))  # type: ignore[operator]
    analysis = analyse(history_of("run", "jsonl", [*run.rows, *run.batches]))
    assert [one for one in analysis.incidents if one.severity in SEVERE]
    if analysis.diagnosis is not None and run.family is not None:
        assert analysis.diagnosis.named in (run.family, "unknown")


@pytest.mark.parametrize("kind", DYNAMIC_TROUBLED, ids=lambda kind: kind.__name__)
def test_faults_of_real_dynamics_name_no_wrong_cause(kind: object) -> None:
    """Of each fault one run; what cannot be distinguished from what was logged is called open."""
    run = kind(np.random.default_rng([9, 7]))  # type: ignore[operator]
    diagnosis = analyse(history_of("run", "jsonl", [*run.rows, *run.batches])).diagnosis
    assert diagnosis is None or diagnosis.named in (run.family, "unknown")


def test_steps_that_were_done_again_are_noted() -> None:
    """A run that went on from an old checkpoint, no worse than before, is not said to be without anything."""
    loss = 0.3 + 2 * np.exp(-np.arange(400) / 60) + np.random.default_rng(2).normal(0, 0.01, 400)
    rows = [{"step": at, "train_loss": float(loss[at])} for at in [*range(300), *range(200, 400)]]
    finding = key_finding(analyse(history_of("run", "jsonl", rows)))
    assert "100 steps were logged again" in finding


def test_a_leap_under_a_steady_rate_has_no_cause_and_one_under_a_raised_rate_has() -> None:
    """Weights that were overwritten and a wild gradient look alike, where no norm was logged."""
    rng = np.random.default_rng(3)
    loss = 0.2 + 2 * np.exp(-np.arange(400) / 40) + rng.normal(0, 0.02, 400)
    loss[300:] += 40 + rng.normal(0, 2, 100)
    steady = reported({"train_loss": loss, "lr": np.full(400, 1e-3)}).diagnosis
    raised = reported({"train_loss": loss, "lr": np.where(np.arange(400) < 299, 1e-3, 1e-1)}).diagnosis
    assert steady is not None
    assert raised is not None
    assert (steady.named, raised.named) == ("unknown", "optimisation")


EXTERNAL = Path(__file__).resolve().parents[4] / "shared" / "external" / "histories" / "small"


@pytest.mark.skipif(not EXTERNAL.is_dir(), reason="histories of others are not here: ../shared/external")
@pytest.mark.parametrize("name", ["nan_from_600", "dead", "overfit5", "ten_epochs_70", "dlib2153", "evaldrop_20"])
def test_faults_in_histories_of_others_are_reported(name: str) -> None:
    """Each has an incident that is high or critical."""
    from exaid_evals.runs.registry import find_run

    analysis = analyse(find_run(str(EXTERNAL / f"{name}.csv"), []))
    assert [one for one in analysis.incidents if one.severity in SEVERE]
