"""What run_eval says of models, batches, outputs and labels; needs PyTorch, and is tried by tests/run_eval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

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
    VisionClassificationAdapter,
    compute_topk_accuracy,
    resume,
    run_eval,
    write_page,
)
from exaid_evals.run_eval.base import ExampleLosses
from exaid_evals.run_eval.boxes import found_boxes
from exaid_evals.run_eval.calibration import logit_of
from exaid_evals.run_eval.distributed import Processes, Share
from exaid_evals.run_eval.loading import Subset
from exaid_evals.run_eval.loop import _merged
from exaid_evals.run_eval.metric_sets.detection import DetectionMetrics
from exaid_evals.run_eval.registry import build_adapter, build_eval_config, build_task, loader_of, metric_set_of
from exaid_evals.run_eval.resume import resumable
from exaid_evals.run_eval.shipped import vision_tiny
from exaid_evals.run_eval.spec import EvalConfig
from remedies.rows import Row
from small_torch import Echo, batched, config_of, random_set, text_spec, vision_spec

X, Y = random_set(4, 4)
VISION = VisionClassificationAdapter()
TOKENS = torch.zeros(2, 3, 5), torch.tensor([[1, 2, 3], [1, -100, 4]])


def of(
    batch: Any, adapter: Any = VISION, spec: TaskSpec | None = None, model: Any = None, **how: Any
) -> Callable[[], Any]:
    """Return an evaluation of one batch, by default of four classes."""

    def do() -> object:
        loader = batch if isinstance(batch, DataLoader | Raising) or batch == [] else [batch]
        return run_eval(model or Echo(), adapter, config_of(loader, **how), spec or vision_spec(4))

    return do


class Raising:
    """A loader that fails after a batch."""

    def __iter__(self) -> Iterator[Any]:
        yield X, Y
        raise OSError(5, "the disk is gone")


def images(remedy: str, *batch: Any, **how: Any) -> Row:
    """Return the row of a batch for a classifier of images, and of a good one."""
    return Row(remedy, of(tuple(batch), **how), of((X, Y), **how))


GOOD = of((X, Y))
INFINITE = torch.tensor([[float("-inf"), 0, 0, 0]])
CLASSIFIED = [
    images(
        "a true class whose logit is -inf has an infinite loss: look at masks, weights and labels", INFINITE, Y[:1] * 0
    ),
    images("correct output_schema.num_classes, or the model's last layer", torch.zeros(2, 5), torch.tensor([0, 1])),
    Row(
        "correct output_schema.num_classes, or the model's last layer",
        of((torch.zeros(2, 5), torch.tensor([0, 1]))),
        of((torch.zeros(2, 5), torch.tensor([0, 1])), spec=vision_spec(5)),
    ),
    images("give class numbers", X, Y.float()),
    images("number classes from 0, and leave out what has none", X, Y + 4),
    images("have the adapter's forward return one row of class scores per example", X[:, :, None], Y),
    images("look at the weights and inputs; under mixed precision try bf16, or none", X * float("nan"), Y),
    images(
        "give one class number per example (of one-hot rows labels.argmax(dim=1), of a column labels[:, 0])",
        X,
        torch.eye(4),
    ),
    Row(
        "give one class number per example (of one-hot rows labels.argmax(dim=1), of a column labels[:, 0])",
        of((X, Y[:, None])),
        of((X, Y[:, None][:, 0])),
    ),
    Row(
        "make batches (inputs, labels), or mappings, of tensors (torch.as_tensor makes them of lists and arrays), and "
        "name the key in the task spec: {}_key",
        of({"image": X, "klass": Y}),
        of({"image": X, "klass": Y}, spec=vision_spec(4, label_key="klass")),
    ),
    Row(
        "check the split, that the loader is not a generator that has been read before, and its drop_last",
        of([]),
        GOOD,
    ),
    Row(
        "wrap the data set: torch.utils.data.DataLoader(dataset, batch_size=32)",
        of((X[0], Y[0])),
        of(DataLoader(TensorDataset(X, Y))),
    ),
    Row(
        "nothing was written; mend what it reads, or set max_batches below", of(Raising()), of(Raising(), max_batches=1)
    ),
    Row(
        "give each example one",
        of({"image": X, "label": Y, "id": ["a"]}),
        of({"image": X, "label": Y, "id": list("abcd")}),
    ),
    Row("take cpu or auto", of((X, Y), device="gpu0"), of((X, Y), device="auto")),
    Row(
        "start with torchrun and call torch.distributed.init_process_group, or leave it out",
        of((X, Y), distributed=True),
        GOOD,
    ),
    Row("for this task there are {}", of((X, Y), metrics=("f9",)), of((X, Y), metrics=("accuracy",))),
    Row(
        "name each class once",
        of((X, Y), spec=vision_spec(4, class_names=["a"]), output_dir=Path("out")),
        of((X, Y), spec=vision_spec(4, class_names=list("abcd")), output_dir=Path("out")),
    ),
    Row("name an output_dir", of((X, Y), resume=True), of((X, Y), resume=True, output_dir=Path("out"))),
    Row("evaluate with output_dir first", lambda: write_page(Path("out")), does=(of((X, Y), output_dir=Path("out")),)),
    Row("give a number between 0 and 1, or a list", lambda: logit_of(2), lambda: logit_of([0.2, 0.8])),
    Row("give at least one row", lambda: compute_topk_accuracy(X[:0], Y[:0]), lambda: compute_topk_accuracy(X, Y)),
    Row("take 1, 3 or 5, say", lambda: compute_topk_accuracy(X, Y, 0), lambda: compute_topk_accuracy(X, Y, 3)),
    Row(
        "give tensors (torch.as_tensor)",
        lambda: compute_topk_accuracy(X.tolist(), Y),
        lambda: compute_topk_accuracy(torch.as_tensor(X.tolist()), Y),
    ),  # type: ignore[arg-type]
    Row(
        "known are {}; your own goes by `module:attribute`",
        lambda: metric_set_of(TaskSpec("audio"), EvalConfig()),
        lambda: metric_set_of(TaskSpec("vision"), EvalConfig()),
    ),
    Row(
        "set the modality",
        lambda: metric_set_of(TaskSpec(task_type="image_text_thing"), EvalConfig()),
        lambda: metric_set_of(TaskSpec("vision", "image_text_thing"), EvalConfig()),
    ),
    Row(
        "its fields are {}",
        lambda: build_eval_config("x", loader=[], size=3),
        lambda: build_eval_config("x", loader=[], batch_size=3),
    ),
    Row("it has {}", lambda: split_of("dev"), lambda: split_of("val")),
    Row(
        "return an exaid_evals.run_eval.base.Task",
        lambda: build_task("remedies.own_parts:no_cases"),
        lambda: build_task("vision_tiny"),
    ),
]


def split_of(name: str) -> object:
    """Return a split of a task that ships."""
    return loader_of(vision_tiny(), EvalConfig(split=name), Processes(together=False))


class Listing(VisionClassificationAdapter):
    """An adapter that returns other things than tensors where it is told to."""

    def __init__(self, *what: str) -> None:
        self.what = what

    def forward(self, model: Any, batch: Any, task_spec: Any) -> Any:
        """Return logits, perhaps as an array."""
        outputs = super().forward(model, batch, task_spec)
        return outputs.detach().numpy() if "logits" in self.what else outputs

    def labels(self, batch: Any, task_spec: Any) -> Any:
        """Return labels, perhaps as a list."""
        labels = super().labels(batch, task_spec)
        return labels.tolist() if "labels" in self.what else labels

    def compute_loss(self, outputs: Any, batch: Any, task_spec: Any) -> Any:
        """Return the loss, perhaps as a number."""
        loss = super().compute_loss(outputs, batch, task_spec)
        return float(loss) if "loss" in self.what else loss


class Contradicting(VisionClassificationAdapter):
    """An adapter whose two losses are not one."""

    def example_losses(self, outputs: Any, _batch: Any, _spec: Any) -> ExampleLosses:
        """Return a hundred for each example."""
        return ExampleLosses(torch.full((len(outputs),), 100.0), torch.ones(len(outputs)))


class Small(Echo):
    """A model for which more than so many examples are too many."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, inputs: Any) -> Any:
        """Return the inputs."""
        if len(inputs) > self.most:
            raise torch.OutOfMemoryError
        return super().forward(inputs)


class Program:
    """What `torch.export.export` returns, as far as the message goes."""

    graph_module = None

    def module(self) -> nn.Module:
        """Return what can be called."""
        return Echo()


class Called(nn.Module):
    """A function as a module."""

    def forward(self, inputs: Any) -> Any:
        """Call it."""
        return double(inputs)


def double(inputs: Any) -> Any:
    """Return the inputs twice as large."""
    return 2 * inputs


class Unmaterialised(nn.Module):
    """A model that lies on the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4, device="meta")

    def forward(self, inputs: Any) -> Any:
        """Call the layer."""
        return self.layer(inputs)


LOADED = Unmaterialised().to_empty(device="cpu")
LOADED.load_state_dict({"layer.weight": torch.eye(4), "layer.bias": torch.zeros(4)})
MODELS = [
    Row(
        "return a tensor from forward{}, or give the adapter `logits(outputs)`",
        of((X, Y), Listing("logits")),
        of((X, Y), Listing()),
    ),
    Row("return a tensor (torch.as_tensor)", of((X, Y), Listing("labels")), of((X, Y), Listing())),
    Row(
        "return a scalar tensor, the mean over the batch, as torch.nn.functional.cross_entropy does",
        of((X, Y), Listing("loss")),
        of((X, Y), Listing()),
    ),
    Row(
        "have the adapter's two methods compute one loss, or leave example_losses out",
        of((X, Y), Contradicting()),
        GOOD,
    ),
    Row("give {}()", of((X, Y), VisionClassificationAdapter), GOOD),
    *(
        Row("give it both, as exaid_evals.run_eval.base.Adapter describes them", wrong, right)
        for wrong, right in (
            (of((X, Y), object()), GOOD),
            (lambda: build_adapter("remedies.own_parts:Nothing"), lambda: build_adapter("logistic")),
        )
    ),
    Row(
        "give a torch.nn.Module; the `forward` of a small one calls your function",
        of((X, Y), model=double),
        of((X, Y), model=Called()),
    ),
    Row("give an instance: {}(…)", of((X, Y), model=Echo), GOOD),
    Row(
        "give what its `module()` returns: an exported program is not called itself",
        of((X, Y), model=Program()),
        of((X, Y), model=Program().module()),
    ),
    Row(
        "load its weights: model.to_empty(device='cpu'), then load_state_dict",
        of((X, Y), model=Unmaterialised()),
        of((X, Y), model=LOADED),
    ),
    Row("set batch_size well below {}", of((X, Y), model=Small(1)), of((X[:1], Y[:1]), model=Small(1))),
    Row(
        "lower batch_size, or make batches of tensors and lists of equal length",
        of({"image": X, "label": Y, "more": X[:3]}, model=Small(3)),
        of({"image": X[:3], "label": Y[:3], "more": X[:3]}, model=Small(3)),
    ),
    Row(
        "make them what its weights are, in the data set (images.float() / 255) or in the adapter's forward",
        of(((X * 100).to(torch.uint8), Y), model=nn.Linear(4, 4)),
        of(((X * 100).to(torch.uint8).float() / 255, Y), model=nn.Linear(4, 4)),
    ),
    Row(
        "name the classes that its outputs stand for with --classes",
        lambda: Subset(Echo(), [7], lambda outputs: outputs)(X),
        lambda: Subset(Echo(), [3], lambda outputs: outputs)(X),
    ),
]


class Together(Processes):
    """This process as the first of two; the other says what it is told to."""

    def __init__(self, *other: Any) -> None:
        self.size, self.rank, self._other = 2, 0, list(other)

    def gathered(self, value: Any) -> list[Any]:
        """Return this process's value and that of the other."""
        return [value, self._other.pop(0) if self._other else value]


class Stopped(Echo):
    """A model that stops an evaluation in a batch."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.calls = at, 0

    def forward(self, inputs: Any) -> Any:
        """Return the inputs."""
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return super().forward(inputs)


def going_on(loader: list[Any], *, stop: int = 0, go_on: bool = True) -> None:
    """Evaluate batches, and perhaps be interrupted."""
    config = config_of(loader, output_dir=Path("out"), resume=go_on)
    with mock.patch.object(resume, "_SHARE", 0):
        run_eval(Stopped(stop), VISION, config, vision_spec(4))


def interrupted() -> None:
    """Be interrupted in the third of three batches."""
    try:
        going_on(THREE, stop=3)
    except KeyboardInterrupt:
        return
    raise AssertionError("it went through")


def shared(shuffle: bool) -> Share:
    """Ask a loader which examples it holds."""
    return Share(DataLoader(TensorDataset(X, Y), shuffle=shuffle), Together())


def merged(metric_set: object) -> object:
    """Put what two processes have counted together."""
    loop = SimpleNamespace(
        metric_set=metric_set, n_examples=4, spec=vision_spec(4), config=EvalConfig(), processes=Together()
    )
    return _merged(loop)  # type: ignore[arg-type]


COUNTED = metric_set_of(vision_spec(4), EvalConfig())
THREE = batched(*random_set(9, 4), [3, 3, 3])
OTHERS = [(inputs, (labels + 1) % 4) for inputs, labels in THREE]
TOGETHER = [
    Row(
        "evaluate anew: set resume to false, or remove {}",
        partial(going_on, OTHERS),
        partial(going_on, OTHERS, go_on=False),
        before=interrupted,
    ),
    Row(
        "set resume to false to evaluate anew",
        partial(going_on, THREE[:1]),
        partial(going_on, THREE[:1], go_on=False),
        before=interrupted,
    ),
    Row(
        "give it `state()` and `absorb(state)`, or set resume to false",
        lambda: resumable(EvalConfig(output_dir=Path("out"), resume=True), object()),
        lambda: resumable(EvalConfig(output_dir=Path("out"), resume=True), COUNTED),
    ),
    Row(
        "give it `state()` and `absorb(state)`, or evaluate in one process",
        lambda: merged(object()),
        lambda: merged(COUNTED),
    ),
    Row(
        "look at what that process has printed",
        lambda: Together("OSError: no").agree(None),
        lambda: Together(None).agree(None),
    ),
    Row(
        "have each batch hold one example for each index",
        lambda: shared(False).take(0, 9),
        lambda: shared(False).take(0, 4),
    ),
    Row(
        "make it with shuffle=False, or with DistributedSampler(dataset, shuffle=False); the order changes no metric",
        lambda: shared(True),
        lambda: shared(False),
    ),
]


def told(remedy: str, adapter: Any, spec: TaskSpec, wrong: Any, right: Any, **how: Any) -> Row:
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
    told("give 0 and 1, as whole numbers or floats", LogisticAdapter(), BINARY, (X[:, 0], Y + 0.5), (X[:, 0], Y % 2)),
    told("give 0 and 1, as whole numbers or floats", LogisticAdapter(), LABELS, (X, X.abs()), (X, (X > 0).float())),
    told(
        "give each example a 0 or 1 for every label, and num_classes as many as there are",
        LogisticAdapter(),
        LABELS,
        (X, (X > 0)[:, :1].float().expand(4, 4)[:, None].squeeze(1)[:3]),
        (X, (X > 0).float()),
    ),
    told(
        "have the model return as many numbers as an example has", RegressionAdapter(), NUMBERS, (X, X[:, :3]), (X, X)
    ),
    told("leave such examples out", RegressionAdapter(), NUMBERS, (X, X * float("inf")), (X, X)),
    Row(
        "take SegmentationAdapter, which brings logits to the size of the labels",
        of((MASKS[0][:, :, :2, :2], MASKS[1]), Raw(), PIXELS),
        of((MASKS[0][:, :, :2, :2], MASKS[1]), SegmentationAdapter(), PIXELS),
    ),
    told(
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
    told(
        "check labels and output_schema.ignore_index", SegmentationAdapter(), PIXELS, (MASKS[0], MASKS[1] - 100), MASKS
    ),
    told(
        "check labels and output_schema.ignore_index",
        CausalLMAdapter(),
        text_spec(),
        (TOKENS[0], TOKENS[1] * 0 - 100),
        TOKENS,
    ),
    told(
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
ROWS = [*CLASSIFIED, *MODELS, *TOGETHER, *KINDS, *DETECTED]
