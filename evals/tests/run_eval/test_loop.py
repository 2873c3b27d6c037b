"""The loop: modes, devices, precision, seeds, memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import exaid_evals  # noqa: E402
from exaid_evals.errors import DataError  # noqa: E402
from exaid_evals.run_eval import VisionClassificationAdapter, build_eval_config, evaluate, run_eval  # noqa: E402
from small_torch import Echo, batched, config_of, random_set, vision_spec  # noqa: E402

ADAPTER = VisionClassificationAdapter()


class Small(Echo):
    """Runs out of memory above a number of examples, as an accelerator does."""

    def __init__(self, fits: int, error: type[BaseException] | None = None) -> None:
        super().__init__()
        self.fits = fits
        self.error = error
        self.sizes: list[int] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Refuse what does not fit."""
        if len(inputs) > self.fits:
            if self.error is None:
                raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory")
            raise self.error("out of memory")
        self.sizes.append(len(inputs))
        return super().forward(inputs)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_restored_module_by_module(training: bool) -> None:
    """A frozen part of a model in training stays frozen; dropout is off meanwhile, whatever the mode was."""
    model = torch.nn.Sequential(Echo(), Echo())
    model.train(training)
    model[1].eval()
    modes = [module.training for module in model.modules()]
    images, labels = random_set(20, 4)
    found = run_eval(model, ADAPTER, config_of([(images, labels)]), vision_spec(4))
    assert [module.training for module in model.modules()] == modes
    assert found["accuracy"] == pytest.approx(float((images.argmax(1) == labels).double().mean()))


@pytest.mark.parametrize("inference_mode", [False, True])
def test_no_gradient_is_recorded(inference_mode: bool) -> None:
    """The forward pass runs without gradients, in inference mode only if asked; the weights keep those they had."""

    class Watching(Echo):
        def forward(self, inputs):  # type: ignore[no-untyped-def]
            assert not torch.is_grad_enabled()
            assert torch.is_inference_mode_enabled() == inference_mode
            return super().forward(inputs)

    model = Watching()
    model.scale.grad = torch.full((1,), 3.0)
    run_eval(model, ADAPTER, config_of([random_set(4, 4)], inference_mode=inference_mode), vision_spec(4))
    assert model.scale.grad.item() == 3.0


def test_a_model_that_keeps_a_tensor_can_be_trained_afterwards() -> None:
    """A cache that is filled during the evaluation takes part in the backward pass of the next training step."""

    class Caching(torch.nn.Linear):
        cosines = None

        def forward(self, inputs):  # type: ignore[no-untyped-def]
            if self.cosines is None:
                self.cosines = torch.cos(torch.arange(4.0))
            return super().forward(inputs) * self.cosines

    model, (images, labels) = Caching(4, 4), random_set(6, 4)
    run_eval(model, ADAPTER, config_of([(images, labels)]), vision_spec(4))
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    assert model.weight.grad is not None


def test_max_batches_stops_there() -> None:
    """Only the first batches are asked for: what comes behind is not even loaded."""

    def loader():  # type: ignore[no-untyped-def]
        yield from [random_set(4, 4, seed=0), random_set(4, 4, seed=1)]
        raise AssertionError("a third batch was asked for")

    result = evaluate(Echo(), ADAPTER, config_of(loader(), max_batches=2), vision_spec(4))
    assert (result.n_batches, result.details["n_examples"]) == (2, 8)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_runs_the_model_in_half_and_the_metrics_in_full(precision: str) -> None:
    """A linear layer computes in half precision under autocast; metrics are close to those in full."""
    torch.manual_seed(0)
    seen = []

    class Linear(torch.nn.Linear):
        def forward(self, inputs):  # type: ignore[no-untyped-def]
            outputs = super().forward(inputs)
            seen.append(outputs.dtype)
            return outputs

    model, batches = Linear(6, 6), batched(*random_set(40, 6), [16, 16, 8])
    full = run_eval(model, ADAPTER, config_of(batches), vision_spec(6))
    half = run_eval(model, ADAPTER, config_of(batches, mixed_precision=precision), vision_spec(6))
    assert seen == [torch.float32] * 3 + [torch.bfloat16 if precision == "bf16" else torch.float16] * 3
    assert half["loss"] != full["loss"]
    assert half == pytest.approx(full, rel=0.02, abs=0.06)


def test_a_seed_repeats_what_a_model_draws_and_leaves_the_callers_draws_alone() -> None:
    """A model that is random in evaluation too gives the same numbers for one seed, others for another."""

    class Noisy(Echo):
        def forward(self, inputs):  # type: ignore[no-untyped-def]
            return inputs + 3 * torch.randn_like(inputs)

    batches = [random_set(50, 4)]
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (
        run_eval(Noisy(), ADAPTER, config_of(batches, seed=seed), vision_spec(4)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert torch.rand(1) == expected


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, None])
def test_what_does_not_fit_goes_through_in_halves_once(error: type[BaseException] | None) -> None:
    """The numbers are those of whole batches, the halves are counted, and later batches are not tried whole."""
    images, labels = random_set(26, 4)
    batches = batched(images, labels, [10, 10, 6])
    model = Small(6, error)
    with pytest.warns(RuntimeWarning, match="batch 1: 10 examples at a time are too many for the memory"):
        result = evaluate(model, ADAPTER, config_of(batches), vision_spec(4))
    assert model.sizes == [5, 5, 5, 5, 6]
    assert (result.n_batches, result.n_halved, len(result.warnings)) == (3, 2, 1)
    whole = evaluate(Echo(), ADAPTER, config_of(batches), vision_spec(4))
    assert result.metrics == pytest.approx(whole.metrics, abs=1e-6)
    assert result.details == whole.details


def test_halves_that_do_not_fit_either_are_an_error() -> None:
    """Once is what is promised: then the user chooses a smaller batch_size."""
    with (
        pytest.warns(RuntimeWarning),
        pytest.raises(DataError, match=r"half a batch \(5 examples\) does not fit .*batch_size well below 5"),
    ):
        run_eval(Small(4), ADAPTER, config_of([random_set(10, 4)]), vision_spec(4))
    with pytest.warns(RuntimeWarning), pytest.raises(DataError, match="1 examples do not fit the memory"):
        run_eval(Small(0), ADAPTER, config_of([random_set(1, 4)]), vision_spec(4))


def test_mappings_with_ids_are_halved_too(tmp_path: Path) -> None:
    """Ids stay with their examples, in the order in which they came."""
    images, labels = random_set(7, 4)
    ids = [f"image {index}" for index in range(7)]
    config = config_of([{"id": ids, "image": images, "label": labels}], output_dir=tmp_path)
    with pytest.warns(RuntimeWarning):
        run_eval(Small(4), ADAPTER, config, vision_spec(4))
    rows = [line.split(",") for line in (tmp_path / "val_predictions.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ids
    assert [int(row[1]) for row in rows] == labels.tolist()
    assert [int(row[2]) for row in rows] == images.argmax(1).tolist()


def test_other_runtime_errors_are_not_taken_for_a_lack_of_memory() -> None:
    """A shape mismatch in a model comes out as it is, at the first batch."""

    class Broken(Echo):
        def forward(self, inputs):  # type: ignore[no-untyped-def]
            return inputs @ torch.zeros(3, 3)

    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes"):
        run_eval(Broken(), ADAPTER, config_of([random_set(4, 4)]), vision_spec(4))


def test_a_task_that_ships_needs_no_loader() -> None:
    """Its split, its order and its defaults are the task's; an unknown split names those there are."""
    from exaid_evals.errors import ConfigError

    config = build_eval_config("vision_tiny", max_batches=1, progress=False)
    assert (config.batch_size, config.split, config.calibration) == (64, "val", True)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1024, 10))
    result = evaluate(model, ADAPTER, config, vision_spec(10, label_key="label"))
    assert result.details["n_examples"] == 64
    with pytest.raises(ConfigError, match="vision_tiny has no split 'dev'; it has train, val, test"):
        run_eval(model, ADAPTER, build_eval_config("vision_tiny", split="dev"), vision_spec(10))


_MEMORY = """
import resource, sys, torch
from small_torch import Echo, config_of, vision_spec
from exaid_evals.run_eval import VisionClassificationAdapter, run_eval
torch.set_num_threads(1)
def batches(n):
    for seed in range(n):
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(100, 200, generator=generator)
        yield logits, logits.argmax(1)
settings = {"calibration": True, "intervals": True, "per_class": True}
for n in (10, int(sys.argv[1])):
    run_eval(Echo(), VisionClassificationAdapter(), config_of(batches(n), **settings), vision_spec(200))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_set() -> None:
    """60,000 images after 1,000 add less than a third of what their logits alone would take (46 MB)."""
    folders = [str(Path(__file__).parents[1]), str(Path(exaid_evals.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, "600"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(folders)},
    )
    few, many = map(int, done.stdout.split())
    assert many - few < 15
