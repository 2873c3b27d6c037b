"""What is wrong with data or model is an error that says what and where; nothing is written then."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import VisionClassificationAdapter, run_eval  # noqa: E402
from exaid_evals.run_eval.base import ExampleLosses  # noqa: E402
from small_torch import Echo, config_of, files_in, random_set, vision_spec  # noqa: E402

ADAPTER = VisionClassificationAdapter()


def wrong(batch: object, position: int) -> list[object]:
    """Return three good batches of four classes, with another in place of one."""
    batches: list[object] = [random_set(4, 4, seed=seed) for seed in range(3)]
    batches[position] = batch
    return batches


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ((torch.zeros(2, 4), torch.tensor([0, 4])), "1 of 2 labels are outside the 4 classes 0 … 3, such as 4"),
        ((torch.zeros(2, 4), torch.tensor([-100, 1])), "such as -100; number classes from 0"),
        ((torch.full((2, 4), float("nan")), torch.tensor([0, 1])), "2 of 2 examples have logits that are NaN"),
        ((torch.zeros(2, 4, 1), torch.tensor([0, 1])), r"logits have the shape \(2, 4, 1\), not \(N, C\)"),
        ((torch.zeros(2, 5), torch.tensor([0, 1])), "the model has 5 outputs, the task 4 classes"),
        ((torch.zeros(2, 4), torch.tensor([0.0, 1.0])), "labels are torch.float32"),
        ((torch.zeros(2, 4), torch.tensor([0, 1, 2])), r"labels have the shape \(3,\)"),
        ((torch.zeros(2, 4),), "the batch holds no tensor of labels"),
        ({"image": torch.zeros(2, 4), "klass": torch.tensor([0, 1])}, "it has the keys image, klass"),
        ((torch.tensor([[float("-inf"), 0, 0, 0]]), torch.tensor([0])), "the loss is NaN or infinite"),
    ],
)
def test_each_problem_names_its_batch(batch: object, said: str, tmp_path: Path) -> None:
    """The second of three batches is wrong: the error says so, and no file is left, whole or in part."""
    config = config_of(wrong(batch, 1), output_dir=tmp_path)
    with pytest.raises(DataError, match=said) as raised:
        run_eval(Echo(), ADAPTER, config, vision_spec(4))
    assert raised.value.where == "batch 2"
    assert list(files_in(tmp_path)) == []


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        ([], "the loader gave no batch"),
        ([(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))], "the loader gave empty batches"),
    ],
)
def test_an_empty_loader_is_an_error(loader: list[object], said: str) -> None:
    """There is no accuracy of nothing; a generator that was read before is a usual cause."""
    with pytest.raises(DataError, match=said):
        run_eval(Echo(), ADAPTER, config_of(loader), vision_spec(4))


def test_a_loader_that_raises_in_the_middle(tmp_path: Path) -> None:
    """The error says after how many batches and why, keeps the cause, and leaves nothing half-written."""

    def loader():  # type: ignore[no-untyped-def]
        yield random_set(4, 4)
        yield random_set(4, 4)
        raise OSError(5, "the disk is gone")

    model = Echo().train()
    with pytest.raises(DataError, match=r"the loader failed after 2 batches \(OSError: .*the disk is gone") as raised:
        run_eval(model, ADAPTER, config_of(loader(), output_dir=tmp_path), vision_spec(4))
    assert isinstance(raised.value.__cause__, OSError)
    assert list(files_in(tmp_path)) == []
    assert model.training


def test_an_earlier_result_survives_a_failed_evaluation(tmp_path: Path) -> None:
    """Files are replaced when an evaluation has ended well, and not before."""
    run_eval(Echo(), ADAPTER, config_of([random_set(4, 4)], output_dir=tmp_path), vision_spec(4))
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}
    with pytest.raises(DataError):
        run_eval(Echo(), ADAPTER, config_of(wrong((torch.zeros(1, 4),), 2), output_dir=tmp_path), vision_spec(4))
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before


def test_what_the_model_itself_raises_comes_out() -> None:
    """An error of somebody's own code is not dressed up as one of the data."""

    class Broken(Echo):
        def forward(self, inputs):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError("in the model")

    with pytest.raises(ZeroDivisionError, match="in the model"):
        run_eval(Broken(), ADAPTER, config_of([random_set(4, 4)]), vision_spec(4))


def test_an_unknown_device_is_refused_before_any_work() -> None:
    """A name that PyTorch does not know, and one that is not here."""
    for name in ("gpu0", "cuda:77"):
        with pytest.raises(ConfigError, match="cannot be used"):
            run_eval(Echo(), ADAPTER, config_of([random_set(4, 4)], device=name), vision_spec(4))


def test_ids_are_as_many_as_examples() -> None:
    """A batch whose ids do not match its labels would put names on the wrong rows."""
    images, labels = random_set(4, 4)
    with pytest.raises(DataError, match="3 ids for 4 examples"):
        run_eval(
            Echo(), ADAPTER, config_of([{"image": images, "label": labels, "id": ["a", "b", "c"]}]), vision_spec(4)
        )


def test_an_adapter_with_another_loss_is_taken_at_its_word() -> None:
    """An overridden `compute_loss` is the loss, and its interval is around it; `example_losses` must agree with it."""

    class Smoothed(VisionClassificationAdapter):
        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            return torch.nn.functional.cross_entropy(outputs, batch[1], label_smoothing=0.5)

    class Contradicting(Smoothed):
        def example_losses(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            losses = torch.nn.functional.cross_entropy(outputs, batch[1], reduction="none")
            return ExampleLosses(losses, torch.ones_like(losses))

    logits, labels = random_set(40, 4)
    expected = torch.nn.functional.cross_entropy(logits.double(), labels, label_smoothing=0.5)
    batches = list(zip(logits.split(7), labels.split(7), strict=True))
    found = run_eval(Echo(), Smoothed(), config_of(batches, intervals=True), vision_spec(4))
    assert found["loss"] == pytest.approx(float(expected), abs=1e-6)
    assert found["loss_ci95_low"] < found["loss"] < found["loss_ci95_high"]
    with pytest.raises(DataError, match=r"compute_loss says .*, and example_losses have the mean"):
        run_eval(Echo(), Contradicting(), config_of([(logits, labels)]), vision_spec(4))


class Program:
    """What `torch.export.export` returns, as far as the message goes."""

    graph_module = None

    def module(self) -> None: ...


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda images: images, "the model is a function; give a torch.nn.Module"),
        (Echo, r"the model is a type; give an instance: Echo\(…\)"),
        (Program(), r"the model is a Program; give what its `module\(\)` returns"),
    ],
)
def test_what_is_no_model_is_refused(model: object, said: str) -> None:
    """A function, a class and an exported program, each with what to give in its place."""
    with pytest.raises(ConfigError, match=said):
        run_eval(model, ADAPTER, config_of([random_set(4, 4)]), vision_spec(4))  # type: ignore[arg-type]


def test_an_adapter_is_an_instance_with_both_methods() -> None:
    """A class would be called with the model for `self`."""
    for adapter, said in (
        (
            VisionClassificationAdapter,
            r"is the class VisionClassificationAdapter; give VisionClassificationAdapter\(\)",
        ),
        (object(), "a object, lacks forward or compute_loss"),
    ):
        with pytest.raises(ConfigError, match=said):
            run_eval(Echo(), adapter, config_of([random_set(4, 4)]), vision_spec(4))  # type: ignore[arg-type]


def test_arrays_lists_and_floats_in_place_of_tensors() -> None:
    """Logits, labels and the loss: each error names what came, and how to make a tensor of it."""

    class Wrong(VisionClassificationAdapter):
        def __init__(self, what: str) -> None:
            self.what = what

        def forward(self, model, batch, task_spec):  # type: ignore[no-untyped-def]
            outputs = super().forward(model, batch, task_spec)
            return outputs.detach().numpy() if self.what == "logits" else outputs

        def labels(self, batch, task_spec):  # type: ignore[no-untyped-def]
            labels = super().labels(batch, task_spec)
            return labels.tolist() if self.what == "labels" else labels

        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            loss = torch.nn.functional.cross_entropy(outputs, batch[1])
            return loss if self.what == "labels" else float(loss) if self.what == "loss" else loss.expand(2)

    for what, said in (
        ("logits", r"hold no logits \(ndarray\); return a tensor from forward \(torch.from_numpy"),
        ("labels", "the adapter's labels are a list; return a tensor"),
        ("loss", "compute_loss of Wrong returns a float; return a scalar tensor"),
        ("shape", "compute_loss of Wrong returns a tensor of 2 values"),
    ):
        with pytest.raises((ConfigError, DataError), match=said):
            run_eval(Echo(), Wrong(what), config_of([random_set(4, 4)]), vision_spec(4))
    images, labels = random_set(4, 4)
    with pytest.raises(DataError, match=r"its labels are a list\); make batches .*torch.as_tensor"):
        run_eval(Echo(), ADAPTER, config_of([(images, labels.tolist())]), vision_spec(4))
