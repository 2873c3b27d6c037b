"""Which class scores are of is settled by the predicted labels, or no area is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from exaid_evals.runs.files import classification as scores_module
from exaid_evals.runs.files.predictions import Counted, count_predictions

N = 100


def counted(tmp_path: Path, header: str, rows: list[tuple[object, ...]]) -> Counted:
    """Write predictions and count them."""
    path = tmp_path / "val_predictions.csv"
    path.write_text(header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return count_predictions(path)


@pytest.mark.parametrize("labels", [("healthy", "disease"), ("no", "yes"), ("0", "1"), ("Yes", "No")])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_a_lone_column_is_of_the_class_that_is_predicted_where_it_is_high(
    tmp_path: Path, labels: tuple[str, str], threshold: float
) -> None:
    """The area is that of scikit-learn, whichever label comes first in the alphabet and wherever the threshold lies."""
    random = np.random.default_rng(1)
    true = random.integers(0, 2, N)
    score = np.clip(0.5 + (true - 0.5) * 0.4 + random.normal(0, 0.3, N), 0, 1).round(6)
    rows = [(labels[a], labels[int(s > threshold)], s) for a, s in zip(true, score, strict=True)]
    result = counted(tmp_path, "true,pred,y_score", rows)
    expected = float(roc_auc_score(true, score))
    assert expected > 0.7
    assert result.area_ovr(scikit_learn=False) == pytest.approx(expected)
    assert result.area_ovr(scikit_learn=True) == pytest.approx(expected)
    assert result.warnings == []


@pytest.mark.parametrize(
    ("rows", "warning"),
    [
        ([("a", "a", 0.9), ("a", "a", 0.8), ("b", "b", 0.6), ("b", "b", 0.55)], "confidence in the predicted class"),
        ([("a", "a", 0.1), ("a", "a", 0.8), ("b", "b", 0.2), ("b", "b", 0.7)], "do not go with it either way"),
        ([("a", "a", 0.1), ("b", "a", 0.3)], "all items are predicted as the same class"),
    ],
)
def test_a_lone_column_of_no_clear_class_has_no_area(
    tmp_path: Path, rows: list[tuple[object, ...]], warning: str
) -> None:
    """A confidence, scores that others predicted from, and one predicted class say nothing of the positive class."""
    result = counted(tmp_path, "true,pred,prob", rows)
    assert result.area_ovr(scikit_learn=False) is None
    assert any(warning in line and "auc_ovr is not computed" in line for line in result.warnings)


@pytest.mark.parametrize("in_memory_bytes", [10, 1 << 20])
@pytest.mark.parametrize(
    ("order", "fits"),
    [(("ant", "cat", "dog"), True), (("dog", "cat", "ant"), False), (("no", "yes"), True), (("yes", "no"), False)],
)
def test_numbered_columns_are_held_against_the_predicted_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...], fits: bool, in_memory_bytes: int
) -> None:
    """In the order of the sorted classes they have the right area; in a model's own order none, with the reason."""
    monkeypatch.setattr(scores_module, "IN_MEMORY_BYTES", in_memory_bytes)
    random = np.random.default_rng(2)
    k = len(order)
    true = random.integers(0, k, N)
    scores = random.dirichlet(np.ones(k), N)
    scores[np.arange(N), true] += 0.4
    scores = scores / scores.sum(axis=1, keepdims=True)
    rows = [
        (order[a], order[int(row.argmax())], *(f"{value:.17g}" for value in row))
        for a, row in zip(true, scores, strict=True)
    ]
    result = counted(tmp_path, "true,pred," + ",".join(f"prob_{index}" for index in range(k)), rows)
    area = result.area_ovr(scikit_learn=False)
    if fits:
        expected = roc_auc_score(true, scores[:, 1] if k == 2 else scores, multi_class="ovr")
        assert area == pytest.approx(float(expected))
        assert result.warnings == []
    else:
        assert area is None
        assert "the columns' names must carry the classes'" in result.warnings[0]
    result.close()
