"""A real training, sabotaged on purpose, ends well with the recovery and badly without."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from scripts import script_module


@cache
def undisturbed(seed: int) -> float:
    """Return the accuracy of a training that nobody disturbs."""
    return float(script_module("examples/sabotaged_training.py").train("numpy", seed, None, None).accuracy)


@pytest.mark.slow
@pytest.mark.parametrize("sabotage", ["learning rate × 1000", "weights overwritten", "a weight is NaN"])
def test_a_sabotaged_network_is_saved(sabotage: str, tmp_path: Path) -> None:
    """NumPy on digits, three seeds: with recovery within 1 point of the undisturbed accuracy, without it not."""
    train = script_module("examples/sabotaged_training.py").train
    whole = np.mean([undisturbed(seed) for seed in range(3)])
    without = np.mean([train("numpy", seed, sabotage, None).accuracy for seed in range(3)])
    mended = np.mean([train("numpy", seed, sabotage, tmp_path / str(seed)).accuracy for seed in range(3)])
    assert whole > 0.95
    assert abs(mended - whole) <= 0.01
    assert whole - without > 0.01
    first = json.loads((tmp_path / "0" / "recovery.jsonl").read_text().splitlines()[0])
    assert (first["strategy"], 450 <= first["step"] <= 480) == ("rollback", True)


def test_without_a_sabotage_the_recovery_does_nothing(tmp_path: Path) -> None:
    """The same accuracy to the last digit, and no action, for two seeds."""
    train = script_module("examples/sabotaged_training.py").train
    for seed in range(2):
        assert train("numpy", seed, None, tmp_path / str(seed)).accuracy == undisturbed(seed)
        assert not (tmp_path / str(seed) / "recovery.jsonl").exists()


def test_the_table_of_the_page_is_complete() -> None:
    """Both networks, every sabotage, and each row holds what is claimed."""
    module = script_module("examples/sabotaged_training.py")
    page = module.PAGE.read_text(encoding="utf-8")
    table = page.partition(module.BEGIN)[2].partition(module.END)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if "points" in line]
    assert [row[:2] for row in rows] == [[model, name] for model in module.MODELS for name in module.SABOTAGES]
    for _, _, whole, without, _, difference, below, worst in rows:
        assert abs(float(difference.removesuffix(" points"))) <= 1.0
        assert float(whole.rstrip("%")) - float(without.rstrip("%")) > 1.0
        assert float(worst.removesuffix(" points")) >= -1.0 or not below.startswith("0 of ")
