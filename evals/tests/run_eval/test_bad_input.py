"""What is wrong with data or model is an error that says what and where; nothing is written then."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import VisionClassificationAdapter, run_eval  # noqa: E402
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
    """An overridden `compute_loss` is the loss; an interval of the other one would be of another number."""

    class Smoothed(VisionClassificationAdapter):
        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            return torch.nn.functional.cross_entropy(outputs, batch[1], label_smoothing=0.5)

    logits, labels = random_set(40, 4)
    expected = torch.nn.functional.cross_entropy(logits.double(), labels, label_smoothing=0.5)
    found = run_eval(
        Echo(), Smoothed(), config_of(list(zip(logits.split(7), labels.split(7), strict=True))), vision_spec(4)
    )
    assert found["loss"] == pytest.approx(float(expected), abs=1e-6)
    with pytest.raises(DataError, match=r"compute_loss says .*, and example_losses have the mean"):
        run_eval(Echo(), Smoothed(), config_of([(logits, labels)], intervals=True), vision_spec(4))
