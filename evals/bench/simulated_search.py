"""A search over hyper-parameters: the network of the simulated runs, trained on one data set under many configurations.

What matters is known: the learning rate, and how it is scheduled a little; the number of workers changes nothing. Seeds
change the initial weights and the order of the data. Each run is a folder with config.json and history.jsonl.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from simulated_training import STEPS, initial_state, train_step

_DATA_SEED = 7
SCHEDULES = ("constant", "cosine")


def train(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Train one run and return the rows that it logged.

    Args:
        config: `learning_rate`, `schedule`, `seed`; others change nothing.
    """
    state = initial_state(np.random.default_rng(_DATA_SEED))
    state.rng = np.random.default_rng([_DATA_SEED, int(config["seed"])])
    state.weights = [np.where(part == 0, 0.0, state.rng.normal(0, 0.1, part.shape)) for part in state.weights]
    rows = []
    for step in range(STEPS):
        share = 0.5 + 0.5 * float(np.cos(np.pi * step / STEPS)) if config["schedule"] == "cosine" else 1.0
        logged = train_step(state, step, float(config["learning_rate"]) * share, frozenset())
        rows += [row for row in logged if "batch_idx" not in row]
    return rows


def grid() -> list[dict[str, Any]]:
    """Return two learning rates under two schedules, with four seeds each."""
    return [
        {"learning_rate": rate, "schedule": schedule, "workers": 4, "seed": seed}
        for rate in (0.002, 0.02)
        for schedule in SCHEDULES
        for seed in range(4)
    ]


def random_search(n: int) -> list[dict[str, Any]]:
    """Return configurations that are drawn at random, the learning rate on a logarithmic scale."""
    rng = np.random.default_rng(_DATA_SEED)
    return [
        {
            "learning_rate": round(float(10 ** rng.uniform(-3.5, -0.5)), 6),
            "schedule": str(rng.choice(SCHEDULES)),
            "workers": int(rng.choice([2, 4, 8])),
            "seed": seed,
        }
        for seed in range(n)
    ]


def main() -> None:
    """Train the runs and write them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--random", type=int, default=None, metavar="N", help="N random runs instead of the grid")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    chosen = parser.parse_args()
    configs = grid() if chosen.random is None else random_search(chosen.random)
    for config in configs:
        name = f"lr{config['learning_rate']:g}-{config['schedule']}-s{config['seed']}"
        folder = chosen.out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")
        lines = "".join(f"{json.dumps(row)}\n" for row in train(config))
        (folder / "history.jsonl").write_text(lines, encoding="utf-8")
    print(f"{len(configs)} runs of {STEPS} steps")


if __name__ == "__main__":
    main()
