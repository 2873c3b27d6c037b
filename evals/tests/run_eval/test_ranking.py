"""Top-k accuracy from logits, with ties resolved the same way every time."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402 - PyTorch decides whether this file is read on
from hypothesis import strategies as st  # noqa: E402

from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import compute_topk_accuracy  # noqa: E402
from exaid_evals.run_eval.ranking import first_classes, label_ranks  # noqa: E402
from small_torch import random_set  # noqa: E402

LOGITS = [[0.1, 0.8, 0.05, 0.05], [0.6, 0.2, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1]]
LABELS = [1, 2, 2]


def test_the_worked_example() -> None:
    """Top-2 is 2/3: rows 0 and 2 have the true class first, row 1 has classes 0 and 1 before class 2.

    Class 2 of row 1 ties with class 3 at 0.1. The tie is of no account for k = 2; for k = 3 the lower index, class 2,
    takes the third place, so that all three are right.
    """
    logits, labels = torch.tensor(LOGITS), torch.tensor(LABELS)
    assert [compute_topk_accuracy(logits, labels, k) for k in (1, 2, 3)] == [2 / 3, 2 / 3, 1.0]
    assert compute_topk_accuracy(logits, torch.tensor([1, 3, 2]), 3) == 2 / 3
    assert compute_topk_accuracy(logits, labels) == compute_topk_accuracy(logits, labels, k=5) == 1.0


def test_arrays_and_lists_are_refused_with_what_makes_tensors_of_them() -> None:
    """An attribute that they lack is not a message."""
    with pytest.raises(DataError, match="logits are a list, not a tensor; give tensors"):
        compute_topk_accuracy(LOGITS, torch.tensor(LABELS))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="labels are a list, not a tensor"):
        compute_topk_accuracy(torch.tensor(LOGITS), LABELS)  # type: ignore[arg-type]


def test_a_tie_goes_to_the_lower_index() -> None:
    """Of equal logits class 0 is first, class 1 second, and so on, at whatever place the tie begins."""
    logits = torch.tensor([[5.0, 5.0, 5.0, 9.0]] * 4)
    assert label_ranks(logits, torch.arange(4)).tolist() == [1, 2, 3, 0]
    assert first_classes(torch.tensor([[1.0, 7.0, 7.0], [0.0, 0.0, 0.0]])).tolist() == [1, 0]


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=6),
    st.integers(1, 7),
    st.data(),
)
def test_it_is_what_a_stable_sort_gives(rows: list[list[int]], k: int, data: st.DataObject) -> None:
    """Oracle: Python's stable sort by falling score. A k above the number of classes counts as that number."""
    labels = data.draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)))
    right = 0
    for row, label in zip(rows, labels, strict=True):
        order = sorted(range(5), key=lambda index: -row[index])
        right += label in order[:k]
    assert compute_topk_accuracy(torch.tensor(rows).float(), torch.tensor(labels), k) == right / len(rows)


@pytest.mark.parametrize("k", [1, 2, 5, 10])
def test_it_agrees_with_torchmetrics_and_scikit_learn(k: int) -> None:
    """Oracles on random logits without ties."""
    from sklearn.metrics import top_k_accuracy_score
    from torchmetrics.functional.classification import multiclass_accuracy

    logits, labels = random_set(997, 10)
    ours = compute_topk_accuracy(logits, labels, k)
    assert ours == pytest.approx(
        float(multiclass_accuracy(logits, labels, num_classes=10, average="micro", top_k=k)), abs=1e-6
    )
    if k < 10:
        assert ours == pytest.approx(top_k_accuracy_score(labels, logits.double().numpy(), k=k, labels=range(10)))


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "1", None])
def test_k_is_a_whole_number_of_at_least_one(k: object) -> None:
    """Anything else is refused."""
    with pytest.raises(ConfigError, match="k must be a whole number of at least 1"):
        compute_topk_accuracy(torch.tensor(LOGITS), torch.tensor(LABELS), k)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("logits", "labels", "said"),
    [
        ([0.1, 0.9], [1, 0], r"logits have the shape \(2,\), not \(N, C\)"),
        ([[[0.1, 0.9]]], [1], r"logits have the shape \(1, 1, 2\)"),
        ([[0.1, 0.9]], [2], "1 of 1 labels are outside the 2 classes 0 … 1, such as 2"),
        ([[0.1, 0.9]], [-1], "such as -1"),
        ([[0.1, 0.9]], [0, 1], r"labels have the shape \(2,\)"),
        ([[0.1, 0.9]], [1.0], "labels are torch.float32, not whole numbers"),
        ([[0.1, float("nan")]], [0], "1 of 1 examples have logits that are NaN or infinite, the first in row 0"),
        ([[0.1, float("inf")]], [0], "NaN or infinite"),
    ],
)
def test_what_cannot_be_ranked_is_refused(logits: list[object], labels: list[object], said: str) -> None:
    """Each problem is said as what it is, and not counted as wrong or right."""
    with pytest.raises(DataError, match=said):
        compute_topk_accuracy(torch.tensor(logits), torch.tensor(labels), 1)


def test_no_example_is_no_accuracy() -> None:
    """The mean of nothing is an error, not NaN."""
    with pytest.raises(DataError, match="there is no example"):
        compute_topk_accuracy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), 1)


def test_a_masked_class_is_last() -> None:
    """−inf is how models rule a class out: it is not an error, and ranks behind all others."""
    logits = torch.tensor([[float("-inf"), 0.0, 1.0]])
    assert compute_topk_accuracy(logits, torch.tensor([1]), 2) == 1.0
    assert compute_topk_accuracy(logits, torch.tensor([0]), 2) == 0.0
