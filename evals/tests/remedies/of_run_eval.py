"""What run_eval says of models, batches, outputs and labels; needs PyTorch, and is tried by tests/run_eval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from exaid_evals.run_eval import (
    TaskSpec,
    VisionClassificationAdapter,
    compute_topk_accuracy,
    run_eval,
    write_page,
)
from exaid_evals.run_eval.base import ExampleLosses
from exaid_evals.run_eval.calibration import logit_of
from exaid_evals.run_eval.loading import Subset
from exaid_evals.run_eval.placement import Processes
from exaid_evals.run_eval.registry import build_adapter, build_eval_config, build_task, loader_of, metric_set_of
from exaid_evals.run_eval.shipped import vision_tiny
from exaid_evals.run_eval.spec import EvalConfig
from remedies.rows import Row
from small_torch import Echo, config_of, random_set, vision_spec

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


ROWS = [*CLASSIFIED, *MODELS]
