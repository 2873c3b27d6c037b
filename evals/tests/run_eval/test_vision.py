"""Image metrics over the whole set, whatever the batches."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from collections import Counter  # noqa: E402
from pathlib import Path  # noqa: E402
from types import SimpleNamespace  # noqa: E402

import numpy as np  # noqa: E402

from exaid_evals.run_eval import EvalResult, VisionClassificationAdapter, evaluate, run_eval  # noqa: E402
from small_torch import Echo, batched, config_of, random_set, vision_spec  # noqa: E402
from timing import growth  # noqa: E402

ADAPTER = VisionClassificationAdapter()


def sixteen() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 16 images of 10 classes: 12 right, 2 with the true class fourth, 2 with it last."""
    labels = torch.arange(16) % 10
    logits = torch.zeros(16, 10)
    for row, label in enumerate(labels.tolist()):
        others = [index for index in range(10) if index != label]
        place = 0 if row < 12 else 3 if row < 14 else 9
        order = [*others[:place], label, *others[place:]]
        logits[row, order] = torch.linspace(3, -3, 10)
    return logits[torch.tensor([13, *range(13), 14, 15])], labels[torch.tensor([13, *range(13), 14, 15])]


@pytest.mark.parametrize("sizes", [[4, 4, 4, 4], [5, 5, 5, 1], [16], [1] * 16])
def test_batches_change_no_number(sizes: list[int]) -> None:
    """16 images, 12 right, the true class among the first five of 14: 0.75 and 0.875, however they are batched."""
    logits, labels = sixteen()
    found = run_eval(Echo(), ADAPTER, config_of(batched(logits, labels, sizes)), vision_spec(10))
    assert set(found) == {"loss", "accuracy", "top3_accuracy", "top5_accuracy"}
    assert (found["accuracy"], found["top3_accuracy"], found["top5_accuracy"]) == (0.75, 0.75, 0.875)
    whole = torch.nn.functional.cross_entropy(logits.double(), labels)
    assert found["loss"] == pytest.approx(float(whole), abs=1e-6)


def test_everything_is_the_same_for_all_batches() -> None:
    """Calibration, intervals, classes and files' content do not depend on the batches either."""
    logits, labels = random_set(103, 7)
    settings = {"per_class": True, "calibration": True, "intervals": True}
    results = [
        evaluate(Echo(), ADAPTER, config_of(batched(logits, labels, sizes), **settings), vision_spec(7))
        for sizes in ([103], [20] * 5 + [3], [1] * 103)
    ]
    first = results[0].flat()
    assert {"class_0_acc", "ece", "brier", "loss_ci95_low", "accuracy_ci95_high"} < set(first)
    for other in results[1:]:
        assert other.flat() == pytest.approx(first, abs=1e-6)
        assert other.details["confusion_matrix"] == results[0].details["confusion_matrix"]


@pytest.mark.parametrize(("n_classes", "expected"), [(2, []), (3, ["top3_accuracy"]), (4, ["top3_accuracy"])])
def test_top_k_only_where_there_are_so_many_classes(n_classes: int, expected: list[str]) -> None:
    """Among fewer classes than k every class is: a number that says nothing is left out."""
    logits, labels = random_set(20, n_classes)
    found = run_eval(Echo(), ADAPTER, config_of([(logits, labels)]), vision_spec(n_classes))
    assert set(found) == {"loss", "accuracy", *expected}


def test_it_agrees_with_torchmetrics_and_scikit_learn() -> None:
    """Every metric, on random data in uneven batches, to 1e-6."""
    from sklearn import metrics as oracle
    from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError, MulticlassConfusionMatrix

    logits, labels = random_set(1000, 10)
    batches = batched(logits, labels, [64] * 15 + [40])
    config = config_of(batches, per_class=True, calibration=True)
    result = evaluate(Echo(), ADAPTER, config, vision_spec(10))
    found, further = result.metrics, result.further
    theirs = {
        "accuracy": MulticlassAccuracy(10, average="micro"),
        "top3_accuracy": MulticlassAccuracy(10, average="micro", top_k=3),
        "top5_accuracy": MulticlassAccuracy(10, average="micro", top_k=5),
        "ece": MulticlassCalibrationError(10, n_bins=15, norm="l1"),
    }
    matrix, per_class = MulticlassConfusionMatrix(10), MulticlassAccuracy(10, average="none")
    for part, truth in batches:
        for metric in (*theirs.values(), matrix, per_class):
            metric.update(part, truth)
    for name, metric in theirs.items():
        assert found[name] == pytest.approx(float(metric.compute()), abs=1e-6), name
    assert result.details["confusion_matrix"] == matrix.compute().tolist()
    assert [found[f"class_{index}_acc"] for index in range(10)] == pytest.approx(per_class.compute().tolist(), abs=1e-6)
    probabilities = logits.double().softmax(1).numpy()
    truth, guess = labels.numpy(), logits.argmax(1).numpy()
    assert found["loss"] == pytest.approx(oracle.log_loss(truth, probabilities), abs=1e-6)
    one_hot = np.eye(10)[truth]
    assert found["brier"] == pytest.approx(float(((probabilities - one_hot) ** 2).sum(1).mean()), abs=1e-6)
    brier = oracle.brier_score_loss(truth, probabilities, labels=list(range(10)), scale_by_half=False)
    assert found["brier"] == pytest.approx(brier, abs=1e-6)
    assert further["kappa"] == pytest.approx(oracle.cohen_kappa_score(truth, guess, weights="quadratic"), abs=1e-6)
    assert further["macro_f1"] == pytest.approx(oracle.f1_score(truth, guess, average="macro"), abs=1e-6)
    balanced = oracle.balanced_accuracy_score(truth, guess, adjusted=True)
    assert further["balanced_accuracy_adjusted"] == pytest.approx(balanced, abs=1e-6)
    report = oracle.classification_report(truth, guess, output_dict=True)
    for index in range(10):
        assert further["per_class"][str(index)]["f1"] == pytest.approx(report[str(index)]["f1-score"], abs=1e-6)


def test_a_class_that_does_not_occur_has_no_accuracy() -> None:
    """It is left out rather than 0; its column is there in the confusion matrix."""
    logits, labels = torch.eye(3)[torch.tensor([0, 1, 2])], torch.tensor([0, 1, 1])
    result = evaluate(Echo(), ADAPTER, config_of([(logits, labels)], per_class=True), vision_spec(3))
    assert "class_2_acc" not in result.metrics
    assert (result.metrics["class_0_acc"], result.metrics["class_1_acc"]) == (1.0, 0.5)
    assert result.details["confusion_matrix"] == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_intervals_have_their_oracles() -> None:
    """Accuracies: Wilson's, by statsmodels, which does not collapse at 0 or 1. Loss: the bootstrap of its examples."""
    from statsmodels.stats.proportion import proportion_confint

    logits, labels = random_set(200, 5)
    result = evaluate(Echo(), ADAPTER, config_of([(logits, labels)], intervals=True), vision_spec(5))
    right = int((logits.argmax(1) == labels).sum())
    assert result.intervals["accuracy"] == pytest.approx(proportion_confint(right, 200, method="wilson"), abs=1e-12)
    assert result.intervals["top5_accuracy"] == pytest.approx(proportion_confint(200, 200, method="wilson"))
    rng = np.random.default_rng(1)
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none").numpy()
    means = losses[rng.integers(0, 200, (10_000, 200))].mean(axis=1)
    assert result.intervals["loss"] == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.03)


def test_one_example_has_no_interval() -> None:
    """Resampling one value says nothing of its spread."""
    logits, labels = random_set(1, 5)
    result = evaluate(Echo(), ADAPTER, config_of([(logits, labels)], intervals=True), vision_spec(5))
    assert set(result.intervals.values()) == {None}
    assert not any("ci95" in name for name in result.flat())


def test_4096_classes_take_little_time_and_a_small_file(tmp_path: Path) -> None:
    """Of many classes the pairs that occur are kept: files below a megabyte, and kappa as scikit-learn has it."""
    from sklearn.metrics import cohen_kappa_score

    logits, labels = random_set(64, 4096)

    def evaluated(n_classes: int) -> EvalResult:
        batches = batched(*random_set(64, n_classes), [40, 24])
        return evaluate(Echo(), ADAPTER, config_of(batches, output_dir=tmp_path), vision_spec(n_classes))

    result = evaluated(4096)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 1e6
    pairs, guesses = result.details["confusion_pairs"], logits.argmax(1).tolist()
    counted = Counter(zip(labels.tolist(), guesses, strict=True))
    assert dict(zip(zip(pairs["true"], pairs["predicted"], strict=True), pairs["count"], strict=True)) == counted
    assert result.further["kappa"] == pytest.approx(cohen_kappa_score(labels, guesses, weights="quadratic"))
    assert growth(evaluated, 512, times=8) < 32  # a table of all pairs is 64 times as large
    assert (tmp_path / "val_predictions.csv").read_text().splitlines()[0] == "id,true_label,predicted_label,score"


@pytest.mark.parametrize("size", [200, 64, 16, 4])
def test_class_weights_are_over_the_whole_set(size: int) -> None:
    """A weighted mean is Σ w l / Σ w over all examples, whatever the batches, and has an interval."""

    class Weighted(VisionClassificationAdapter):
        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            return torch.nn.functional.cross_entropy(
                self.logits(outputs), self.labels(batch, task_spec), weight=torch.tensor([0.1, 1, 3, 20.0])
            )

    logits, _ = random_set(200, 4)
    shares = torch.tensor([0.85, 0.1, 0.04, 0.01])
    labels = torch.multinomial(shares, 200, replacement=True, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.cross_entropy(
        logits.double(), labels, weight=torch.tensor([0.1, 1, 3, 20], dtype=torch.float64)
    )
    batches = list(zip(logits.split(size), labels.split(size), strict=True))
    found = run_eval(Echo(), Weighted(), config_of(batches, intervals=True), vision_spec(4))
    assert found["loss"] == pytest.approx(float(expected), rel=1e-6)
    assert found["loss_ci95_low"] < found["loss"] < found["loss_ci95_high"]


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: {"logits": x}, lambda x: (x,), lambda x: SimpleNamespace(logits=x)]
)
def test_outputs_of_half_precision_are_evaluated_in_full(wrap: object) -> None:
    """In whatever form they come, to an adapter that ships and to one that takes them as they are."""

    class AsTheyAre(VisionClassificationAdapter):
        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            logits = outputs if isinstance(outputs, torch.Tensor) else getattr(outputs, "logits", None)
            logits = logits if logits is not None else outputs["logits" if isinstance(outputs, dict) else 0]
            return torch.nn.functional.cross_entropy(logits, batch[1])

    class Half(Echo):
        def forward(self, inputs):  # type: ignore[no-untyped-def]
            return wrap(inputs.bfloat16())  # type: ignore[operator]

    logits, labels = random_set(64, 50)
    expected = float(torch.nn.functional.cross_entropy(logits.bfloat16().double(), labels))
    for adapter in (ADAPTER, AsTheyAre()):
        found = run_eval(Half(), adapter, config_of([(logits, labels)], intervals=True), vision_spec(50))
        assert found["loss"] == pytest.approx(expected, abs=1e-6)


def test_the_number_of_classes_may_be_left_to_the_model() -> None:
    """A spec without num_classes takes the width of the logits."""
    logits, labels = random_set(20, 4)
    assert "top3_accuracy" in run_eval(Echo(), ADAPTER, config_of([(logits, labels)]), vision_spec())
