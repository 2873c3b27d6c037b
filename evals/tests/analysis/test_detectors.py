"""Each detector finds what is there, says where, and is silent about what is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.histories import noisy, series
from exaid_evals.analysis.anomalies.change_point import ChangePoint, change_indices, penalty_of
from exaid_evals.analysis.anomalies.divergence import Divergence
from exaid_evals.analysis.anomalies.not_finite import NotFinite
from exaid_evals.analysis.anomalies.oscillation import Oscillation
from exaid_evals.analysis.anomalies.overfitting_gap import OverfittingGap
from exaid_evals.analysis.anomalies.plateau import Plateau
from exaid_evals.analysis.anomalies.registry import find_anomalies
from exaid_evals.analysis.anomalies.robust import difference_sigma
from exaid_evals.analysis.anomalies.robust_z import RobustZ
from exaid_evals.analysis.anomalies.sudden_drop import SuddenDrop
from exaid_evals.analysis.settings import AnalysisConfig, ChangePointSettings, DropThreshold, SuddenDropSettings
from exaid_evals.errors import DataError
from exaid_evals.runs.history import History, Point, Series
from exaid_evals.runs.metric_names import counterpart


@pytest.mark.parametrize(("direction", "sign"), [("higher", -1), ("lower", 1)])
def test_a_drop_is_found_at_its_step_and_only_for_the_worse(direction: str, sign: int) -> None:
    """A step of 20 % for the worse is found where it is; the same step for the better is none."""
    values = noisy(60)
    values[30:] += sign * 0.2
    (found,) = SuddenDrop().find(series(values), direction)  # type: ignore[arg-type]
    assert (found.step, found.interval) == (30.0, (29.0, 30.0))
    assert found.magnitude == pytest.approx(sign * 0.2, abs=0.02)
    assert found.severity == "high" if found.evidence["relative"] < 0.25 else "critical"
    better = "lower" if direction == "higher" else "higher"
    assert SuddenDrop().find(series(values), better) == []  # type: ignore[arg-type]


def test_both_thresholds_of_a_drop_must_be_passed() -> None:
    """A metric's own absolute threshold silences a fall that the general relative one lets pass."""
    values = noisy(60)
    values[30:] -= 0.2
    strict = SuddenDropSettings(per_metric={"val_accuracy": DropThreshold(absolute=0.3)})
    assert SuddenDrop(strict).find(series(values), "higher") == []
    assert SuddenDrop(SuddenDropSettings(relative=0.5)).find(series(values), "higher") == []


@given(st.integers(0, 2**31), st.floats(1e-3, 1e3))
def test_noise_alone_is_hardly_ever_a_drop(seed: int, scale: float) -> None:
    """A constant level with 1 % of normal noise has no drop of 5 %, whatever the unit."""
    values = scale * noisy(80, 1.0, 0.01, seed)
    assert SuddenDrop().find(series(values), "higher") == []


def test_without_a_direction_nothing_drops() -> None:
    """A rate that is lowered is not a drop."""
    assert SuddenDrop().find(series([0.1] * 30 + [0.01] * 30, "lr"), None) == []


def test_a_wild_point_is_an_outlier_and_a_level_is_not() -> None:
    """One point far off is named with its score; a shift of the level has no outliers within its segments."""
    values = noisy(80)
    values[50] = 0.4
    (found,) = RobustZ().find(series(values), "higher")
    assert found.step == 50.0
    assert found.evidence["z"] < -20
    assert RobustZ().find(series(noisy(80)), "higher") == []


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


def test_the_exact_search_agrees_with_ruptures_pelt() -> None:
    """Oracle: ruptures' Pelt with the l2 cost and jump 1 finds the same changes as its kernel search does."""
    ruptures = pytest.importorskip("ruptures")
    for seed in range(5):
        values = noisy(90, 0.0, 1.0, seed)
        values[30:] += 3
        values[60:] -= 2
        settings = ChangePointSettings()
        oracle = ruptures.Pelt(model="l2", min_size=settings.min_size, jump=1).fit(values)
        wanted = oracle.predict(pen=penalty_of(len(values), settings))[:-1]
        assert change_indices(values, settings) == wanted


def test_a_long_series_is_searched_in_groups() -> None:
    """A series of 20,000 points is grouped, and the change lies in the interval that is told."""
    values = noisy(20_000, 1.0, 0.1)
    values[12_345:] += 0.5
    (found,) = ChangePoint().find(series(values, "loss"), "lower")
    assert found.interval is not None
    assert found.interval[0] <= 12_345 <= found.interval[1] + 4


def test_a_plateau_is_told_from_a_metric_that_goes_on() -> None:
    """Improvement that ends half-way is a plateau; a line that goes on is none, nor one that never improved."""
    rise = np.concatenate([np.linspace(0.1, 0.8, 50), np.full(50, 0.8)]) + noisy(100, 0, 0.003)
    (found,) = Plateau().find(series(rise), "higher")
    assert found.step >= 50
    assert Plateau().find(series(np.linspace(0.1, 0.8, 100) + noisy(100, 0, 0.003)), "higher") == []
    assert Plateau().find(series(noisy(100)), "higher") == []


def test_divergence_is_an_end_far_from_the_best() -> None:
    """A loss that ends at five times its best diverged; one that converged did not."""
    falling = np.linspace(2.0, 0.5, 60)
    assert Divergence().find(series(falling, "loss"), "lower") == []
    (found,) = Divergence().find(series(np.concatenate([falling, np.linspace(0.5, 3, 40)]), "loss"), "lower")
    assert found.severity == "critical"
    assert found.evidence["best"] == pytest.approx(0.5, abs=0.1)


def test_not_finite_names_stretches() -> None:
    """Single NaN, a long stretch, and one that lasts to the end are told apart; text and gaps are none of them."""
    nan, inf = float("nan"), float("inf")
    values: list[float | str | None] = [1.0, nan, 1.0, "x", None, nan, inf, nan, 1.0, nan]
    one = Series("loss", tuple(Point(float(step), value) for step, value in enumerate(values)))
    found = NotFinite().find(one, None)
    assert [(a.step, a.severity) for a in found] == [(1.0, "high"), (5.0, "critical"), (9.0, "critical")]
    assert found[1].evidence == {"n_nan": 2, "n_infinite": 1, "to_the_end": False}


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
        history = History(
            "r", "csv", {"train_loss": series(train, "train_loss"), "val_loss": series(values, "val_loss")}
        )
        assert len(OverfittingGap().find_in(history, ways)) == n  # type: ignore[arg-type]


def test_counterparts_of_validation_metrics() -> None:
    """The training metric beside a validation metric is found under the usual namings."""
    known = {name: series([1.0], name) for name in ("train/loss", "accuracy", "train_f1")}
    assert counterpart("val/loss", known) == "train/loss"
    assert counterpart("val_accuracy", known) == "accuracy"
    assert counterpart("eval_f1", known) == "train_f1"
    assert counterpart("val_auc", known) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=60), st.sampled_from(["higher", "lower", None]))
def test_detectors_survive_any_series(values: list[float], direction: str | None) -> None:
    """No series of finite numbers, however short or constant, breaks a detector; magnitudes are finite."""
    history = History("r", "csv", {"m": series(values, "m")})
    found = find_anomalies(history, AnalysisConfig(), {"m": direction} if direction else {})  # type: ignore[dict-item]
    assert all(one.magnitude is None or np.isfinite(one.magnitude) for one in found)


def test_noise_of_differences_ignores_a_trend() -> None:
    """A steep trend adds nothing to the noise, a constant has none."""
    values = np.linspace(0, 100, 2000) + noisy(2000, 0, 1.0)
    assert difference_sigma(values) == pytest.approx(1.0, rel=0.1)
    assert difference_sigma(np.full(50, 3.0)) == 0
