"""What run_eval says of each kind of task: its outputs, labels and boxes."""

from __future__ import annotations

from typing import Any
from unittest import mock

import torch
from torch import nn

from exaid_evals.run_eval import (
    CausalLMAdapter,
    DetectionAdapter,
    LogisticAdapter,
    RegressionAdapter,
    SegmentationAdapter,
    TaskSpec,
    TransformersCausalLMAdapter,
    TransformersClassificationAdapter,
    TransformersDetectionAdapter,
)
from exaid_evals.run_eval.boxes import found_boxes
from exaid_evals.run_eval.metric_sets.detection import DetectionMetrics
from exaid_evals.run_eval.spec import EvalConfig
from remedies.of_run_eval import TOKENS, of
from remedies.rows import Row
from small_torch import Echo, random_set, text_spec, vision_spec

X, Y = random_set(4, 4)


def reported(remedy: str, adapter: Any, spec: TaskSpec, wrong: Any, right: Any, **how: Any) -> Row:
    """Return the row of a batch for a task of another kind."""
    return Row(remedy, of(wrong, adapter, spec, **how), of(right, adapter, spec, **how))


BINARY = TaskSpec("vision", "binary_classification", {}, {})
LABELS = TaskSpec("vision", "multi_label_classification", {}, {})
NUMBERS = TaskSpec("vision", "regression", {}, {})
PIXELS = TaskSpec("vision", "segmentation", {}, {"num_classes": 3})
MASKS = torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.long)


class Raw(SegmentationAdapter):
    """An adapter that leaves logits as large as the model makes them."""

    def forward(self, model: Any, batch: Any, task_spec: Any) -> Any:
        """Call the model."""
        return model(batch[0])


class ForMaskedLM(Echo):
    """A masked language model by its name."""


class Encoder(Echo):
    """A model with encoder and decoder by its configuration."""

    config = mock.Mock(is_encoder_decoder=True)


SENTENCES = {"input_ids": torch.zeros(2, 3, dtype=torch.long), "attention_mask": torch.ones(2, 3, dtype=torch.long)}


class Classifier(nn.Module):
    """A classifier of texts."""

    def forward(self, input_ids: Any) -> Any:
        """Return a logit for each of two classes."""
        return torch.zeros(len(input_ids), 2)


KINDS = [
    reported(
        "give 0 and 1, as whole numbers or floats", LogisticAdapter(), BINARY, (X[:, 0], Y + 0.5), (X[:, 0], Y % 2)
    ),
    reported("give 0 and 1, as whole numbers or floats", LogisticAdapter(), LABELS, (X, X.abs()), (X, (X > 0).float())),
    reported(
        "give each example a 0 or 1 for every label, and num_classes as many as there are",
        LogisticAdapter(),
        LABELS,
        (X, (X > 0)[:, :1].float().expand(4, 4)[:, None].squeeze(1)[:3]),
        (X, (X > 0).float()),
    ),
    reported(
        "have the model return as many numbers as an example has", RegressionAdapter(), NUMBERS, (X, X[:, :3]), (X, X)
    ),
    reported("leave such examples out", RegressionAdapter(), NUMBERS, (X, X * float("inf")), (X, X)),
    Row(
        "take SegmentationAdapter, which brings logits to the size of the labels",
        of((MASKS[0][:, :, :2, :2], MASKS[1]), Raw(), PIXELS),
        of((MASKS[0][:, :, :2, :2], MASKS[1]), SegmentationAdapter(), PIXELS),
    ),
    reported(
        "correct output_schema.num_classes, or the model's last layer",
        SegmentationAdapter(),
        PIXELS,
        (torch.zeros(2, 5, 4, 4), MASKS[1]),
        MASKS,
    ),
    Row(
        "number classes from 0, and say in output_schema.ignore_index which label marks what has none (255?)",
        of((MASKS[0], MASKS[1] + 255), SegmentationAdapter(), PIXELS),
        of(
            (MASKS[0], MASKS[1].index_fill(1, torch.tensor([0]), 255)),
            SegmentationAdapter(),
            TaskSpec("vision", "segmentation", {}, {"num_classes": 3, "ignore_index": 255}),
        ),
    ),
    reported(
        "check labels and output_schema.ignore_index", SegmentationAdapter(), PIXELS, (MASKS[0], MASKS[1] - 100), MASKS
    ),
    reported(
        "check labels and output_schema.ignore_index",
        CausalLMAdapter(),
        text_spec(),
        (TOKENS[0], TOKENS[1] * 0 - 100),
        TOKENS,
    ),
    reported(
        "have the adapter return the scores of every token at every position",
        CausalLMAdapter(),
        text_spec(),
        (TOKENS[0][:, :2], TOKENS[1]),
        TOKENS,
    ),
    Row(
        "correct output_schema.vocab_size, or the model's last layer",
        of(TOKENS, CausalLMAdapter(), text_spec(vocab_size=9)),
        of(TOKENS, CausalLMAdapter(), text_spec(vocab_size=5)),
    ),
    Row(
        "number tokens from 0, and mark padding with the task's ignore_index",
        of((TOKENS[0], TOKENS[1] + 5), CausalLMAdapter(), text_spec()),
        of(TOKENS, CausalLMAdapter(), text_spec()),
    ),
    Row(
        "have batches hold n_bytes and n_words, as `text_task` makes them",
        of({"input_ids": TOKENS[0], "targets": TOKENS[1]}, CausalLMAdapter(), text_spec(), metrics=("bits_per_byte",)),
        of(
            {"input_ids": TOKENS[0], "targets": TOKENS[1], "n_bytes": torch.tensor([9, 9])},
            CausalLMAdapter(),
            text_spec(),
            metrics=("bits_per_byte",),
        ),
    ),
    Row(
        "of a classifier take TransformersClassificationAdapter, of a model with encoder and decoder "
        "TransformersSeq2SeqAdapter; of a causal language model each token has a label",
        of(SENTENCES | {"labels": torch.tensor([0, 1])}, TransformersCausalLMAdapter(), text_spec(), Classifier()),
        of(
            SENTENCES | {"labels": torch.tensor([0, 1])},
            TransformersClassificationAdapter(),
            TaskSpec("text", "text_classification"),
            Classifier(),
        ),
    ),
    Row(
        "take Transformers{}Adapter",
        of(SENTENCES | {"labels": torch.tensor([0, 1])}, TransformersCausalLMAdapter(), text_spec(), ForMaskedLM()),
        lambda: TransformersClassificationAdapter(),
    ),
    Row(
        "give the number of outputs of the model, or leave it out",
        of((X, Y), spec=vision_spec(0)),
        of((X, Y), spec=TaskSpec("vision")),
    ),
]
BOX, ONE = torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([1])
SCORED, TRUE = {"boxes": BOX, "scores": torch.tensor([0.5]), "labels": ONE}, {"boxes": BOX, "labels": ONE}
OF_BOXES = TaskSpec("vision", "object_detection")


def boxes(remedy: str, found: Any, true: Any, found_then: Any = None, true_then: Any = None) -> Row:
    """Return the row of boxes that are found and true."""

    def check(outputs: Any, labels: Any) -> None:
        DetectionMetrics(OF_BOXES, EvalConfig()).check(outputs, labels, "batch 1")

    return Row(remedy, lambda: check(found, true), lambda: check(found_then or [SCORED], true_then or [TRUE]))


TARGET = {"class_labels": ONE, "boxes": BOX / 4, "orig_size": torch.tensor([4, 4])}
PROCESSED = "make batches with the image processor: processor(images, annotations=…)"
FOUND = mock.Mock(logits=torch.zeros(1, 1, 3), pred_boxes=torch.zeros(1, 1, 4))
DETECTED = [
    boxes("give each image boxes and {}", SCORED, [TRUE]),
    boxes("give each image one", [SCORED, SCORED], [TRUE]),
    boxes("give tensors (torch.as_tensor)", [SCORED | {"scores": [0.5]}], [TRUE]),
    boxes("give x1 y1 x2 y2", [SCORED | {"boxes": BOX[:, :3]}], [TRUE]),
    boxes("give x1 y1 x2 y2", [SCORED | {"boxes": -BOX}], [TRUE]),
    boxes("give each box one", [SCORED | {"scores": torch.zeros(2)}], [TRUE]),
    boxes("look at weights and annotations", [SCORED | {"scores": torch.tensor([float("nan")])}], [TRUE]),
    Row(
        "make batches (images, targets), a list of each, or mappings",
        lambda: DetectionAdapter().labels([X], OF_BOXES),
        lambda: DetectionAdapter().labels(([X], [TRUE]), OF_BOXES),
    ),
    *(
        Row(
            PROCESSED,
            lambda lacks=lacks: TransformersDetectionAdapter().labels(
                {"labels": [{k: v for k, v in TARGET.items() if k != lacks}]}, OF_BOXES
            ),
            lambda: TransformersDetectionAdapter().labels({"labels": [TARGET]}, OF_BOXES),
        )
        for lacks in ("class_labels", "orig_size")
    ),
    Row(
        "take a detector of transformers, such as DETR",
        lambda: found_boxes(Echo(), {"logits": X}, [(4, 4)]),
        lambda: found_boxes(mock.Mock(spec=nn.Module, config=mock.Mock(num_labels=2)), FOUND, [(4, 4)]),
    ),
]
ROWS = [*KINDS, *DETECTED]
