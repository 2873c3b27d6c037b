"""The planted causes: what each does to a training, or to how it is evaluated, from its onset on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from simulated_training import N_CLASSES, N_TRAIN, SIDE, State, permute, restart

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

# Causes: each returns what is done at each step from the onset on, counted from 0.

Cause = Callable[[int], None]


def _shard(rng: Generator, low: float, high: float) -> NDArray[np.int64]:
    return rng.choice(N_TRAIN, int(N_TRAIN * rng.uniform(low, high)), replace=False)


def _corrupt_images(rng: Generator, state: State) -> Cause:
    shard, strength = _shard(rng, 0.08, 0.2), rng.uniform(2.0, 4.0)

    def act(since: int) -> None:
        if since == 0:
            state.images[shard] = rng.normal(0, strength, (len(shard), SIDE * SIDE))
            state.focus = shard

    return act


def _wrong_labels(rng: Generator, state: State) -> Cause:
    shard = _shard(rng, 0.08, 0.2)

    def act(since: int) -> None:
        if since == 0:
            state.labels[shard] = (state.labels[shard] + 1) % N_CLASSES
            state.focus = shard

    return act


def _unnormalised(rng: Generator, state: State) -> Cause:
    shard, factor = _shard(rng, 0.05, 0.15), rng.uniform(6.0, 15.0)

    def act(since: int) -> None:
        if since == 0:
            state.images[shard] = state.images[shard] * factor + factor
            state.focus = shard
            state.unclipped = True

    return act


def _learning_rate_jump(rng: Generator, state: State) -> Cause:
    factor, lasting = rng.uniform(12, 50), int(rng.integers(15, 250))

    def act(since: int) -> None:
        state.lr_factor = float(factor) if since < lasting else 1.0

    return act


def _exploding_gradient(rng: Generator, state: State) -> Cause:
    factor, lasting = rng.uniform(25, 80), int(rng.integers(4, 25))

    def act(since: int) -> None:
        state.gradient_factor = float(factor) if since < lasting else 1.0

    return act


def _loss_scale_collapse(rng: Generator, state: State) -> Cause:
    lasting = int(rng.integers(40, 120))

    def act(since: int) -> None:
        state.scale_broken = since < lasting
        state.loss_scale = max(1.0, state.loss_scale / 2) if since < lasting else min(65536.0, state.loss_scale * 2)

    return act


def _validation_replaced(rng: Generator, state: State) -> Cause:
    extra, shift = rng.uniform(1.2, 2.4), rng.uniform(0.2, 0.6)

    def act(since: int) -> None:
        if since == 0:
            state.val_images = state.val_images + rng.normal(shift, extra, state.val_images.shape)
            state.val_names = [f"val-b/{number:05d}.png" for number in range(len(state.val_names))]

    return act


def _validation_reduced(rng: Generator, state: State) -> Cause:
    share = rng.uniform(0.25, 0.6)

    def act(since: int) -> None:
        if since == 0:  # what is left are the items that the network finds hard
            logits = np.maximum(state.val_images @ state.weights[0] + state.weights[1], 0) @ state.weights[2]
            own = logits[np.arange(len(state.val_labels)), state.val_labels]
            order = np.argsort(own - logits.mean(axis=1))[: int(share * len(own))]
            permute(state, np.sort(order))

    return act


def _validation_order(rng: Generator, state: State) -> Cause:
    share = rng.uniform(0.15, 0.7)

    def act(since: int) -> None:
        if since == 0:  # items move, and the list of labels does not
            moved = np.flatnonzero(rng.random(len(state.val_names)) < share)
            order = np.arange(len(state.val_names))
            order[moved] = rng.permutation(moved)
            state.val_images = state.val_images[order]
            state.val_names = [state.val_names[number] for number in order]

    return act


def _stale_checkpoint(rng: Generator, state: State) -> Cause:
    old, goes_back = int(rng.choice([3, 5, 8])), rng.random() < 0.5
    state.memory_rate = max(state.memory_rate, float(rng.uniform(0.001, 0.003)))

    def act(since: int) -> None:
        if since == 0:
            restart(state)
            state.weights = [part.copy() for part in state.checkpoints[old]]
            state.momentum = [np.zeros_like(part) for part in state.weights]
            state.step_offset += int(rng.integers(5, 20)) if goes_back else 0

    return act


def _lost_state(rng: Generator, state: State) -> Cause:
    share = rng.uniform(0.7, 1.0)

    def act(since: int) -> None:
        if since == 0:
            restart(state)
            lost = rng.random(state.weights[2].shape) < share
            state.weights[2] = np.where(lost, rng.normal(0, 0.1, lost.shape), state.weights[2])
            hidden = rng.random(state.weights[0].shape) < share / 2
            state.weights[0] = np.where(hidden, rng.normal(0, 0.1, hidden.shape), state.weights[0])
            state.momentum = [np.zeros_like(part) for part in state.weights]

    return act


def _worker_died(rng: Generator, state: State) -> Cause:
    before, share = state.step_time, rng.uniform(0.6, 0.95)
    state.memory_rate = max(state.memory_rate, float(rng.uniform(0.001, 0.003)))

    def act(since: int) -> None:
        if since == 0:
            state.memory = float(rng.uniform(0.1, 0.25))
            lost = rng.random(state.weights[0].shape) < share
            state.weights[0] = np.where(lost, rng.normal(0, 0.1, lost.shape), state.weights[0])
        state.step_time = before * (5.0 if since < 4 else 1.0)

    return act


CAUSES: dict[str, Callable[[Generator, State], Cause]] = {
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
