"""Histories of trainings as they are met elsewhere, written down from formulas: clean ones of many methods, and faults.

Where simulated_runs.py trains small networks, this draws curves: power laws with spikes, rewards that wander, pairs of
adversarial losses, warm restarts, saw-teeth, runs of five epochs and of 50,000 steps, metrics that are logged at
different times. A fault is put into a course that is otherwise one of the clean ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Rows = list[dict[str, Any]]
Curve = NDArray[np.float64]


@dataclass
class Made:
    """A made-up run.

    Attributes:
        kind: of clean course or of fault.
        rows: step → metrics, as a logger writes them.
        batches: rows of a batch log.
        onset: first bad step; None for a clean run, and for a fault that was there from the start.
        family: of causes that is right; None where none can be distinguished from what is logged, or nothing is wrong.
    """

    kind: str
    rows: Rows
    batches: Rows = field(default_factory=list)
    onset: int | None = None
    family: str | None = None


def _wander(rng: Generator, n: int, memory: float, sigma: float) -> Curve:
    """Return noise that resembles itself: AR(1) with standard deviation sigma."""
    shocks = rng.normal(0, sigma * math.sqrt(1 - memory**2), n)
    out = np.empty(n)
    value = rng.normal(0, sigma)
    for at in range(n):
        value = memory * value + shocks[at]
        out[at] = value
    return out


def _rows(columns: Mapping[str, Curve], every: Mapping[str, int] | None = None) -> Rows:
    n = max(len(one) for one in columns.values())
    every = every or {}
    return [
        {"step": at} | {name: float(one[at]) for name, one in columns.items() if (at + 1) % every.get(name, 1) == 0}
        for at in range(n)
    ]


# Clean courses -------------------------------------------------------------------------------------------------------


def language_model(rng: Generator, n: int = 4000) -> Made:
    """A power law from ln(vocabulary), with spikes of some steps that come back by themselves."""
    step = np.arange(n)
    loss = rng.uniform(1.8, 3.0) + 8.5 * (1 + step / rng.uniform(20, 80)) ** -rng.uniform(0.4, 0.6)
    loss += rng.normal(0, 0.04, n)
    for at in rng.integers(n // 10, n - n // 10, rng.integers(1, 6)):
        length = int(rng.integers(1, 12))
        loss[at : at + length] += rng.uniform(0.8, 4) * np.exp(-np.arange(min(length, n - at)) / (length / 2))
    norm = np.exp(rng.normal(-0.5, 0.3, n)) * (1 + 3 * np.exp(-step / 100))
    rate = 3e-4 * np.minimum(1, step / 200) * 0.5 * (1 + np.cos(np.pi * step / n))
    smooth = np.convolve(np.pad(loss, 50, mode="edge"), np.full(101, 1 / 101), "valid")
    columns = {"train/loss": loss, "lr": rate, "grad_norm": norm, "val/loss": smooth + 0.03 + rng.normal(0, 0.008, n)}
    return Made("language model with spikes", _rows(columns, {"val/loss": 250}))


def reward(rng: Generator, n: int = 800) -> Made:
    """Rewards that rise and wander, with losses of which none is minimised."""
    step = np.arange(n)
    top = rng.choice([200.0, 500.0, 3000.0])
    rise = top / (1 + np.exp(-(step - n * rng.uniform(0.2, 0.5)) / (n * rng.uniform(0.06, 0.15))))
    mean = rise + _wander(rng, n, rng.uniform(0.8, 0.97), 1.0) * (0.05 * top + 0.08 * rise)
    columns = {
        "rollout/ep_rew_mean": mean,
        "train/value_loss": np.exp(_wander(rng, n, 0.7, 0.8)) * 0.05 * top,
        "train/policy_gradient_loss": rng.normal(0, 0.01, n),
        "train/entropy_loss": -1.5 * np.exp(-step / n) + rng.normal(0, 0.02, n),
        "train/approx_kl": np.exp(rng.normal(-4.5, 0.4, n)),
        "time/fps": rng.normal(900, 40, n),
    }
    return Made("reward of reinforcement learning", _rows(columns))


def adversarial(rng: Generator, n: int = 1200) -> Made:
    """Two losses that swing against each other, the generator's rising slowly."""
    swing = _wander(rng, n, 0.95, 0.35) + 0.2 * np.sin(np.arange(n) / rng.uniform(10, 40))
    drift = np.linspace(0, rng.uniform(0, 1.2), n)
    names = ("d_loss", "g_loss") if rng.random() < 0.5 else ("Disc Loss", "Gen Loss")
    columns = {
        names[0]: np.abs(0.9 - 0.2 * swing - 0.2 * drift + rng.normal(0, 0.15, n)),
        names[1]: np.abs(1.2 + swing + drift + rng.normal(0, 0.25, n)),
    }
    return Made("adversarial pair", _rows(columns))


def restarts(rng: Generator, n: int = 600) -> Made:
    """Cosine restarts: at each, the loss rises, and falls below what it was."""
    cycle = int(rng.choice([100, 150, 200]))
    step = np.arange(n)
    rate = 0.05 * (1 + np.cos(np.pi * (step % cycle) / cycle)) + 1e-4
    base = 0.25 + 1.8 * np.exp(-step / 80)
    loss = base + rng.uniform(3, 6) * rate * np.minimum(1, step / 60) + rng.normal(0, 0.03, n)
    accuracy = 0.93 - 0.25 * base / 2 - rng.uniform(0.8, 1.6) * rate * np.minimum(1, step / 60)
    columns = {"train_loss": loss, "val_acc": accuracy + rng.normal(0, 0.008, n)}
    if rng.random() < 0.7:
        columns["lr"] = rate
    return Made("warm restarts", _rows(columns, {"val_acc": 10}))


def warm_up(rng: Generator, n: int = 500) -> Made:
    """The loss rises a little while the rate does, and then falls."""
    step = np.arange(n)
    up = int(rng.integers(20, 60))
    bump = rng.uniform(0.1, 0.6) * np.exp(-(((step - up) / (0.5 * up)) ** 2))
    loss = 0.4 + 2 * np.exp(-step / 90) + bump + rng.normal(0, 0.05, n)
    accuracy = 0.85 - 0.7 * np.exp(-step / 90) - 0.1 * bump + rng.normal(0, 0.01, n)
    rate = 1e-3 * np.minimum(1, step / up)
    return Made(
        "warm-up", _rows({"loss": loss, "eval_accuracy": accuracy, "learning_rate": rate}, {"eval_accuracy": 20})
    )


def saw_tooth(rng: Generator, n: int = 900) -> Made:
    """The running mean of the loss within an epoch falls, and begins anew with each epoch; learning by heart."""
    length = int(rng.choice([60, 90, 100]))
    step = np.arange(n)
    within = (step % length) / length
    loss = 1.6 * np.exp(-step / 400) + 0.5 + rng.uniform(0.1, 0.35) * (0.5 - within) + rng.normal(0, 0.03, n)
    accuracy = 0.8 - 0.5 * np.exp(-step / 300) + rng.normal(0, 0.006, n)
    return Made("saw-tooth of epochs", _rows({"train_loss": loss, "val/accuracy": accuracy}, {"val/accuracy": length}))


def few_epochs(rng: Generator) -> Made:
    """Five to twenty epochs, with validation metrics that are noisy and level out."""
    n = int(rng.integers(5, 21))
    epoch = np.arange(n)
    pace = rng.uniform(1, 4)
    loss = rng.uniform(0.1, 0.5) + 1.5 * np.exp(-epoch / pace) + rng.normal(0, 0.02, n)
    validation = rng.uniform(0.45, 0.6) + 1.2 * np.exp(-epoch / pace) + rng.normal(0, 0.03, n)
    recall = rng.uniform(0.75, 0.92) - 0.3 * np.exp(-epoch / pace) + rng.normal(0, 0.012, n)
    return Made("five to twenty epochs", _rows({"train_loss": loss, "val_loss": validation, "val_recall": recall}))


def long_run(rng: Generator) -> Made:
    """50,000 steps with the heavy tails of batch losses."""
    n = 50_000
    step = np.arange(n)
    loss = 0.2 + 2 * (1 + step / 300) ** -0.5 + 0.06 * rng.standard_t(4, n)
    return Made(
        "50,000 steps",
        _rows({"loss": np.abs(loss), "val_f1": 0.9 - 0.6 * (1 + step / 2000) ** -1 + rng.normal(0, 0.005, n)},
              {"loss": 5, "val_f1": 500}),
    )  # fmt: skip


def frequencies(rng: Generator, n: int = 1500) -> Made:
    """Metrics logged at different times, a rate that decays in steps, times and counters."""
    step = np.arange(n)
    drops = np.searchsorted([n // 2, 3 * n // 4], step, side="right")
    loss = (0.3 + 1.8 * np.exp(-step / 200)) * 0.6**drops + rng.normal(0, 0.03, n)
    columns = {
        "train/loss": np.abs(loss),
        "train/lr": 0.1 * 0.1**drops,
        "val/mAP50(B)": 0.7 - 0.5 * np.exp(-step / 300) + 0.03 * drops + rng.normal(0, 0.006, n),
        "val/loss": 0.5 + 1.5 * np.exp(-step / 200) - 0.05 * drops + rng.normal(0, 0.015, n),
        "epoch": step / 100,
        "step_time": np.exp(rng.normal(-1, 0.3, n)),
        "gpu_mem": np.full(n, 11.2),
    }
    return Made("metrics of different frequency", _rows(columns, {"val/mAP50(B)": 50, "val/loss": 30, "train/lr": 7}))


def fine_tuning(rng: Generator, n: int = 300) -> Made:
    """A model that is good from the start and gains little."""
    step = np.arange(n)
    loss = 0.45 + 0.1 * np.exp(-step / 60) + _wander(rng, n, 0.3, 0.04)
    accuracy = 0.88 + 0.02 * (1 - np.exp(-step / 100)) + rng.normal(0, 0.006, n)
    return Made("fine-tuning", _rows({"loss": loss, "eval_accuracy": accuracy}, {"eval_accuracy": 15}))


CLEAN: tuple[Callable[[Generator], Made], ...] = (
    language_model, reward, adversarial, restarts, warm_up, saw_tooth, few_epochs, long_run, frequencies, fine_tuning,
)  # fmt: skip


# Faults --------------------------------------------------------------------------------------------------------------


def _plain(rng: Generator, n: int = 800) -> tuple[dict[str, Curve], dict[str, int]]:
    """Return the columns of a good classifier's training, and how often each is logged."""
    step = np.arange(n)
    pace = rng.uniform(60, 140)
    columns = {
        "train_loss": 0.3 + 2 * np.exp(-step / pace) + rng.normal(0, 0.04, n),
        "val_loss": 0.4 + 1.9 * np.exp(-step / pace) + rng.normal(0, 0.015, n),
        "val_accuracy": 0.9 - 0.7 * np.exp(-step / pace) + rng.normal(0, 0.007, n),
        "grad_norm": np.exp(rng.normal(0, 0.25, n)),
        "lr": np.full(n, 1e-3),
    }
    return columns, {"val_loss": 20, "val_accuracy": 20}


def _onset(rng: Generator, n: int = 800) -> int:
    return int(rng.integers(int(0.4 * n), int(0.8 * n)))


def nan_loss(rng: Generator) -> Made:
    """Gradients grow over some steps, and loss and gradient are NaN from there to the end."""
    columns, every = _plain(rng)
    at = _onset(rng)
    columns["grad_norm"][at - 4 : at] *= 10.0 ** np.arange(1, 5)
    columns["val_accuracy"][at:] = 0.1
    for name in ("train_loss", "grad_norm", "val_loss"):
        columns[name][at:] = np.nan
    return Made("NaN to the end", _rows(columns, every), onset=at, family="optimisation")


def exploded(rng: Generator) -> Made:
    """The rate is raised twentyfold; the loss leaps and does not come back."""
    columns, every = _plain(rng)
    at = _onset(rng)
    n = len(columns["lr"])
    columns["lr"][at:] *= rng.uniform(15, 40)
    after = np.arange(n - at)
    columns["train_loss"][at:] = 2.5 + rng.uniform(0.5, 3) * np.exp(-after / 50) + rng.normal(0, 0.2, n - at)
    columns["val_loss"][at:] = 2.6 + rng.normal(0, 0.1, n - at)
    columns["val_accuracy"][at:] = 0.15 + rng.normal(0, 0.02, n - at)
    columns["grad_norm"][at:] *= 15
    return Made("rate raised", _rows(columns, every), onset=at, family="optimisation")


def exploded_gradient(rng: Generator) -> Made:
    """One gradient a thousand times too large; the loss stays up."""
    columns, every = _plain(rng)
    at = _onset(rng)
    n = len(columns["lr"])
    columns["grad_norm"][at : at + 3] *= 500
    columns["train_loss"][at:] += 1.6 + rng.normal(0, 0.1, n - at)
    columns["val_loss"][at:] += 1.6
    columns["val_accuracy"][at:] -= rng.uniform(0.3, 0.6)
    return Made("exploding gradient", _rows(columns, every), onset=at, family="optimisation")


def evaluation_changed(rng: Generator) -> Made:
    """The validation metric falls at one evaluation and stays, while the training goes on: its set is smaller."""
    columns, every = _plain(rng)
    at = _onset(rng)
    columns["val_accuracy"][at:] -= rng.uniform(0.14, 0.4)
    columns["val_loss"][at:] += rng.uniform(0.3, 0.9)
    columns["val_size"] = np.where(np.arange(len(columns["lr"])) < at, 5000.0, 1250.0)
    return Made("evaluation changed", _rows(columns, every | {"val_size": 20}), onset=at, family="evaluation")


def validation_falls(rng: Generator) -> Made:
    """One validation metric of two falls at one evaluation; nothing that was logged tells why."""
    n = int(rng.integers(30, 61))
    epoch = np.arange(n)
    recall = 0.89 - 0.4 * np.exp(-epoch / 8) + rng.normal(0, 0.005, n)
    at = int(rng.integers(n // 2, n - 4))
    recall[at:] -= rng.uniform(0.14, 0.3)
    precision = 0.91 - 0.4 * np.exp(-epoch / 8) + rng.normal(0, 0.005, n)
    return Made("validation falls", _rows({"val/recall": recall, "val/precision": precision}), onset=at)


def resumed_stale(rng: Generator) -> Made:
    """The process restarts from an old checkpoint: the steps go back, and the loss is that of then."""
    columns, every = _plain(rng)
    at = _onset(rng)
    rows = _rows(columns, every)
    back = int(rng.integers(20, 60))
    early = int(rng.integers(20, 60))
    again = [dict(row) for row in rows[early : early + len(rows) - at + back]]
    for number, row in enumerate(again):
        row["step"] = at - back + number
    return Made("stale checkpoint", rows[:at] + again, onset=at, family="system")


def overfitted(rng: Generator) -> Made:
    """The training loss goes to zero while the validation loss rises, over few or many evaluations."""
    n = int(rng.choice([6, 8, 12, 30, 60]))
    epoch = np.arange(n)
    best = max(1, n // 4)
    loss = 0.7 * np.exp(-epoch / (n / 6)) + 0.003
    validation = 0.4 + 0.25 * np.exp(-epoch / (n / 12)) + rng.uniform(0.35, 0.9) * np.maximum(0, epoch - best) / n
    noise = np.exp(rng.normal(0, 0.01, n))
    return Made("overfitting", _rows({"loss": loss * noise, "eval_loss": validation * noise}))


def never_learns(rng: Generator) -> Made:
    """The loss stays where guessing among k classes stands."""
    classes = int(rng.choice([2, 5, 10, 100]))
    n = int(rng.choice([30, 60, 400]))
    columns = {
        "loss": math.log(classes) + rng.normal(0, 0.01, n) * math.log(classes),
        "val_loss": math.log(classes) + rng.normal(0, 0.002, n),
        "val_accuracy": 1 / classes + rng.normal(0, 0.03 / classes, n),
    }
    return Made("never learns", _rows(columns))


def stuck_high(rng: Generator) -> Made:
    """The loss leaps to 10²⁵ and stays there."""
    columns, every = _plain(rng)
    at = _onset(rng)
    columns["train_loss"][at:] = 10 ** rng.uniform(20, 26)
    columns["val_loss"][at:] = columns["train_loss"][-1]
    columns["val_accuracy"][at:] = 0.1
    columns["grad_norm"][at : at + 2] *= 1e6
    return Made("stuck at 1e25", _rows(columns, every), onset=at, family="optimisation")


def collapses(rng: Generator, n: int = 800) -> Made:
    """A reward that was learnt is lost again and again."""
    made = reward(rng, n)
    name = "rollout/ep_rew_mean"
    low = made.rows[0][name]
    begins = sorted(rng.integers(int(0.5 * n), int(0.95 * n), 3).tolist())
    for at in begins:
        for row in made.rows[at : at + int(rng.integers(25, 60))]:
            row[name] = low + 0.05 * (row[name] - low)
    return Made("reward collapses", made.rows, onset=begins[0])


def last_epoch(rng: Generator) -> Made:
    """Ten epochs, of which the last is a collapse."""
    n = int(rng.integers(8, 16))
    epoch = np.arange(n)
    loss = 0.25 + 1.1 * np.exp(-epoch / 3) + rng.normal(0, 0.01, n)
    recall = 0.9 - 0.3 * np.exp(-epoch / 3) + rng.normal(0, 0.005, n)
    loss[-1], recall[-1] = 2.3, 0.1
    return Made("collapse in the last epoch", _rows({"train_loss": loss, "val_recall": recall}), onset=n - 1)


def spike_then_shift(rng: Generator) -> Made:
    """One insane value, harmless; much later the loss moves up for good."""
    n = 1000
    loss = 0.28 + 2 * np.exp(-np.arange(n) / 100) + rng.normal(0, 0.02, n)
    loss[100] = 10.0 ** rng.uniform(6, 12)
    loss[700:] += rng.uniform(0.5, 1)
    return Made("spike, later a shift", _rows({"loss": loss}), onset=700)


def bad_items(rng: Generator) -> Made:
    """From some step on, batches that hold one of some bad images are bad; the batch log names them."""
    columns, every = _plain(rng, 600)
    at = _onset(rng, 600)
    bad = {f"img_{one}.png" for one in rng.choice(400, 30, replace=False)}
    batches: Rows = []
    for step in range(600):
        items = [f"img_{one}.png" for one in rng.choice(400, 16, replace=False)]
        hurt = sum(item in bad for item in items) if step >= at else 0
        loss = columns["train_loss"][step] + 0.5 * hurt
        columns["train_loss"][step] = loss
        accuracy = min(1.0, max(0.0, 0.9 - 0.1 * hurt + rng.normal(0, 0.02)))
        batches.append(
            {"step": step, "batch_idx": step, "items": items, "metrics": {"loss": loss, "accuracy": accuracy}}
        )
    columns["val_accuracy"][at:] -= rng.uniform(0.15, 0.3)
    columns["val_loss"][at:] += 0.5
    return Made("bad items", _rows(columns, every), batches, onset=at, family="data")


TROUBLED: tuple[Callable[[Generator], Made], ...] = (
    nan_loss, exploded, exploded_gradient, evaluation_changed, validation_falls, resumed_stale, overfitted,
    never_learns, stuck_high, collapses, last_epoch, spike_then_shift, bad_items,
)  # fmt: skip


def made(kinds: tuple[Callable[[Generator], Made], ...], per_kind: int, seed: int) -> list[Made]:
    """Return runs of each kind, in order.

    Args:
        kinds: `CLEAN` or `TROUBLED`.
        per_kind: runs of each.
        seed: of the first; each run has a generator of its own.
    """
    return [
        kind(np.random.default_rng([seed, number, index]))
        for number, kind in enumerate(kinds)
        for index in range(per_kind)
    ]
