"""Where histories part: found where it was planted, and not found where nothing was."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.compare.runs import run
from exaid_evals.analysis.compare.collect import Run
from exaid_evals.analysis.compare.divergence_point import DivergencePoint, part
from exaid_evals.analysis.compare.groups import Group
from exaid_evals.runs.history import History, Point, Series

METRIC = "val_accuracy"


def histories(
    rng: np.random.Generator,
    n: int,
    *,
    points: int = 60,
    related: float = 0.0,
    offset: float = 0.006,
    fall: float = 0.0,
    onset: float = 0.5,
    name: str = "a",
) -> Group:
    """Return a group of runs with noise that may correlate, an offset of each run, and a planted fall."""
    runs = []
    for number in range(n):
        noise = rng.normal(0, 0.01, points)
        for at in range(1, points):
            noise[at] = related * noise[at - 1] + np.sqrt(1 - related**2) * noise[at]
        share = np.arange(points) / points
        values = 0.9 - 0.6 * np.exp(-6 * share) + noise + rng.normal(0, offset) - fall * (share >= onset)
        runs.append(run(f"{name}{number}", {METRIC: values}, {}))
    return Group(name, tuple(runs), {})


def parted(one: Group, other: Group, *more: Group) -> DivergencePoint:
    """Return whether two groups part."""
    return part(METRIC, one, other, [one, other, *more])


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("related", [0.0, 0.9])
def test_pairs_of_one_configuration_hardly_ever_part(n: int, related: float) -> None:
    """Of 200 pairs at most 5 % part; half of them are of noise that is four times as large in one of the groups."""
    rng = np.random.default_rng([n, int(10 * related)])
    found = 0
    for number in range(200):
        offset = 0.006 if number % 2 else 0.024
        one, other = histories(rng, n, related=related), histories(rng, n, related=related, offset=offset, name="b")
        found += parted(one, other).step is not None
    assert found <= 10


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 3])
def test_among_ten_groups_of_one_configuration_hardly_any_parts(n: int) -> None:
    """Of 60 searches of ten groups, with noise whose neighbours correlate by 0.9, chance alone lets 5 % part."""
    rng = np.random.default_rng([n, 9])
    found = 0
    for _ in range(60):
        groups = [histories(rng, n, related=0.9, name=f"g{number}-") for number in range(10)]
        found += any(part(METRIC, groups[0], other, groups, 9).step is not None for other in groups[1:])
    assert found <= stats.binom.ppf(0.99, 60, 0.05)


@pytest.mark.slow
def test_trainings_that_differ_in_their_seed_alone_do_not_part() -> None:
    """Real networks on scikit-learn's digits, 24 of one configuration: pairs of one, of two and of three runs."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:500], order[500:1100]

    def trained(seed: int) -> list[float]:
        model = MLPClassifier((16,), random_state=seed, learning_rate_init=0.003, batch_size=50)
        found = []
        for _ in range(30):
            model.partial_fit(x[train] / 16, y[train], classes=np.arange(10))
            found.append(float(model.score(x[test] / 16, y[test])))
        return found

    runs = [run(f"r{seed}", {METRIC: trained(seed)}, {}) for seed in range(24)]
    for n in (1, 2, 3):
        groups = [Group(f"g{at}", tuple(runs[at : at + n]), {}) for at in range(0, 24 - n + 1, n)]
        pairs = [(one, other) for at, one in enumerate(groups) for other in groups[at + 1 :]]
        wrong = sum(part(METRIC, one, other, [one, other]).step is not None for one, other in pairs)
        assert wrong <= 0.05 * len(pairs), f"{wrong} of {len(pairs)} pairs of {n}"


@pytest.mark.parametrize(("n", "fall", "least"), [(3, 0.1, 0.6), (5, 0.1, 0.95), (10, 0.05, 0.95), (1, 0.2, 0.8)])
def test_a_planted_divergence_is_found(n: int, fall: float, least: float) -> None:
    """With more seeds smaller falls are found; the interval holds the planted step in nearly all that are found."""
    rng = np.random.default_rng([n, 77])
    found = [parted(histories(rng, n), histories(rng, n, fall=fall, name="b")) for _ in range(40)]
    steps = [one for one in found if one.step is not None]
    assert len(steps) >= least * 40
    held = [one for one in steps if one.not_before is not None and one.not_before <= 30 <= (one.step or 0) + 4]
    assert len(held) >= 0.9 * len(steps)
    assert all(one.higher == "a" for one in steps)
    assert {one.basis for one in found} == {"within_run" if n == 1 else "seeds"}


def test_a_difference_that_ends_is_no_divergence() -> None:
    """Histories that lie apart for a while and come together again have not parted."""
    rng = np.random.default_rng(3)
    one, other = histories(rng, 5), histories(rng, 5, fall=0.3, onset=0.3, name="b")
    back = []
    for each in other.runs:
        values = each.history.series[METRIC].clean.values.copy()
        values[40:] += 0.3
        back.append(run(each.name, {METRIC: values}, {}))
    assert parted(one, other).step is not None
    assert parted(one, Group("b", tuple(back), {})).step is None


def test_a_single_run_borrows_the_spread_of_groups_with_seeds() -> None:
    """What one run cannot say of seeds, the other groups say; without any, noise within the runs stands in."""
    rng = np.random.default_rng(4)
    one, other, third = histories(rng, 1), histories(rng, 1, name="b"), histories(rng, 6, name="c")
    assert parted(one, other).basis == "within_run"
    assert parted(one, other, third).basis == "borrowed"
    far = histories(rng, 1, fall=0.2, name="d")
    assert parted(one, far, third).step is not None


def test_other_units_and_few_points_are_said_and_not_guessed() -> None:
    """Epochs against steps, five points, and steps that do not meet: nothing is claimed, and why is reported."""
    rng = np.random.default_rng(5)
    one = histories(rng, 1)
    long = Group("l", (run("l", {METRIC: rng.normal(0.9, 0.01, 3000)}, {}),), {})
    short = Group("s", (run("s", {METRIC: [0.1, 0.2, 0.3, 0.4, 0.5]}, {}),), {})
    assert "another unit" in str(parted(one, long).why_not)
    assert "fewer than 8 points" in str(parted(one, short).why_not)
    assert parted(one, long).step is None


def test_steps_that_are_not_the_same_are_interpolated() -> None:
    """A run that is logged every third step is held against one of every step, on the steps of the former."""
    rng = np.random.default_rng(6)
    one = histories(rng, 1, points=90)
    values = one.runs[0].history.series[METRIC].clean.values[::3]
    points = tuple(Point(3.0 * at, float(value)) for at, value in enumerate(values))
    sparse = Group("c", (Run("c", History("c", "csv", {METRIC: Series(METRIC, points)}), {}, None),), {})
    found = parted(one, sparse)
    assert (found.n_points, found.last_common, found.step) == (30, 87.0, None)
