"""Metrics of further tasks against scikit-learn and torchmetrics, whatever the batches, and chosen by name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from torch import Tensor  # noqa: E402

from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    EvalConfig,
    LogisticAdapter,
    RegressionAdapter,
    SegmentationAdapter,
    TaskSpec,
    TransformersClassificationAdapter,
    VisionClassificationAdapter,
    evaluate,
    registry,
    run_eval,
)
from small_torch import Echo, batched, config_of, random_set, text_spec, vision_spec  # noqa: E402

GENERATOR = torch.Generator().manual_seed(0)
SIZES = [[40] * 5 + [7], [207], [1] * 207]


def same_for_all_batches(
    adapter: object, inputs: Tensor, labels: Tensor, spec: TaskSpec, names: list[str]
) -> dict[str, float]:
    """Return the metrics, after a look that batches change none of them."""
    results = [
        evaluate(Echo(), adapter, config_of(batched(inputs, labels, sizes), metrics=names), spec)  # type: ignore[arg-type]
        for sizes in SIZES
    ]
    for other in results[1:]:
        assert other.metrics == pytest.approx(results[0].metrics, rel=1e-9)
    assert list(results[0].metrics) == names
    return results[0].metrics


def test_one_logit_is_two_classes() -> None:
    """Loss, accuracy, F1 and areas of yes or no, with ties among the scores, as scikit-learn has them."""
    from sklearn import metrics as oracle

    logits = (torch.randn(207, generator=GENERATOR) * 2).round() / 2  # many ties
    labels = (torch.rand(207, generator=GENERATOR) < logits.sigmoid()).float()
    names = ["loss", "accuracy", "f1_macro", "auroc", "average_precision", "mcc", "brier"]
    spec = TaskSpec(None, "binary_classification")
    found = same_for_all_batches(LogisticAdapter(), logits[:, None], labels, spec, names)
    p, y, guess = logits.double().sigmoid().numpy(), labels.numpy(), (logits > 0).numpy()
    expected = {
        "loss": oracle.log_loss(y, p),
        "accuracy": oracle.accuracy_score(y, guess),
        "f1_macro": oracle.f1_score(y, guess, average="macro"),
        "auroc": oracle.roc_auc_score(y, p),
        "average_precision": oracle.average_precision_score(y, p),
        "mcc": oracle.matthews_corrcoef(y, guess),
        "brier": 2 * oracle.brier_score_loss(y, p),
    }
    assert found == pytest.approx(expected, abs=1e-6)
    with pytest.raises(DataError, match="neither 0 nor 1"):
        run_eval(Echo(), LogisticAdapter(), config_of([(logits, labels + 0.5)]), spec)


def test_metrics_of_several_classes_are_scikit_learns() -> None:
    """Averages over classes of which one is never predicted, and areas one against the rest."""
    from sklearn import metrics as oracle

    logits, labels = random_set(207, 6)
    logits[:, 4] -= 9  # never predicted
    names = ["f1_macro", "f1_weighted", "precision_macro", "recall_macro", "balanced_accuracy", "mcc", "kappa"]
    names += ["auroc", "average_precision", "top2_accuracy"]
    found = same_for_all_batches(VisionClassificationAdapter(), logits, labels, vision_spec(6), names)
    y, guess, p = labels.numpy(), logits.argmax(1).numpy(), logits.double().softmax(1).float().numpy()
    one_hot = np.eye(6)[y]
    expected = {
        "f1_macro": oracle.f1_score(y, guess, average="macro"),
        "f1_weighted": oracle.f1_score(y, guess, average="weighted"),
        "precision_macro": oracle.precision_score(y, guess, average="macro", zero_division=0),
        "recall_macro": oracle.recall_score(y, guess, average="macro"),
        "balanced_accuracy": oracle.balanced_accuracy_score(y, guess),
        "mcc": oracle.matthews_corrcoef(y, guess),
        "kappa": oracle.cohen_kappa_score(y, guess, weights="quadratic"),
        "auroc": oracle.roc_auc_score(one_hot, p, average="macro"),
        "average_precision": oracle.average_precision_score(one_hot, p, average="macro"),
        "top2_accuracy": oracle.top_k_accuracy_score(y, p, k=2),
    }
    assert found == pytest.approx(expected, abs=1e-9)


def test_several_labels_are_scikit_learns() -> None:
    """Micro and macro F1, subset accuracy, Hamming loss and areas, one label never occurring."""
    from sklearn import metrics as oracle

    logits = torch.randn(207, 5, generator=GENERATOR)
    labels = (torch.rand(207, 5, generator=GENERATOR) < (logits - 1).sigmoid()).long()
    labels[:, 3] = 0
    names = ["loss", "f1_micro", "f1_macro", "precision_micro", "recall_micro", "subset_accuracy", "hamming_loss"]
    names += ["auroc", "average_precision"]
    spec = TaskSpec("vision", "multi_label_classification", {}, {"num_classes": 5})
    found = same_for_all_batches(LogisticAdapter(), logits, labels, spec, names)
    y, guess, kept = labels.numpy(), (logits > 0).numpy().astype(int), [0, 1, 2, 4]
    p = logits.double().sigmoid().numpy()
    expected = {
        "loss": float(np.mean(-(y * np.log(p) + (1 - y) * np.log(1 - p)))),
        "f1_micro": oracle.f1_score(y, guess, average="micro"),
        "f1_macro": oracle.f1_score(y, guess, average="macro", zero_division=0),
        "precision_micro": oracle.precision_score(y, guess, average="micro"),
        "recall_micro": oracle.recall_score(y, guess, average="micro"),
        "subset_accuracy": oracle.accuracy_score(y, guess),
        "hamming_loss": oracle.hamming_loss(y, guess),
        "auroc": oracle.roc_auc_score(y[:, kept], p[:, kept]),
        "average_precision": oracle.average_precision_score(y[:, kept], p[:, kept]),
    }
    assert found == pytest.approx(expected, abs=1e-6)


def test_all_labels_of_a_picture_count_for_a_classifier_into_one() -> None:
    """The greatest logit is one of the picture's labels; a picture without a label counts nowhere."""
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0], [0.0, 1.0, 2.0], [9.0, 0.0, 0.0]])
    labels = torch.tensor([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 0, 0]])
    spec = TaskSpec(None, "multi_label_classification")
    config = config_of([(logits, labels)], metrics=["real_accuracy"], intervals=True)
    result = evaluate(Echo(), LogisticAdapter(), config, spec)
    assert result.metrics == {"real_accuracy": 2 / 3}
    assert result.intervals["real_accuracy"] is not None


def test_regression_is_scipys_and_scikit_learns(tmp_path: Path) -> None:
    """Errors, determination and correlations, far from zero, of one output and of two."""
    from scipy import stats
    from sklearn import metrics as oracle

    true = 1e4 + torch.randn(207, 2, generator=GENERATOR).double()
    predicted = true + torch.randn(207, 2, generator=GENERATOR)
    spec = TaskSpec("vision", "regression")
    for width in (1, 2):
        y, p = true[:, :width], predicted[:, :width]
        names = ["loss", "mse", "rmse", "mae", "r2", "pearson", "spearman"]
        found = same_for_all_batches(RegressionAdapter(), p, y, spec, names)
        columns = range(width)
        expected = {
            "loss": oracle.mean_squared_error(y, p),
            "mse": oracle.mean_squared_error(y, p),
            "rmse": np.mean([oracle.root_mean_squared_error(y[:, one], p[:, one]) for one in columns]),
            "mae": oracle.mean_absolute_error(y, p),
            "r2": oracle.r2_score(y, p),
            "pearson": np.mean([stats.pearsonr(y[:, one], p[:, one]).statistic for one in columns]),
            "spearman": np.mean([stats.spearmanr(y[:, one], p[:, one]).statistic for one in columns]),
        }
        assert found == pytest.approx(expected, rel=1e-9)
    run_eval(Echo(), RegressionAdapter(), config_of([(predicted[:, 0], true[:, 0])], output_dir=tmp_path), spec)
    assert (tmp_path / "val_predictions.csv").read_text().startswith("id,true,predicted\n0,")


def test_segmentation_is_torchmetrics() -> None:
    """IoU, Dice and accuracies over pixels, some of which are ignored; a class that never occurs is in no mean."""
    from torchmetrics.classification import MulticlassConfusionMatrix

    logits = torch.randn(20, 5, 6, 7, generator=GENERATOR)
    logits[:, 4] -= 50
    labels = torch.randint(4, (20, 6, 7), generator=GENERATOR)
    labels[torch.rand(20, 6, 7, generator=GENERATOR) < 0.2] = 255
    spec = TaskSpec(None, "semantic_segmentation", {}, {"num_classes": 5, "ignore_index": 255})
    results = [
        run_eval(Echo(), SegmentationAdapter(), config_of(batched(logits, labels, sizes)), spec)
        for sizes in ([20], [7, 7, 6])
    ]
    assert results[1] == pytest.approx(results[0], rel=1e-9)
    oracle = MulticlassConfusionMatrix(5, ignore_index=255)
    oracle.update(logits, labels)
    matrix = oracle.compute().double().numpy()[:4, :4]
    right, true, guess = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    expected = {
        "loss": float(torch.nn.functional.cross_entropy(logits.double(), labels, ignore_index=255)),
        "mean_iou": np.mean(right / (true + guess - right)),
        "dice": np.mean(2 * right / (true + guess)),
        "pixel_accuracy": right.sum() / true.sum(),
        "mean_accuracy": np.mean(right / true),
    }
    assert results[0] == pytest.approx(expected, abs=1e-6)
    with pytest.raises(DataError, match=r"ignore_index which label marks what has none \(255\?\)"):
        run_eval(Echo(), SegmentationAdapter(), config_of([(logits, labels)]), TaskSpec("segmentation"))


def test_logits_of_another_size_are_brought_to_that_of_the_labels() -> None:
    """As of SegFormer, whose logits are a quarter as wide, and which is called by keyword."""

    class Quarter(torch.nn.Module):
        def forward(self, pixel_values):  # type: ignore[no-untyped-def]
            return SimpleNamespace(logits=torch.nn.functional.avg_pool2d(pixel_values, 4))

    images, labels = torch.randn(3, 2, 8, 8, generator=GENERATOR), torch.zeros(3, 8, 8, dtype=torch.long)
    batch = {"pixel_values": images, "labels": labels}
    found = run_eval(Quarter(), SegmentationAdapter(), config_of([batch]), TaskSpec("segmentation"))
    assert 0 < found["pixel_accuracy"] < 1


def test_a_text_classifier_is_called_with_what_it_takes() -> None:
    """A model of transformers gets ids, mask and types of tokens by keyword, and never the labels."""

    class Classifier(torch.nn.Module):
        def forward(self, input_ids, attention_mask=None, token_type_ids=None, labels=None):  # type: ignore[no-untyped-def]
            assert labels is None
            assert attention_mask is not None
            assert token_type_ids is not None
            return SimpleNamespace(logits=torch.nn.functional.one_hot(input_ids[:, 0], 3).float())

    ids = torch.tensor([[0, 1], [1, 1], [2, 0]])
    batch = {"input_ids": ids, "attention_mask": ids >= 0, "token_type_ids": ids * 0, "labels": torch.tensor([0, 1, 1])}
    spec = TaskSpec("text", "text_classification", {}, {"num_classes": 3, "class_names": ["bad", "fair", "good"]})
    found = run_eval(
        Classifier(), TransformersClassificationAdapter(), config_of([{**batch, "sentence": ["x"] * 3}]), spec
    )
    assert found["accuracy"] == 2 / 3


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (TaskSpec("text", "Text-Classification"), "vision"),
        (TaskSpec("text_classification"), "vision"),
        (TaskSpec("vision", "semantic_segmentation"), "segmentation"),
        (TaskSpec(None, "multi_label_classification"), "multilabel"),
        (TaskSpec("text", "regression"), "regression"),
        (TaskSpec("text", "semantic_segmentation"), "text"),
        (TaskSpec("binary"), "binary"),
        (TaskSpec(None, "image_classification"), "vision"),
    ],
)
def test_a_task_type_refines_its_modality(spec: TaskSpec, expected: str) -> None:
    """A text that is classified has no perplexity; a modality that does not go with a task type wins."""
    assert registry.modality_of(spec) == expected


def test_metrics_that_a_task_lacks_are_said_with_those_it_has() -> None:
    """Before any work."""
    with pytest.raises(ConfigError, match="no metric is called f1_marco; for this task there are loss, accuracy"):
        run_eval(Echo(), VisionClassificationAdapter(), config_of([], metrics=["f1_marco"]), vision_spec(4))
    with pytest.raises(ConfigError, match="no metric is called auroc; for this task there are loss, perplexity"):
        run_eval(Echo(), VisionClassificationAdapter(), config_of([], metrics=["auroc"]), text_spec())
    with pytest.raises(ConfigError, match="is 'loss'; give a list of names"):
        EvalConfig(metrics="loss")
