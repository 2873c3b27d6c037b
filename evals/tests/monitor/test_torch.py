"""The recovery with PyTorch: states come back as they were, and a sabotaged network is saved.

PyTorch is in no lock file: `make torch-test` makes an environment that has it.
"""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.monitor import AutoRecoverySystem, TrainingMonitor
from exaid_evals.monitor.history_log import number_of
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
from exaid_evals.monitor.recovery.state_file import read_state, write_state
from exaid_evals.monitor.recovery.training_state import TrainingState, recomputes
from monitor.test_recovery import METRIC, anomaly, drop
from scripts import script_module

if os.environ.get("EXAID_REQUIRE_TORCH"):
    torch: Any = importlib.import_module("torch")
else:
    torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors are quicker on one thread, and sums come out the same on every machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network() -> Any:
    """Return a network with running statistics, whose state has integers too."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))


def trained(model: Any, optimizer: Any, steps: int = 3) -> None:
    """Make some steps, so that the optimiser has a state."""
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(6, 4) * torch.arange(6.0).reshape(6, 1)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("optimizer_name", ["Adam", "AdamW", "SGD"])
def test_a_training_goes_on_from_a_checkpoint_as_if_nothing_had_been(optimizer_name: str, tmp_path: Path) -> None:
    """Model and optimiser are put back bit by bit: the same steps lead to the same weights."""
    make = getattr(torch.optim, optimizer_name)
    extra = {"momentum": 0.9} if optimizer_name == "SGD" else {}
    model = network()
    optimizer = make(model.parameters(), lr=0.01, **extra)
    trained(model, optimizer)
    store = CheckpointStore(tmp_path, 2, larger_is_worse=False)
    store.save(TrainingState(model, optimizer).state(), 3, METRIC, 0.5)
    trained(model, optimizer)
    expected = {name: value.clone() for name, value in model.state_dict().items()}
    other = network()
    other_optimizer = make(other.parameters(), lr=0.5, **extra)
    trained(other, other_optimizer, 7)
    found = store.best()
    assert found is not None
    TrainingState(other, other_optimizer).load(found[1])
    trained(other, other_optimizer)
    for name, value in other.state_dict().items():
        assert value.dtype == expected[name].dtype
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "bool", "complex64"])
def test_every_type_of_tensor_comes_back(dtype: str, tmp_path: Path) -> None:
    """Those that NumPy lacks too; and shapes without elements or dimensions."""
    store = CheckpointStore(tmp_path, 1, larger_is_worse=False)
    wanted = getattr(torch, dtype)
    state = {
        "a": torch.tensor([[0, 1], [1, 0]]).to(wanted),
        "b": torch.tensor(1).to(wanted),
        "c": torch.zeros(0, 3).to(wanted),
    }
    store.save(state, 0, METRIC, 0.0)
    found = store.best()
    assert found is not None
    for name, value in state.items():
        assert found[1][name].dtype == wanted
        assert torch.equal(found[1][name], value)


def test_a_file_of_pytorch_is_refused(tmp_path: Path) -> None:
    """It is a pickle: even with the right hash nothing of it is read."""
    store = CheckpointStore(tmp_path, 1, larger_is_worse=False)
    one = store.save({"a": torch.zeros(2)}, 0, METRIC, 0.0)
    torch.save({"a": torch.zeros(2)}, tmp_path / "checkpoint-000001.npz")
    with pytest.raises(DataError, match="is not what was written"):
        store.load(one)


def test_nan_weights_are_rolled_back_and_the_rate_with_them(tmp_path: Path) -> None:
    """Weights are finite again, and the sabotaged learning rate is that of the checkpoint."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)
    recovery = AutoRecoverySystem(tmp_path / "c", metric=METRIC, cooldown_steps=0).attach(model, optimizer, scheduler)
    trained(model, optimizer)
    recovery.observe(0, {METRIC: 0.9})
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    optimizer.param_groups[0]["lr"] = 10.0
    action = recovery.observe(
        1, {"train_loss": torch.tensor(float("nan"))}, [anomaly("not_finite", 1, "high", "train_loss")]
    )
    assert action is not None
    assert action.strategy == "rollback"
    assert all(bool(value.isfinite().all()) for value in model.state_dict().values())
    assert optimizer.param_groups[0]["lr"] == 0.01
    # The second time from the same checkpoint, with half the rate; the schedule goes on from there.
    recovery.observe(2, {METRIC: 0.2}, [drop(2)])
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.005)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.005 * 0.9)


@pytest.mark.filterwarnings("error")
def test_tensors_are_numbers() -> None:
    """One element, with a gradient or without; several are none."""
    assert number_of(torch.tensor(0.5, requires_grad=True)) == 0.5
    assert number_of(torch.tensor([2])) == 2.0
    assert number_of(torch.zeros(2)) is None
    with TrainingMonitor(watch_stalls=False) as monitor:
        monitor.log_step(torch.tensor(3), {"loss": torch.tensor(1.0, requires_grad=True)})
        assert not monitor.problems


@cache
def undisturbed(seed: int) -> float:
    """Return the accuracy of a training that nobody disturbs."""
    return float(script_module("examples/sabotaged_training.py").train("cnn", seed, None, None).accuracy)


@pytest.mark.parametrize("sabotage", ["learning rate × 1000", "weights overwritten", "a weight is NaN"])
def test_a_sabotaged_network_is_saved(sabotage: str, tmp_path: Path) -> None:
    """A convolutional network on digits: with recovery within 1 point of the undisturbed, else not."""
    train = script_module("examples/sabotaged_training.py").train
    whole, without = undisturbed(0), train("cnn", 0, sabotage, None).accuracy
    mended = train("cnn", 0, sabotage, tmp_path).accuracy
    assert whole > 0.95
    assert abs(mended - whole) <= 0.01
    assert whole - without > 0.01


def test_without_a_sabotage_the_recovery_does_nothing(tmp_path: Path) -> None:
    """The same accuracy to the last digit, and no action."""
    assert script_module("examples/sabotaged_training.py").train("cnn", 0, None, tmp_path).accuracy == undisturbed(0)
    assert not (tmp_path / "recovery.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "keeps"),
    [
        ("StepLR", (1000,), True),
        ("LambdaLR", (lambda _: 1.0,), True),
        ("CosineAnnealingLR", (1000,), True),
        ("CosineAnnealingWarmRestarts", (500,), True),
        ("PolynomialLR", (1000,), True),
        ("OneCycleLR", (0.1, 1000), False),
        ("CyclicLR", (0.01, 0.1, 50), False),
        ("SequentialLR", None, False),
    ],
)
def test_which_schedulers_keep_a_lowered_rate(name: str, arguments: tuple[Any, ...] | None, keeps: bool) -> None:
    """Half the rate stays half the rate, or the scheduler is known as one that computes it anew."""
    schedulers = torch.optim.lr_scheduler
    ends = []
    for factor in (1.0, 0.5):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        if arguments is None:
            parts = [schedulers.LambdaLR(optimizer, lambda _: 1.0) for _ in range(2)]
            scheduler = schedulers.SequentialLR(optimizer, parts, [5])
        else:
            scheduler = getattr(schedulers, name)(optimizer, *arguments)
        for step in range(203):
            if step == 200:
                TrainingState(model, optimizer, scheduler).scale_rates([factor])
            optimizer.step()
            scheduler.step()
        ends.append(optimizer.param_groups[0]["lr"])
    assert (abs(ends[1] / ends[0] - 0.5) < 0.01) == keeps
    assert recomputes(scheduler) != keeps


def test_a_causal_mask_is_no_damage(tmp_path: Path) -> None:
    """A buffer of −inf, as transformers have it: checkpoints are kept; an infinite weight makes none."""
    model = torch.nn.Linear(4, 4)
    model.register_buffer("mask", torch.nn.Transformer.generate_square_subsequent_mask(4))
    recovery = AutoRecoverySystem(tmp_path / "c", ["rollback"], metric=METRIC).attach(model)
    recovery.observe(0, {METRIC: 0.8})
    with torch.no_grad():
        model.weight[0, 0] = torch.inf
    recovery.observe(1, {METRIC: 0.9})
    assert [one.value for one in recovery.store.ranked] == [0.8]


def test_narrow_types_come_back() -> None:
    """Every float8 that this PyTorch has; what cannot be read back is refused when it is written."""
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "bfloat16"):
        if not hasattr(torch, name):
            continue
        tensor = torch.tensor([0.5, 1.0, 2.0]).to(getattr(torch, name))
        stream = io.BytesIO()
        write_state(stream, {"w": tensor})
        back = read_state(stream.getvalue(), "x")["w"]
        assert back.dtype == tensor.dtype
        assert torch.equal(back.float(), tensor.float())
    with pytest.raises(ConfigError, match="cannot be kept"):
        write_state(io.BytesIO(), {"w": torch.eye(3).to_sparse()})


SCHEDULES: dict[str, Any] = {
    "StepLR": lambda optimizer, of: of.StepLR(optimizer, 30),
    "MultiStepLR": lambda optimizer, of: of.MultiStepLR(optimizer, [30, 60]),
    "CosineAnnealingLR": lambda optimizer, of: of.CosineAnnealingLR(optimizer, 100),
    "LambdaLR": lambda optimizer, of: of.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
    "LinearLR": lambda optimizer, of: of.LinearLR(optimizer, 0.1, 1, 50),
    "OneCycleLR": lambda optimizer, of: of.OneCycleLR(optimizer, 0.1, total_steps=100),
    "CyclicLR": lambda optimizer, of: of.CyclicLR(optimizer, 0.01, 0.1, 20),
    "SequentialLR": lambda optimizer, of: of.SequentialLR(
        optimizer, [of.ConstantLR(optimizer, 0.1, 10), of.ExponentialLR(optimizer, 0.95)], [10]
    ),
    "ReduceLROnPlateau": lambda optimizer, of: of.ReduceLROnPlateau(optimizer, patience=3),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on_from_the_checkpoint(name: str, tmp_path: Path) -> None:
    """After the rollback the rates are those that followed the checkpoint, step by step."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = SCHEDULES[name](optimizer, torch.optim.lr_scheduler)
    recovery = AutoRecoverySystem(tmp_path, ["rollback"], metric=METRIC).attach(model, optimizer, scheduler)

    def rates(n: int) -> list[float]:
        found = []
        for _ in range(n):
            optimizer.step()
            scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
            found.append(optimizer.param_groups[0]["lr"])
        return found

    rates(20)
    recovery.observe(20, {METRIC: 0.9})
    planned = rates(50)
    action = recovery.observe(70, {METRIC: 0.2}, [drop(70)])
    assert action is not None
    assert action.strategy == "rollback"
    assert rates(50) == planned
    recovery.close()


def test_scaler_and_generator_are_parts_of_a_checkpoint(tmp_path: Path) -> None:
    """The scale of mixed precision, and what is drawn next, of a generator and of the global one."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler, generator = torch.amp.GradScaler("cpu"), torch.Generator().manual_seed(1)
    parts = {"scaler": scaler, "generator": generator, "global": torch.random}
    recovery = AutoRecoverySystem(tmp_path, ["rollback"], metric=METRIC).attach(model, optimizer, parts=parts)
    recovery.observe(0, {METRIC: 0.9})
    drawn = [torch.rand(2, generator=generator).tolist(), torch.rand(2).tolist()]
    scaler.load_state_dict({**scaler.state_dict(), "scale": 2.0})
    assert recovery.observe(1, {METRIC: 0.2}, [drop(1)]) is not None
    assert scaler.state_dict()["scale"] == 65536.0
    assert [torch.rand(2, generator=generator).tolist(), torch.rand(2).tolist()] == drawn
    recovery.close()


def test_the_state_of_another_optimiser_ends_no_training(tmp_path: Path) -> None:
    """SGD's momentum in Adam: PyTorch would take it, or raise in the middle; here it does not fit, and steps go on."""
    model = network()
    first = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    trained(model, first)
    recovery = AutoRecoverySystem(tmp_path, ["rollback"], metric=METRIC).attach(model, first)
    recovery.observe(0, {METRIC: 0.9})
    recovery.close()
    second = torch.optim.Adam(model.parameters(), lr=0.1)
    recovery = AutoRecoverySystem(tmp_path, ["rollback"], metric=METRIC, resume=True).attach(model, second)
    assert recovery.observe(1, {METRIC: 0.2}, [drop(1)]) is None
    assert any("is of SGD, and here is Adam" in what for what in recovery.new_problems())
    trained(model, second)
    recovery.close()


def test_tensors_that_are_views_of_others_are_kept() -> None:
    """Conjugates and negatives by their numbers; what has no numbers is named by `attach`."""
    values = {"a": torch.tensor([1 + 2j]).conj(), "b": torch.tensor([1 + 2j]).conj().imag}
    stream = io.BytesIO()
    write_state(stream, values)
    found = read_state(stream.getvalue(), "x")
    assert all(torch.equal(found[name], values[name]) for name in values)
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    for odd in (nested, torch.ones(2, device="meta"), torch.nn.parameter.UninitializedParameter()):
        with pytest.raises(ConfigError, match=r"state\.x: "):
            write_state(io.BytesIO(), {"x": odd})
