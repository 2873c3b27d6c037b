"""Selective accuracy and thresholds, against slow second ones, and the calibration's bins."""

from __future__ import annotations

import json
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from exaid_evals.errors import ConfigError  # noqa: E402
from exaid_evals.run_eval import LogisticAdapter, TaskSpec, VisionClassificationAdapter, evaluate, run_eval  # noqa: E402
from exaid_evals.run_eval.calibration import RiskCoverage, best_thresholds, logit_of  # noqa: E402
from exaid_evals.stats.descriptive import wilson_interval  # noqa: E402
from small_torch import Echo, batched, config_of, random_set, vision_spec  # noqa: E402

SETS = st.lists(st.tuples(st.sampled_from([0.3, 0.5, 0.5000001, 0.9, 1.0]), st.booleans()), min_size=1, max_size=6)


def area(right: list[bool]) -> float:
    """Return the mean share wrong among the first 1 … n, by counting."""
    return float(np.mean([right[: k + 1].count(False) / (k + 1) for k in range(len(right))]))


@settings(max_examples=60, deadline=None)
@given(SETS)
def test_the_area_is_the_mean_over_all_orders_of_equals(answers: list[tuple[float, bool]]) -> None:
    """Every order that is sorted by confidence is equally likely; the excess is over the best order of all."""
    orders = [one for one in permutations(answers) if all(a[0] >= b[0] for a, b in pairwise(one))]
    expected = np.mean([area([right for _, right in one]) for one in orders])
    found = RiskCoverage(np.array([c for c, _ in answers]), np.array([r for _, r in answers]))
    assert found.aurc() == pytest.approx(expected, abs=1e-12)
    best = area(sorted((right for _, right in answers), reverse=True))
    assert found.excess() == pytest.approx(expected - best, abs=1e-12)
    assert found.curve()[-1] == pytest.approx((1.0, 1 - np.mean([right for _, right in answers])))


@settings(max_examples=60, deadline=None)
@given(SETS)
def test_a_threshold_reaches_what_it_says(answers: list[tuple[float, bool]]) -> None:
    """Answering from a threshold on gives the coverage and accuracy of its row; none higher up answers more."""
    confidence, right = (np.array(column) for column in zip(*answers, strict=True))
    table = RiskCoverage(confidence, right).table()
    for row in table["by_coverage"] + table["by_accuracy"]:
        if row["threshold"] is None:
            continue
        kept = confidence >= row["threshold"]
        assert (row["n"], row["coverage"], row["accuracy"]) == (kept.sum(), kept.mean(), right[kept].mean())
    for row in table["by_accuracy"]:
        reaching = [
            (confidence >= t).sum() for t in confidence if right[confidence >= t].mean() >= row["wanted"] - 1e-9
        ]
        assert row["n"] == max(reaching, default=0)


def test_selective_accuracy_does_not_depend_on_batches(tmp_path: Path) -> None:
    """Its numbers are in the metrics and the file, the same for every division into batches."""
    logits, labels = random_set(57, 5)
    found = []
    for sizes in ([57], [20, 30, 7]):
        config = config_of(batched(logits, labels, sizes), selective=True, output_dir=tmp_path)
        found.append(evaluate(Echo(), VisionClassificationAdapter(), config, vision_spec(5)))
    assert found[0].metrics == pytest.approx(found[1].metrics, rel=1e-12)
    assert found[0].details["selective"] == found[1].details["selective"]
    p = logits.double().softmax(1).max(1).values.numpy()
    right = (logits.argmax(1) == labels).numpy()
    assert found[0].metrics["aurc"] == pytest.approx(area(right[np.argsort(-p)].tolist()))
    written = json.loads((tmp_path / "metrics" / "evaluation.json").read_text())["selective"]
    assert written["by_coverage"][-1]["accuracy"] == pytest.approx(right.mean(), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.4, 0.5, 0.8]), st.booleans()), min_size=2, max_size=9))
def test_no_threshold_is_better_than_the_best(answers: list[tuple[float, bool]]) -> None:
    """Every threshold between scores is tried, with scikit-learn's F1."""
    from sklearn.metrics import f1_score, recall_score

    scores, truth = (np.array(column) for column in zip(*answers, strict=True))
    found = best_thresholds(scores, truth)
    if truth.all() or not truth.any():
        assert found == {"f1": None, "youden": None}
        return
    tried = [0.05, 0.2, 0.45, 0.6]
    f1 = [f1_score(truth, scores > t) for t in tried]
    youden = [recall_score(truth, scores > t) + recall_score(~truth, scores <= t) - 1 for t in tried]
    for name, values in (("f1", f1), ("youden", youden)):
        best = found[name]
        assert best is not None
        assert best[name] == pytest.approx(max(values))
        assert f1_score(truth, scores > best["threshold"]) == pytest.approx(best["f1"])


def test_a_threshold_decides_yes_or_no(tmp_path: Path) -> None:
    """`output_schema.threshold` moves predictions and accuracy, and neither loss nor areas."""
    logits = torch.tensor([-2.0, -0.5, 0.5, 2.0])
    labels = torch.tensor([0, 1, 1, 1])
    config = config_of([(logits, labels)], metrics=["loss", "accuracy", "auroc"], output_dir=tmp_path)
    found = [
        evaluate(Echo(), LogisticAdapter(), config, TaskSpec(None, "binary_classification", {}, {"threshold": t}))
        for t in (0.5, 0.3)
    ]
    assert [one.metrics["accuracy"] for one in found] == [0.75, 1.0]
    assert found[0].metrics["loss"] == found[1].metrics["loss"]
    assert found[1].details["best_thresholds"]["f1"]["f1"] == 1.0
    rows = (tmp_path / "val_predictions.csv").read_text().splitlines()
    assert [row.split(",")[2] for row in rows[1:]] == ["0", "1", "1", "1"]
    with pytest.raises(ConfigError, match=r"is 1\.5; give a number"):
        logit_of(1.5)


def test_bins_have_wilsons_intervals() -> None:
    """Each bin's accuracy stands with the interval that its count allows; an empty one has none."""
    config = config_of([random_set(40, 3)], calibration=True, calibration_bins=5)
    rows = evaluate(Echo(), VisionClassificationAdapter(), config, vision_spec(3)).details["calibration_bins"]
    assert sum(row["n"] for row in rows) == 40
    for row in rows:
        interval = (row["accuracy_ci95_low"], row["accuracy_ci95_high"])
        expected = wilson_interval(round(row["accuracy"] * row["n"]), row["n"]) if row["n"] else (None, None)
        assert interval == expected


def test_areas_are_asked_for_by_name() -> None:
    """`metrics=["aurc"]` needs no option."""
    found = run_eval(
        Echo(), VisionClassificationAdapter(), config_of([random_set(9, 3)], metrics=["aurc"]), vision_spec(3)
    )
    assert list(found) == ["aurc"]
