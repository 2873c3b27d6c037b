"""Training runs whose trouble is known: a small network is really trained, and something is really done to it.

A run trains a network of one hidden layer on made-up images for 400 steps and logs what training loops log: metrics by
step, batches with their items, evaluations, the system's memory. A planted cause acts on the training itself (items are
corrupted, the learning rate is multiplied, weights come from an old checkpoint) or on how it is evaluated, never on the
logged numbers. Clean and troubled runs alike hold what looks like a cause and harms nothing: scheduled decays, restarts
that lose nothing, growing memory, single large gradients, scattered bad items, and gaps in what is logged.

The generator was written before the analysis, and its two halves are of different seeds: `DEVELOPMENT` was looked at
while the analysis was tuned, `HELD_OUT` was not.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEVELOPMENT, HELD_OUT = 1000, 2000
"""Seeds of the two halves."""
N_PER_KIND, N_CLEAN = 10, 80
"""Runs of each half: for each kind of cause, and without a cause."""

KINDS = {
    "corrupt_images": "data",
    "wrong_labels": "data",
    "unnormalised_images": "data",
    "learning_rate_jump": "optimisation",
    "exploding_gradient": "optimisation",
    "loss_scale_collapse": "optimisation",
    "validation_set_replaced": "evaluation",
    "validation_set_reduced": "evaluation",
    "validation_order_changed": "evaluation",
    "stale_checkpoint": "system",
    "lost_state": "system",
    "worker_died": "system",
}
"""Kind of planted cause → the family that an analysis must name."""

STEPS, BATCH, EVERY = 400, 32, 10
_CLASSES, _SIDE, _HIDDEN = 6, 8, 32
_N_TRAIN, _N_VAL = 1600, 240


@dataclass
class SimulatedRun:
    """A run as it was logged, and what was done to it.

    Attributes:
        name: of the run.
        rows: as a training loop would write them into JSON Lines, batches among them.
        kind: of the cause; None for a clean run.
        family: of the cause.
        onset: step from which on it acted.
    """

    name: str
    rows: list[dict[str, Any]]
    kind: str | None
    family: str | None
    onset: int | None


@dataclass
class _State:
    """What the training works on, and what a cause may reach into."""

    rng: Generator
    images: Array
    labels: NDArray[np.int64]
    names: list[str]
    val_images: Array
    val_labels: NDArray[np.int64]
    val_names: list[str]
    weights: list[Array]
    momentum: list[Array]
    lr_factor: float = 1.0
    gradient_factor: float = 1.0
    loss_scale: float = 65536.0
    scale_broken: bool = False
    memory: float = 0.4
    memory_rate: float = 0.0
    step_time: float = 0.2
    focus: NDArray[np.int64] | None = None
    events: list[str] = field(default_factory=list)
    checkpoints: dict[int, list[Array]] = field(default_factory=dict)
    step_offset: int = 0
    unclipped: bool = False


def simulate(half: int, index: int, kind: str | None) -> SimulatedRun:
    """Train one run.

    Args:
        half: seed of the half.
        index: of the run within it; the two together make the run's seed.
        kind: of the cause, one of `KINDS`; None plants none.
    """
    rng = np.random.default_rng([half, index])
    state = _initial(rng)
    logged = _choose_logged(rng)
    schedule = _schedule(rng)
    distract = _distractors(rng, state)
    onset = int(rng.integers(int(0.35 * STEPS), int(0.8 * STEPS))) if kind else None
    cause = _CAUSES[kind](rng, state) if kind else None
    rows: list[dict[str, Any]] = []
    for step in range(STEPS):
        for act in distract:
            act(step)
        if cause is not None and onset is not None and step >= onset:
            cause(step - onset)
        rows += _step(state, step, schedule(step), logged)
        if step in (3, 5, 8):
            state.checkpoints[step] = [part.copy() for part in state.weights]
    return SimulatedRun(f"run-{half}-{index:06d}", rows, kind, KINDS[kind] if kind else None, onset)


def _initial(rng: Generator) -> _State:
    dim = _SIDE * _SIDE
    prototypes = rng.normal(0, 1, (_CLASSES, dim))
    noise = rng.uniform(2.4, 3.2)
    labels = rng.integers(0, _CLASSES, _N_TRAIN + _N_VAL)
    images = prototypes[labels] + rng.normal(0, noise, (len(labels), dim))
    mistaken = rng.random(_N_TRAIN) < rng.uniform(0.04, 0.12)  # labels of real data are never all right
    labels[:_N_TRAIN][mistaken] = rng.integers(0, _CLASSES, int(mistaken.sum()))
    bad = rng.random(_N_TRAIN) < rng.uniform(0, 0.03)  # a few bad items lie in every data set, evenly spread
    images[:_N_TRAIN][bad] *= 0.1
    weights = [
        rng.normal(0, 0.1, (dim, _HIDDEN)),
        np.zeros(_HIDDEN),
        rng.normal(0, 0.1, (_HIDDEN, _CLASSES)),
        np.zeros(_CLASSES),
    ]
    return _State(
        rng=rng,
        images=images[:_N_TRAIN],
        labels=labels[:_N_TRAIN],
        names=[f"train/{number:05d}.png" for number in range(_N_TRAIN)],
        val_images=images[_N_TRAIN:],
        val_labels=labels[_N_TRAIN:],
        val_names=[f"val/{number:05d}.png" for number in range(_N_VAL)],
        weights=weights,
        momentum=[np.zeros_like(part) for part in weights],
        memory=rng.uniform(0.3, 0.6),
        memory_rate=rng.choice([0.0, 0.0, 0.0005]),
        step_time=rng.uniform(0.1, 0.4),
    )


def _choose_logged(rng: Generator) -> frozenset[str]:
    """Return what the run logs besides losses and accuracies; no two training loops log the same."""
    shares = {
        "grad_norm": 0.85,
        "profile": 0.8,
        "train_accuracy": 0.8,
        "step_time": 0.7,
        "loss_scale": 0.9,
        "events": 0.8,
        "eval_items": 0.9,
        "n_val": 0.6,
        "memory": 0.95,
    }
    return frozenset(name for name, share in shares.items() if rng.random() < share)


def _schedule(rng: Generator) -> Callable[[int], float]:
    """Return step → learning rate: constant, steps down, or a cosine; each after a warm-up."""
    base, warm = rng.uniform(0.02, 0.05), int(rng.integers(5, 25))
    form = rng.choice(["constant", "steps", "cosine"])
    at, factor = int(rng.integers(150, 320)), rng.uniform(0.1, 0.5)

    def rate(step: int) -> float:
        warmed = float(base * min(1.0, (step + 1) / warm))
        if form == "cosine":
            return warmed * float(0.55 + 0.45 * np.cos(np.pi * step / STEPS))
        return warmed * float(factor) if form == "steps" and step >= at else warmed

    return rate


def _distractors(rng: Generator, state: _State) -> list[Callable[[int], None]]:
    """Return what looks like a cause and harms nothing."""
    found: list[Callable[[int], None]] = []
    if rng.random() < 0.3:
        at = int(rng.integers(60, STEPS - 20))
        found.append(lambda step: _restart(state) if step == at else None)
    if rng.random() < 0.3:
        spike = int(rng.integers(60, STEPS - 20))

        def large(step: int) -> None:
            if step in (spike, spike + 1):
                state.gradient_factor = 4.0 if step == spike else 1.0

        found.append(large)
    if rng.random() < 0.4:
        every = int(rng.integers(80, 140))

        def amp(step: int) -> None:  # automatic mixed precision doubles its scale, and halves it after an overflow
            if step and step % every == 0 and not state.scale_broken:
                state.loss_scale *= 2.0 if step % (2 * every) else 0.5

        found.append(amp)
    if rng.random() < 0.15:
        shuffled = int(rng.integers(60, STEPS - 20))
        found.append(
            lambda step: _permute(state, state.rng.permutation(len(state.val_names))) if step == shuffled else None
        )
    return found


def _restart(state: _State) -> None:
    state.events.append("restart")
    state.memory = float(state.rng.uniform(0.3, 0.45))


def _permute(state: _State, order: NDArray[np.int64]) -> None:
    state.val_images, state.val_labels = state.val_images[order], state.val_labels[order]
    state.val_names = [state.val_names[number] for number in order]


def _step(state: _State, step: int, rate: float, logged: frozenset[str]) -> list[dict[str, Any]]:
    """Do one step of training, evaluate where it is time, and return what is logged."""
    rng = state.rng
    chosen = rng.choice(_N_TRAIN, BATCH, replace=False)
    if state.focus is not None and rng.random() < 0.7:  # a shard is read in runs: its items come together
        share = int(BATCH * rng.uniform(0.4, 0.9))
        chosen[:share] = rng.choice(state.focus, min(share, len(state.focus)), replace=share > len(state.focus))
    images, labels = state.images[chosen], state.labels[chosen]
    loss, accuracy, confidence, gradients = _gradients(state.weights, images, labels)
    norm = float(np.sqrt(sum(float((part**2).sum()) for part in gradients))) * state.gradient_factor
    lr = rate * state.lr_factor
    clip = 1.0 if state.gradient_factor > 10 or state.unclipped else min(1.0, 8.0 / max(norm, 1e-9))
    damaged = state.scale_broken and state.loss_scale < 64
    for number, part in enumerate(gradients):
        step_of = part * (state.gradient_factor * clip)
        if damaged:  # what underflows comes back as rounding: a coarse grid of half precision
            step_of = np.where(np.abs(step_of) > 0.01, np.sign(step_of) * 1.0, 0.0)
        state.momentum[number] = 0.9 * state.momentum[number] + step_of
        # Rounded, so that the last bits of another machine's matrix product do not grow into another run.
        state.weights[number] = np.round(state.weights[number] - lr * state.momentum[number], 6)
    state.memory = min(0.99, state.memory + state.memory_rate)
    at = step - state.step_offset
    row: dict[str, Any] = {"step": at, "train_loss": float("nan") if damaged and rng.random() < 0.3 else loss, "lr": lr}
    if "train_accuracy" in logged:
        row["train_accuracy"] = accuracy
    if "grad_norm" in logged:
        row["grad_norm"] = norm
    if "loss_scale" in logged or state.scale_broken:
        row["loss_scale"] = state.loss_scale
    if "memory" in logged:
        row["system/memory_share"] = state.memory + float(rng.normal(0, 0.005))
    if "step_time" in logged:
        row["system/step_time_s"] = state.step_time * float(rng.lognormal(0, 0.08))
    if state.events and "events" in logged:
        row["event"] = state.events[-1]
    state.events.clear()
    rows = [_batch_row(at, step, [state.names[item] for item in chosen], images, loss, accuracy, confidence, logged)]
    if step % EVERY == EVERY - 1:
        measured, evaluated = _evaluate(state, at, logged)
        row |= measured if rng.random() > 0.01 else {}
        rows += evaluated
    return [row, *rows] if rng.random() > 0.005 else rows


def _batch_row(
    at: int,
    number: int,
    names: list[str],
    images: Array,
    loss: float,
    accuracy: float,
    confidence: float,
    logged: frozenset[str],
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "step": at,
        "batch_idx": number,
        "metrics": {"loss": loss, "accuracy": accuracy},
        "items": names,
    }
    if "profile" in logged:
        contrast = images.std(axis=1)
        row["profile"] = {
            "contrast": float(contrast.mean()),
            "brightness": float(images.mean()),
            "contrast_spread": float(contrast.std()),
            "confidence": confidence,
        }
    return row


def _evaluate(state: _State, at: int, logged: frozenset[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    loss, accuracy, _, _ = _gradients(state.weights, state.val_images, state.val_labels)
    measured = {"val_loss": loss, "val_accuracy": accuracy}
    if "n_val" in logged:
        measured["val_n_items"] = float(len(state.val_names))
    rows = []
    if "eval_items" in logged:
        for number, start in enumerate(range(0, len(state.val_names), 60)):
            part = slice(start, start + 60)
            one, right, _, _ = _gradients(state.weights, state.val_images[part], state.val_labels[part])
            rows.append(
                {
                    "step": at,
                    "batch_idx": number,
                    "phase": "eval",
                    "metrics": {"loss": one, "accuracy": right},
                    "items": state.val_names[part],
                }
            )
    return measured, rows


def _gradients(
    weights: list[Array], images: Array, labels: NDArray[np.int64]
) -> tuple[float, float, float, list[Array]]:
    """Return loss, accuracy, mean confidence and the gradients of a batch."""
    first, bias, second, out_bias = weights
    hidden = np.maximum(images @ first + bias, 0.0)
    logits = np.clip(hidden @ second + out_bias, -200, 200)
    logits -= logits.max(axis=1, keepdims=True)
    chances = np.exp(logits)
    chances /= chances.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-np.log(np.maximum(chances[rows, labels], 1e-12)).mean())
    accuracy = float((chances.argmax(axis=1) == labels).mean())
    confidence = float(chances.max(axis=1).mean())
    delta = chances.copy()
    delta[rows, labels] -= 1.0
    delta /= len(labels)
    back = (delta @ second.T) * (hidden > 0)
    return loss, accuracy, confidence, [images.T @ back, back.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]


# Causes: each returns what is done at each step from the onset on, counted from 0.

Cause = Callable[[int], None]


def _shard(rng: Generator, low: float, high: float) -> NDArray[np.int64]:
    return rng.choice(_N_TRAIN, int(_N_TRAIN * rng.uniform(low, high)), replace=False)


def _corrupt_images(rng: Generator, state: _State) -> Cause:
    shard, strength = _shard(rng, 0.08, 0.2), rng.uniform(2.0, 4.0)

    def act(since: int) -> None:
        if since == 0:
            state.images[shard] = rng.normal(0, strength, (len(shard), _SIDE * _SIDE))
            state.focus = shard

    return act


def _wrong_labels(rng: Generator, state: _State) -> Cause:
    shard = _shard(rng, 0.08, 0.2)

    def act(since: int) -> None:
        if since == 0:
            state.labels[shard] = (state.labels[shard] + 1) % _CLASSES
            state.focus = shard

    return act


def _unnormalised(rng: Generator, state: _State) -> Cause:
    shard, factor = _shard(rng, 0.05, 0.15), rng.uniform(6.0, 15.0)

    def act(since: int) -> None:
        if since == 0:
            state.images[shard] = state.images[shard] * factor + factor
            state.focus = shard
            state.unclipped = True

    return act


def _learning_rate_jump(rng: Generator, state: _State) -> Cause:
    factor, lasting = rng.uniform(12, 50), int(rng.integers(15, 250))

    def act(since: int) -> None:
        state.lr_factor = float(factor) if since < lasting else 1.0

    return act


def _exploding_gradient(rng: Generator, state: _State) -> Cause:
    factor, lasting = rng.uniform(25, 80), int(rng.integers(4, 25))

    def act(since: int) -> None:
        state.gradient_factor = float(factor) if since < lasting else 1.0

    return act


def _loss_scale_collapse(rng: Generator, state: _State) -> Cause:
    lasting = int(rng.integers(40, 120))

    def act(since: int) -> None:
        state.scale_broken = since < lasting
        state.loss_scale = max(1.0, state.loss_scale / 2) if since < lasting else min(65536.0, state.loss_scale * 2)

    return act


def _validation_replaced(rng: Generator, state: _State) -> Cause:
    extra, shift = rng.uniform(1.2, 2.4), rng.uniform(0.2, 0.6)

    def act(since: int) -> None:
        if since == 0:
            state.val_images = state.val_images + rng.normal(shift, extra, state.val_images.shape)
            state.val_names = [f"val-b/{number:05d}.png" for number in range(len(state.val_names))]

    return act


def _validation_reduced(rng: Generator, state: _State) -> Cause:
    share = rng.uniform(0.25, 0.6)

    def act(since: int) -> None:
        if since == 0:  # what is left are the items that the network finds hard
            logits = np.maximum(state.val_images @ state.weights[0] + state.weights[1], 0) @ state.weights[2]
            own = logits[np.arange(len(state.val_labels)), state.val_labels]
            order = np.argsort(own - logits.mean(axis=1))[: int(share * len(own))]
            _permute(state, np.sort(order))

    return act


def _validation_order(rng: Generator, state: _State) -> Cause:
    share = rng.uniform(0.15, 0.7)

    def act(since: int) -> None:
        if since == 0:  # items move, and the list of labels does not
            moved = np.flatnonzero(rng.random(len(state.val_names)) < share)
            order = np.arange(len(state.val_names))
            order[moved] = rng.permutation(moved)
            state.val_images = state.val_images[order]
            state.val_names = [state.val_names[number] for number in order]

    return act


def _stale_checkpoint(rng: Generator, state: _State) -> Cause:
    old, goes_back = int(rng.choice([3, 5, 8])), rng.random() < 0.5
    state.memory_rate = max(state.memory_rate, float(rng.uniform(0.001, 0.003)))

    def act(since: int) -> None:
        if since == 0:
            _restart(state)
            state.weights = [part.copy() for part in state.checkpoints[old]]
            state.momentum = [np.zeros_like(part) for part in state.weights]
            state.step_offset += int(rng.integers(5, 20)) if goes_back else 0

    return act


def _lost_state(rng: Generator, state: _State) -> Cause:
    share = rng.uniform(0.7, 1.0)

    def act(since: int) -> None:
        if since == 0:
            _restart(state)
            lost = rng.random(state.weights[2].shape) < share
            state.weights[2] = np.where(lost, rng.normal(0, 0.1, lost.shape), state.weights[2])
            hidden = rng.random(state.weights[0].shape) < share / 2
            state.weights[0] = np.where(hidden, rng.normal(0, 0.1, hidden.shape), state.weights[0])
            state.momentum = [np.zeros_like(part) for part in state.weights]

    return act


def _worker_died(rng: Generator, state: _State) -> Cause:
    before, share = state.step_time, rng.uniform(0.6, 0.95)
    state.memory_rate = max(state.memory_rate, float(rng.uniform(0.001, 0.003)))

    def act(since: int) -> None:
        if since == 0:
            state.memory = float(rng.uniform(0.1, 0.25))
            lost = rng.random(state.weights[0].shape) < share
            state.weights[0] = np.where(lost, rng.normal(0, 0.1, lost.shape), state.weights[0])
        state.step_time = before * (5.0 if since < 4 else 1.0)

    return act


_CAUSES: dict[str, Callable[[Generator, _State], Cause]] = {
    "corrupt_images": _corrupt_images,
    "wrong_labels": _wrong_labels,
    "unnormalised_images": _unnormalised,
    "learning_rate_jump": _learning_rate_jump,
    "exploding_gradient": _exploding_gradient,
    "loss_scale_collapse": _loss_scale_collapse,
    "validation_set_replaced": _validation_replaced,
    "validation_set_reduced": _validation_reduced,
    "validation_order_changed": _validation_order,
    "stale_checkpoint": _stale_checkpoint,
    "lost_state": _lost_state,
    "worker_died": _worker_died,
}


def main() -> None:
    """Write one run as JSON Lines, as a training loop would have."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kind", choices=[*KINDS, "clean"], required=True)
    parser.add_argument("--half", type=int, default=1, help="seed; 1000 and 2000 are the halves of the benchmark")
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    chosen = parser.parse_args()
    run = simulate(chosen.half, chosen.index, None if chosen.kind == "clean" else chosen.kind)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text("".join(f"{json.dumps(row)}\n" for row in run.rows), encoding="utf-8")
    print(f"{len(run.rows)} rows" + (f", {run.kind.replace('_', ' ')} from step {run.onset} on" if run.kind else ""))


if __name__ == "__main__":
    main()
