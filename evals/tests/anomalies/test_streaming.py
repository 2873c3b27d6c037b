"""Detectors that see one value at a time find what was planted, once, and little else."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.anomalies.base import Anomaly, DetectionSettings
from exaid_evals.anomalies.robust import RunningMedian
from exaid_evals.anomalies.watches import Watches, watch


def found(values: list[float], metric: str = "val_accuracy", **settings: object) -> list[Anomaly]:
    """Return the anomalies of values at the steps from 0 on."""
    one = watch(metric, DetectionSettings.model_validate(settings))
    reported = [anomaly for step, value in enumerate(values) for anomaly in one.update(step, value)]
    return [*reported, *one.finish()]


def noisy(level: float, n: int, sigma: float = 0.01, seed: int = 0) -> list[float]:
    """Return a level with normal noise."""
    return list(np.random.default_rng(seed).normal(level, sigma, n))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 20))
def test_the_running_median_is_the_median(values: list[float], window: int) -> None:
    """Median and deviation are those of the last values, by the standard library."""
    running = RunningMedian(window)
    for at, value in enumerate(values):
        running.add(value)
        last = values[max(0, at + 1 - window) : at + 1]
        assert running.median == statistics.median(last)
        assert running.deviation(1.0) == statistics.median([abs(one - 1.0) for one in last])
        assert len(running) == len(last)


@pytest.mark.parametrize(("metric", "sign"), [("val_accuracy", -1), ("val_loss", 1)])
def test_a_drop_is_found_in_the_direction_that_is_worse(metric: str, sign: int) -> None:
    """A lasting change by 20 % is reported once, at its step; the same change for the better is none."""
    before, after = noisy(1.0, 40), noisy(1.0 + sign * 0.2, 40, seed=1)
    drops = [one for one in found(before + after, metric) if one.kind == "sudden_drop"]
    assert [(one.step, one.interval) for one in drops] == [(40, (39.0, 40))]
    assert drops[0].magnitude == pytest.approx(sign * 0.2, abs=0.05)
    better = found(before + noisy(1.0 - sign * 0.2, 40, seed=1), metric)
    assert not [one for one in better if one.kind != "plateau"]


def test_a_single_bad_value_is_an_outlier_and_no_drop() -> None:
    """One value that is 10 σ off is reported at once, as what it is."""
    kinds = [(one.kind, one.step) for one in found([*noisy(1.0, 60), 0.9, *noisy(1.0, 20, seed=1)])]
    assert kinds == [("outlier", 60)]


def test_an_unmistakable_drop_needs_no_second_value() -> None:
    """A fall by half, far above the noise, is critical at its first value."""
    (one,) = [one for one in found([*noisy(1.0, 40), 0.5]) if one.kind == "sudden_drop"]
    assert (one.step, one.severity) == (40, "critical")


def test_a_second_drop_is_found_after_a_recovery() -> None:
    """Coming back half of the way ends a drop, so that the next one is new."""
    values = [*noisy(1.0, 40), 0.4, 0.4, *noisy(1.0, 12, seed=1), 0.4, 0.4]
    assert [one.step for one in found(values) if one.kind == "sudden_drop"] == [40, 54]


def test_noise_alone_is_no_anomaly() -> None:
    """Over 200 series of 200 normal values, high and critical ones are below one in a hundred series."""
    bad = [
        one for seed in range(200) for one in found(noisy(1.0, 200, 0.05, seed)) if one.severity in ("high", "critical")
    ]
    assert len(bad) <= 2


def test_a_constant_that_falls_has_fallen() -> None:
    """Without any noise the first value is certain; the evidence stays finite."""
    (one,) = [one for one in found([0.8] * 20 + [0.4] * 3) if one.kind == "sudden_drop"]
    assert (one.step, one.evidence["z"]) == (20, 1e6)


def test_what_is_not_finite_is_reported_ever_less_often() -> None:
    """The 1st, 3rd, 6th and 12th in a row; critical from the third, and at the end; a finite value begins anew."""
    anomalies = found([1.0, 1.0, *[math.nan] * 12, 1.0, math.inf], "loss")
    assert [(one.step, one.severity, one.evidence["value"]) for one in anomalies] == [
        (2, "high", "nan"),
        (4, "critical", "nan"),
        (7, "critical", "nan"),
        (13, "critical", "nan"),
        (15, "high", "infinite"),
        (15, "critical", "infinite"),
    ]


def test_nan_before_anything_else_is_low() -> None:
    """A precision of 0/0 at the first evaluation, a novelty without a past: nothing came before that could be lost."""
    assert [one.severity for one in found([math.nan, 0.4, 0.5], "val_precision")] == ["low"]
    assert [one.severity for one in found([0.3, math.nan, 0.5], "novelty")] == ["low"]


def test_a_loss_that_stays_up_has_diverged() -> None:
    """From 2 to 0.1 and back over 0.6 for a tenth of the run: told of once, from where it began."""
    values = [2 * 0.9**step + 0.1 for step in range(60)] + [0.1 + 0.02 * step for step in range(60)]
    (one,) = [one for one in found(values, "train_loss") if one.kind == "divergence"]
    assert 80 <= one.step <= 100
    near_zero = [2 * 0.9**step + 0.01 for step in range(60)] + [0.03] * 40
    assert not [one for one in found(near_zero, "train_loss") if one.kind == "divergence"]


def test_a_spike_that_passes_is_no_drop_in_a_long_run() -> None:
    """Twelve of 2,000 batches go wrong, as in the training of any large model; the loss comes back by itself."""
    values = noisy(2.0, 2000, 0.05)
    values[1500:1512] = [6.0, 7.0, *[5.0] * 10]
    assert not [one for one in found(values, "train_loss") if one.severity in ("high", "critical")]
    lasting = [one for one in found(values[:1500] + noisy(5.0, 200), "train_loss") if one.kind == "sudden_drop"]
    assert [(one.step, one.severity) for one in lasting] == [(1500, "critical")]


def test_one_insane_value_does_not_hide_a_later_shift() -> None:
    """A loss of 10⁹ at one step, and 600 steps later one that rises for good."""
    values = noisy(0.3, 1000, 0.02)
    values[100] = 1e9
    values[700:] = noisy(1.1, 300, 0.02, seed=2)
    assert [one.step for one in found(values, "loss") if one.kind == "sudden_drop"] == [700]


def test_what_comes_again_and_again_belongs_to_the_method() -> None:
    """A metric that dips by as much every 60 steps is reported at most once; a fall twice as deep is reported again."""
    dips = np.array(noisy(1.0, 600, 0.01))
    for at in range(100, 600, 60):
        dips[at : at + 15] -= 0.3
    reported = [one for one in found(list(dips), "reward") if one.kind == "sudden_drop"]
    assert len(reported) <= 1
    deeper = [*dips, *noisy(0.3, 100, 0.01, seed=4)]
    assert [one.step for one in found(deeper, "reward") if one.kind == "sudden_drop"][-1] == 600


def test_a_warm_restart_is_no_drop() -> None:
    """The loss rises where the learning rate goes back to where it was; the same rise without one is a drop."""
    step = np.arange(400)
    rate = 0.1 * (1 + np.cos(np.pi * (step % 100) / 100)) / 2 + 1e-4
    loss = 0.5 + 5 * rate + np.random.default_rng(0).normal(0, 0.01, 400)
    for rates, bad in ((rate, False), (np.full(400, 0.1), True)):
        watches = Watches(DetectionSettings())
        reported = [
            one
            for at in range(400)
            for one in watches.update(at, {"lr": float(rates[at]), "train_loss": float(loss[at])}, print)
        ]
        assert any(one.severity in ("high", "critical") for one in reported) == bad


def test_a_plateau_is_reported_each_time_its_patience_ends() -> None:
    """A metric that rises, and then stays for 65 values, at a patience of 20: three times."""
    values = [step / 40 for step in range(40)] + noisy(1.0, 65, 1e-4)
    steps = [one.end_step or 0 for one in found(values, plateau_patience=20) if one.kind == "plateau"]
    assert [later - earlier for earlier, later in itertools.pairwise(steps)] == [20, 20]
    assert not [one for one in found(noisy(1.0, 200), plateau_patience=20) if one.kind == "plateau"]


def test_a_metric_without_direction_has_no_drops() -> None:
    """A learning rate that is cut is none; a wild value of it is a low outlier; a schedule's step is nothing."""
    assert not found([0.1] * 100 + [0.01] * 100, "lr")
    wild = found([*noisy(1.0, 60), 3.0, *noisy(1.0, 5)], "grad_norm")
    assert [(one.kind, one.severity) for one in wild] == [("outlier", "low")]


def test_a_named_direction_counts() -> None:
    """What the configuration says goes before the name."""
    falls = noisy(1.0, 40) + noisy(0.5, 5)
    assert not [one for one in found(falls, "quality") if one.kind == "sudden_drop"]
    assert [one for one in found(falls, "quality", directions={"quality": "higher"}) if one.kind == "sudden_drop"]
