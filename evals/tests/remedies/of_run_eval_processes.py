"""What run_eval says of several processes and of work that goes on after an interruption; needs PyTorch."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from torch.utils.data import DataLoader, TensorDataset

from exaid_evals.run_eval import (
    resume,
    run_eval,
)
from exaid_evals.run_eval.loop import _merged
from exaid_evals.run_eval.placement import Processes, Share
from exaid_evals.run_eval.registry import metric_set_of
from exaid_evals.run_eval.resume import resumable
from exaid_evals.run_eval.spec import EvalConfig
from remedies.of_run_eval import VISION, X, Y
from remedies.rows import Row
from small_torch import Echo, batched, config_of, random_set, vision_spec


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


ROWS = TOGETHER
