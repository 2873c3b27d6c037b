"""What only the whole run shows: each detector finds what is there, says where, and is silent about what is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.histories import noisy, series
from exaid_evals.analysis import detect_statistical_anomalies
from exaid_evals.anomalies.base import AnomalySettings, ChangePointSettings
from exaid_evals.anomalies.change_point import ChangePoint, _costs, _divided, change_indices
from exaid_evals.anomalies.registry import find_anomalies
from exaid_evals.anomalies.retrospective import NoProgress, Oscillation, OverfittingGap
from exaid_evals.anomalies.robust import difference_sigma
from exaid_evals.errors import DataError
from exaid_evals.runs.history import History, Series


@pytest.mark.parametrize("at", [13, 40, 77])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_a_change_is_found_exactly_in_any_unit(at: int, scale: float) -> None:
    """The index is exact (ruptures' default jump of 5 would miss it), in any unit, and lies in its interval."""
    values = noisy(100, 1.0, 0.05, seed=at) * scale
    values[at:] += 0.6 * scale
    (found,) = ChangePoint().find(series(values, "loss"), "lower")
    assert found.step == at
    assert found.interval is not None
    assert found.interval[0] < at <= found.interval[1]


def test_a_small_change_has_a_wide_interval() -> None:
    """The interval says how well a change is located: it is wider where the noise is larger, and holds the truth."""
    widths = []
    for sigma in (0.05, 0.4):
        inside = 0
        for seed in range(20):
            values = noisy(120, 1.0, sigma, seed)
            values[60:] += 0.8
            found = ChangePoint().find(series(values, "loss"), "lower")
            if found and found[0].interval is not None:
                widths.append((sigma, found[0].interval[1] - found[0].interval[0]))
                inside += found[0].interval[0] < 60 <= found[0].interval[1]
        assert inside >= 17  # 95 % of 20, less what chance may take
    assert np.mean([w for s, w in widths if s == 0.4]) > np.mean([w for s, w in widths if s == 0.05])


def test_change_points_refuse_nan_and_say_where() -> None:
    """One NaN would give changes everywhere."""
    with pytest.raises(DataError, match="first at index 3"):
        change_indices(np.array([1.0, 2, 3, np.nan, 5, 6, 7, 8, 9, 10]), ChangePointSettings())


def test_the_exact_search_agrees_with_ruptures() -> None:
    """Oracle: ruptures' dynamic programming, given each model's cost by least squares, finds the same division."""
    ruptures = pytest.importorskip("ruptures")

    class Cost(ruptures.base.BaseCost):  # type: ignore[name-defined,misc]
        model, min_size = "", 5

        def __init__(self, columns: np.ndarray) -> None:
            self.columns = columns

        def fit(self, signal: np.ndarray) -> Cost:
            self.signal = signal
            return self

        def error(self, start: int, end: int) -> float:
            terms, values = self.columns[:-1, start:end].T, self.columns[-1, start:end]
            rest = values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
            return float((end - start) * np.log(max((rest**2).sum() / max(end - start - terms.shape[1], 1), 1e-4)))

    for seed in range(3):
        values = noisy(60, 0.0, 1.0, seed)
        values[20:] += 3
        values[40:] -= 4
        values = (values - values.mean()) / values.std()
        one, line, lag = np.ones(60), np.linspace(-1, 1, 60), np.concatenate([values[:1], values[:-1]])
        for terms in ((one,), (one, line), (one, line, lag)):
            columns = np.stack([*terms, values])
            _, found = _divided(_costs(columns, 5), 6 * np.log(60))
            search = ruptures.Dynp(custom_cost=Cost(columns), min_size=5, jump=1).fit(values)
            assert search.predict(n_bkps=len(found))[:-1] == found if found else True


@pytest.mark.parametrize("name", ["trend", "memory", "heavy"])
def test_what_goes_on_is_no_change(name: str) -> None:
    """A trend, noise that resembles itself, single wild points: in 20 series of 150, at most two have a change."""
    changed = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = rng.normal(0, 1, 150)
        if name == "trend":
            values += np.linspace(0, 30, 150)
        elif name == "memory":
            for at in range(1, 150):
                values[at] += 0.7 * values[at - 1]
        else:
            values[rng.integers(0, 150, 5)] += 40
        changed += bool(change_indices(values))
    assert changed <= 2


@given(st.integers(0, 2**31), st.floats(1e-6, 1e6), st.floats(-1e6, 1e6))
def test_changes_do_not_depend_on_units(seed: int, scale: float, offset: float) -> None:
    """Values in other units, from another zero, change where they did."""
    values = np.random.default_rng(seed).normal(0, 1, 60)
    values[25:] += 4
    assert change_indices(values * scale + offset * scale) == change_indices(values)


def test_the_change_points_of_a_bare_series() -> None:
    """What `analyze` finds, from a list of numbers: indices count what is not finite, too, and never name it."""
    values = noisy(100, 1.0, 0.05).tolist()
    values[60:] = noisy(40, 2.0, 0.05, seed=1).tolist()
    values[10], values[30] = float("nan"), 9.0
    found = detect_statistical_anomalies(values)
    assert found == {"z_score_anomalies": [30], "change_points": [60]}
    assert detect_statistical_anomalies([]) == {"z_score_anomalies": [], "change_points": []}


def test_a_long_series_is_searched_in_groups() -> None:
    """A series of 20,000 points is grouped, and the change lies in the interval that is reported."""
    values = noisy(20_000, 1.0, 0.1)
    values[12_345:] += 0.5
    (found,) = ChangePoint().find(series(values, "loss"), "lower")
    assert found.interval is not None
    assert found.interval[0] <= 12_345 <= found.interval[1] + 4


def test_a_rhythm_is_an_oscillation_and_noise_is_not() -> None:
    """A swing of period 8 is found with its period; noise of the same size is none, in 50 seeds."""
    at = np.arange(120)
    (found,) = Oscillation().find(series(0.8 + 0.1 * np.sin(2 * np.pi * at / 8) + noisy(120, 0, 0.01)), "higher")
    assert found.evidence["period_points"] == pytest.approx(8, abs=1)
    assert not any(Oscillation().find(series(noisy(120, 0.8, 0.07, seed)), "higher") for seed in range(50))


def test_overfitting_is_a_gap_that_opens_slowly() -> None:
    """The validation loss rises while the training loss falls; a step up is a drop and no overfitting."""
    train = np.exp(-np.arange(60) / 15)
    slow = np.concatenate([np.linspace(1, 0.5, 20), np.linspace(0.5, 0.9, 40)])
    sudden = np.concatenate([np.linspace(1, 0.5, 20), np.full(20, 0.5), np.full(20, 0.9)])
    ways = {"train_loss": "lower", "val_loss": "lower"}
    for values, n in ((slow, 1), (sudden, 0)):
        both = {"train_loss": series(train, "train_loss"), "val_loss": series(values, "val_loss")}
        assert len(OverfittingGap().find_in(both, ways)) == n  # type: ignore[arg-type]


def test_overfitting_shows_in_six_epochs() -> None:
    """A validation loss that rises in each epoch after its best; one that goes up and down is none."""
    ways = {"loss": "lower", "val_loss": "lower"}
    train = series([0.69, 0.45, 0.25, 0.11, 0.04, 0.01], "loss")
    for values, n in (([0.6, 0.55, 0.72, 0.98, 1.31, 1.62], 1), ([0.6, 0.55, 0.72, 0.5, 0.6, 0.52], 0)):
        both = {"loss": train, "val_loss": series(values, "val_loss")}
        assert len(OverfittingGap().find_in(both, ways)) == n  # type: ignore[arg-type]


def test_overfitting_may_begin_with_the_first_epoch() -> None:
    """Most of the rise falls on the epoch in which the training gains most, as it does where few items are learnt."""
    ways = {"train_loss": "lower", "val_loss": "lower"}
    train = series([0.298, 0.069, 0.035, 0.026, 0.023, 0.023, 0.022, 0.022], "train_loss")
    validation = series([0.413, 0.567, 0.601, 0.632, 0.647, 0.675, 0.656, 0.686], "val_loss")
    (found,) = OverfittingGap().find_in({"train_loss": train, "val_loss": validation}, ways)  # type: ignore[arg-type]
    assert found.severity == "high"


def test_a_classifier_that_is_thrown_about_never_learns() -> None:
    """Steps far too large: the loss is noisy and above ln 5, and the accuracy stays at a fifth."""
    ways = {"loss": "lower", "val_acc": "higher"}
    rng = np.random.default_rng(0)
    both = {
        "loss": series(1.9 + np.abs(rng.normal(0, 0.4, 300)), "loss"),
        "val_acc": series(0.2 + rng.normal(0, 0.01, 20), "val_acc"),
    }
    assert [one.metric for one in NoProgress().find_in(both, ways)] == ["loss"]  # type: ignore[arg-type]


def test_a_loss_that_never_falls_is_found() -> None:
    """One that stays at ln 10 beside an accuracy of a tenth; not one that goes on from a good checkpoint."""
    ways = {"loss": "lower", "val_accuracy": "higher"}
    dead = {
        "loss": series(noisy(60, 2.303, 0.02), "loss"),
        "val_accuracy": series(noisy(60, 0.1, 0.002), "val_accuracy"),
    }
    (found,) = NoProgress().find_in(dead, ways)  # type: ignore[arg-type]
    assert (found.metric, found.evidence["at_chance"]) == ("loss", True)
    assert not NoProgress().find_in({"loss": series(noisy(200, 3.6, 0.15), "loss")}, ways)  # type: ignore[arg-type]
    assert NoProgress().find_in({"loss": series([3.8e25] * 30, "loss")}, ways)  # type: ignore[arg-type]


def test_a_model_learns_of_which_one_of_several_losses_is_still() -> None:
    """A detector's `dfl_loss` beside a box and a class loss that fall; not a whole loss, nor one of two."""
    falling = list(2 * np.exp(-np.arange(30) / 10) + 0.5)
    terms = {name: series(falling, name) for name in ("train/box_loss", "train/cls_loss")}

    def found(*others: str) -> list[str]:
        still = {name: series([1.1] * 30, name) for name in others}
        ways = dict.fromkeys([*terms, *still], "lower")
        return [one.metric for one in NoProgress().find_in(terms | still, ways)]  # type: ignore[arg-type]

    assert found("train/dfl_loss", "val/dfl_loss") == []
    assert found("train/loss") == ["train/loss"]
    assert found("train/dfl_loss", "train/aux_loss") == ["train/dfl_loss", "train/aux_loss"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=60), st.sampled_from(["higher", "lower", None]))
def test_detectors_survive_any_series(values: list[float], direction: str | None) -> None:
    """No series of finite numbers, however short or constant, breaks a detector; magnitudes are finite."""
    history = History("r", "csv", {"m": series(values, "m")})
    found = find_anomalies(history, AnomalySettings(), {"m": direction} if direction else {})  # type: ignore[dict-item]
    assert all(one.magnitude is None or np.isfinite(one.magnitude) for one in found)


def test_noise_of_differences_ignores_a_trend() -> None:
    """A steep trend adds nothing to the noise, a constant has none."""
    values = np.linspace(0, 100, 2000) + noisy(2000, 0, 1.0)
    assert difference_sigma(values) == pytest.approx(1.0, rel=0.1)
    assert difference_sigma(np.full(50, 3.0)) == 0


@pytest.mark.parametrize(("first", "reported"), [(1e12, True), (1e9, True), (1e6, False), (5.0, False)])
def test_a_loss_that_begins_far_from_any_scale_is_reported(first: float, reported: bool) -> None:
    """A hundred million times where it ends and more, whatever it does then."""
    values = first * np.exp(-np.arange(200) / 4) + 0.3 + np.random.default_rng(1).normal(0, 0.01, 200)
    history = History("r", "csv", {"train_loss": Series("train_loss", series(values.tolist()).points)})
    kinds = {one.kind for one in find_anomalies(history, AnomalySettings())}
    assert ("unscaled_start" in kinds) == reported
