"""The bootstrap against SciPy's and against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from exaid_evals.stats import bootstrap
from exaid_evals.stats.bootstrap import (
    Redrawn,
    bootstrap_means,
    percentile_bounds,
    percentile_intervals,
    resample_counts,
)

NAN = float("nan")
cells = st.one_of(st.just(NAN), st.integers(-1000, 1000).map(lambda value: value / 8))


def matrices(max_rows: int = 7) -> st.SearchStrategy[np.ndarray]:
    """Draw matrices of eighths, some of them undefined."""
    shapes = st.tuples(st.integers(1, max_rows), st.integers(1, 4))
    return shapes.flatmap(
        lambda shape: st.lists(cells, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
            lambda values: np.array(values).reshape(shape)
        )
    )


def test_counts_are_those_of_one_draw_of_indices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program with the same generator finds the same resamples, however the work is divided."""
    indices = np.random.default_rng(42).integers(0, 9, size=(50, 9))
    expected = np.array([np.bincount(row, minlength=9) for row in indices])
    assert (resample_counts(9, 50, np.random.default_rng(42)) == expected).all()
    monkeypatch.setattr(bootstrap, "_CHUNK_CELLS", 20)
    assert (resample_counts(9, 50, np.random.default_rng(42)) == expected).all()


@given(matrices())
def test_means_equal_those_of_a_loop(values: np.ndarray) -> None:
    """Each resample's mean is the mean of the defined values that it drew; undefined where it drew none."""
    n, columns = values.shape
    indices = np.random.default_rng(7).integers(0, n, size=(40, n))
    actual = bootstrap_means(values, resample_counts(n, 40, np.random.default_rng(7)))
    for column in range(columns):
        for number, row in enumerate(indices):
            drawn = [values[index, column] for index in row if not np.isnan(values[index, column])]
            expected = sum(drawn) / len(drawn) if drawn else NAN
            assert actual[column, number] == pytest.approx(expected, nan_ok=True)


def test_intervals_equal_scipys() -> None:
    """scipy.stats.bootstrap with method="percentile" and the same generator gives the same bounds to 1e-9."""
    values = np.random.default_rng(1).lognormal(size=(40, 3))
    actual = percentile_intervals(values, resample_counts(40, 9999, np.random.default_rng(42)))
    for column in range(3):
        oracle = scipy_stats.bootstrap(
            (values[:, column],), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(42)
        )
        interval = oracle.confidence_interval
        assert actual[:, column] == pytest.approx([interval.low, interval.high], abs=1e-9)


def test_intervals_by_hand() -> None:
    """Of three resamples with means 0, 1/2 and 1, the 2.5 % quantile lies 0.05 of the way from 0 to 1/2."""
    counts = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    assert percentile_intervals(np.array([[0.0], [1.0]]), counts)[:, 0] == pytest.approx([0.025, 0.975])


@pytest.mark.parametrize("resamples", [1, 2, 11, 400, 401, 10_000])
def test_bounds_are_numpys_quantiles_to_the_last_bit(resamples: int) -> None:
    """2.5 % and 97.5 % unless told otherwise, of every column, though there be more columns than cases."""
    means = np.random.default_rng(resamples).normal(size=(5, resamples))
    tails = [(1 - 0.95) / 2, (1 + 0.95) / 2]
    assert (percentile_bounds(means, np.full(5, 3)) == np.quantile(means, tails, axis=1)).all()
    values = np.random.default_rng(0).random((3, 5))
    assert np.isfinite(percentile_intervals(values, resample_counts(3, resamples, np.random.default_rng(1)))).all()


@given(matrices())
def test_bounds_are_ordered_and_lie_within_the_data(values: np.ndarray) -> None:
    """No mean leaves the range of its values; fewer than two defined values have no interval, never NaN otherwise."""
    low, high = percentile_intervals(values, resample_counts(len(values), 200, np.random.default_rng(3)))
    for column, defined in enumerate(
        values[:, number][~np.isnan(values[:, number])] for number in range(values.shape[1])
    ):
        if defined.size < 2:
            assert np.isnan([low[column], high[column]]).all()
        else:
            assert defined.min() - 1e-9 <= low[column] <= high[column] <= defined.max() + 1e-9


def test_a_constant_has_an_interval_of_no_width() -> None:
    """Constant data give the constant twice, exactly, where BCa intervals give NaN."""
    bounds = percentile_intervals(np.full((30, 1), 0.3), resample_counts(30, 500, np.random.default_rng(0)))
    assert np.ptp(bounds) < 1e-12
    assert bounds[0, 0] == pytest.approx(0.3)


def test_integers_are_summed_exactly() -> None:
    """Permuting cases and their counts changes no bit where values are integers: no order of addition matters."""
    rng = np.random.default_rng(5)
    values = np.rint(rng.random((302, 4)) * 1e6)
    counts = resample_counts(302, 500, rng)
    order = rng.permutation(302)
    assert (bootstrap_means(values, counts) == bootstrap_means(values[order], counts[:, order])).all()


@pytest.mark.parametrize("cells", [700, 1])
def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    """However few columns fit into memory at once, were it none, the bounds are the same."""
    values = np.rint(np.random.default_rng(5).random((20, 9)) * 1e6)
    counts = resample_counts(20, 300, np.random.default_rng(6))
    whole = percentile_intervals(values, counts)
    monkeypatch.setattr(bootstrap, "_CHUNK_CELLS", cells)
    assert (percentile_intervals(values, counts) == whole).all()


def test_nothing_has_no_interval() -> None:
    """No cases at all: no interval, and no error."""
    assert np.isnan(percentile_intervals(np.empty((0, 2)), np.empty((10, 0)))).all()


def test_resamples_drawn_anew_are_the_same() -> None:
    """Gone through twice, and in parts, they are those of one generator, so means do not depend on what is kept."""
    counts = resample_counts(700, 3000, np.random.default_rng(42))
    redrawn = Redrawn(700, 3000, 42)
    values = np.random.default_rng(1).random((700, 2)).round(6) * 1e6
    for _ in range(2):
        np.testing.assert_array_equal(bootstrap_means(values, redrawn), bootstrap_means(values, counts))
    with pytest.raises(IndexError):
        redrawn[slice(5, 9)]
