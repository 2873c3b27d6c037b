"""The training of the simulated runs: a network of one hidden layer on made-up images, and what it logs at a step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEPS, BATCH, EVERY = 400, 32, 10
N_CLASSES, SIDE, _HIDDEN = 6, 8, 32
N_TRAIN, N_VAL = 1600, 240


@dataclass
class State:
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


def initial_state(rng: Generator) -> State:
    """Return a data set, some of whose labels and items are bad as they always are, and a network without training."""
    dim = SIDE * SIDE
    prototypes = rng.normal(0, 1, (N_CLASSES, dim))
    noise = rng.uniform(2.4, 3.2)
    labels = rng.integers(0, N_CLASSES, N_TRAIN + N_VAL)
    images = prototypes[labels] + rng.normal(0, noise, (len(labels), dim))
    mistaken = rng.random(N_TRAIN) < rng.uniform(0.04, 0.12)  # labels of real data are never all right
    labels[:N_TRAIN][mistaken] = rng.integers(0, N_CLASSES, int(mistaken.sum()))
    bad = rng.random(N_TRAIN) < rng.uniform(0, 0.03)  # a few bad items lie in every data set, evenly spread
    images[:N_TRAIN][bad] *= 0.1
    weights = [
        rng.normal(0, 0.1, (dim, _HIDDEN)),
        np.zeros(_HIDDEN),
        rng.normal(0, 0.1, (_HIDDEN, N_CLASSES)),
        np.zeros(N_CLASSES),
    ]
    return State(
        rng=rng,
        images=images[:N_TRAIN],
        labels=labels[:N_TRAIN],
        names=[f"train/{number:05d}.png" for number in range(N_TRAIN)],
        val_images=images[N_TRAIN:],
        val_labels=labels[N_TRAIN:],
        val_names=[f"val/{number:05d}.png" for number in range(N_VAL)],
        weights=weights,
        momentum=[np.zeros_like(part) for part in weights],
        memory=rng.uniform(0.3, 0.6),
        memory_rate=rng.choice([0.0, 0.0, 0.0005]),
        step_time=rng.uniform(0.1, 0.4),
    )


def restart(state: State) -> None:
    """Start the process again; nothing of the training is lost by that alone."""
    state.events.append("restart")
    state.memory = float(state.rng.uniform(0.3, 0.45))


def permute(state: State, order: NDArray[np.int64]) -> None:
    """Put the validation set into another order, or keep a part of it."""
    state.val_images, state.val_labels = state.val_images[order], state.val_labels[order]
    state.val_names = [state.val_names[number] for number in order]


def train_step(state: State, step: int, rate: float, logged: frozenset[str]) -> list[dict[str, Any]]:
    """Do one step of training, evaluate where it is time, and return what is logged."""
    rng = state.rng
    chosen = rng.choice(N_TRAIN, BATCH, replace=False)
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


def _evaluate(state: State, at: int, logged: frozenset[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
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
