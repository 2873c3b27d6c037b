"""Searches for the tests: runs with configurations and seeds, as folders, as histories, or as runs of a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.compare.collect import Collected, Run, flat_settings, seed_keys
from exaid_evals.runs.history import History, Point, Series


def curve(
    rng: np.random.Generator, points: int = 60, top: float = 0.9, noise: float = 0.008, offset: float = 0.006
) -> NDArray[np.float64]:
    """Return an accuracy that rises to its top, with noise at each point and an offset that lasts the whole run."""
    steps = np.arange(points)
    rising: NDArray[np.float64] = top - 0.6 * np.exp(-8 * steps / points)
    return rising + rng.normal(0, noise, points) + rng.normal(0, offset)


def run(name: str, values: Mapping[str, Sequence[float] | NDArray[np.float64]], config: Mapping[str, Any]) -> Run:
    """Return a run of metrics whose steps count from 0."""
    series = {
        metric: Series(metric, tuple(Point(float(step), float(value)) for step, value in enumerate(column)))
        for metric, column in sorted(values.items())
    }
    settings = flat_settings(config)
    return Run(name, History(name, "jsonl", series, config=dict(config)), settings, seed_keys([settings])[0])


def search(
    rng: np.random.Generator,
    tops: Mapping[float, float],
    seeds: int,
    points: int = 60,
    noise: float = 0.008,
    offset: float = 0.006,
) -> Collected:
    """Return runs of learning rates with their tops, each with so many seeds."""
    runs = [
        run(
            f"lr{rate:g}-s{seed}",
            {"val_accuracy": curve(rng, points, top, noise, offset)},
            {"lr": rate, "batch": 32, "seed": seed},
        )
        for rate, top in tops.items()
        for seed in range(seeds)
    ]
    return Collected(tuple(runs), ())


def write_run(
    folder: Path, values: Mapping[str, Sequence[float] | NDArray[np.float64]], config: Mapping[str, Any]
) -> None:
    """Write a run as a training loop would: a folder with config.json and history.jsonl."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
    length = max(len(column) for column in values.values())
    rows = [
        {"step": step, **{name: float(column[step]) for name, column in values.items() if step < len(column)}}
        for step in range(length)
    ]
    (folder / "history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def write_search(folder: Path, seeds: int = 3) -> None:
    """Write a search of two learning rates and two augmentations; one run drops and comes back, one never does."""
    rng = np.random.default_rng(4)
    for rate, top in ((0.01, 0.9), (0.1, 0.78)):
        for augment in ("none", "flip"):
            for seed in range(seeds):
                values = curve(rng, 80, top)
                if (rate, augment, seed) == (0.1, "none", 1):
                    values[50:] -= 0.3
                if (rate, augment, seed) == (0.1, "flip", 1):
                    values[40:52] -= 0.3
                config = {"lr": rate, "augment": augment, "seed": seed, "batch": 32}
                metrics = {"val_accuracy": values, "train_loss": 2 * (1 - values) + rng.normal(0, 0.02, 80)}
                write_run(folder / f"lr{rate:g}-{augment}-s{seed}", metrics, config)
