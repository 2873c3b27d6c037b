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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from simulated_causes import CAUSES, KINDS
from simulated_training import STEPS, State, initial_state, permute, restart, train_step

DEVELOPMENT, HELD_OUT = 1000, 2000
"""Seeds of the two halves."""
N_PER_KIND, N_CLEAN = 10, 80
"""Runs of each half: for each kind of cause, and without a cause."""


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


def simulate(half: int, index: int, kind: str | None) -> SimulatedRun:
    """Train one run.

    Args:
        half: seed of the half.
        index: of the run within it; the two together make the run's seed.
        kind: of the cause, one of `KINDS`; None plants none.
    """
    rng = np.random.default_rng([half, index])
    state = initial_state(rng)
    logged = _choose_logged(rng)
    schedule = _schedule(rng)
    distract = _distractors(rng, state)
    onset = int(rng.integers(int(0.35 * STEPS), int(0.8 * STEPS))) if kind else None
    cause = CAUSES[kind](rng, state) if kind else None
    rows: list[dict[str, Any]] = []
    for step in range(STEPS):
        for act in distract:
            act(step)
        if cause is not None and onset is not None and step >= onset:
            cause(step - onset)
        rows += train_step(state, step, schedule(step), logged)
        if step in (3, 5, 8):
            state.checkpoints[step] = [part.copy() for part in state.weights]
    return SimulatedRun(f"run-{half}-{index:06d}", rows, kind, KINDS[kind] if kind else None, onset)


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


def _distractors(rng: Generator, state: State) -> list[Callable[[int], None]]:
    """Return what looks like a cause and harms nothing."""
    found: list[Callable[[int], None]] = []
    if rng.random() < 0.3:
        at = int(rng.integers(60, STEPS - 20))
        found.append(lambda step: restart(state) if step == at else None)
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
            lambda step: permute(state, state.rng.permutation(len(state.val_names))) if step == shuffled else None
        )
    return found


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
