"""When an action counts as having made things worse: by more than the tolerance, and by more than the noise."""

from __future__ import annotations

import math

import pytest

from exaid_evals.monitor.recovery.strategies import ActionOutcome

NOISY = (0.0, 2.0, 4.0)
"""Median 2, median distance from it 2, so that twice the noise is 2 · 1.4826 · 2 = 5.93."""


def worse(before: tuple[float, ...], after: tuple[float, ...], tolerance: float) -> bool:
    """Judge an action by the values before and after it; larger is worse."""
    trial = ActionOutcome(0, 1.0, "rollback", None, before, None)
    trial.after.extend(after)
    return trial.worse(tolerance)


@pytest.mark.parametrize(("after", "expected"), [(7.93, False), (7.94, True)])
def test_what_noise_explains_is_no_harm(after: float, expected: bool) -> None:
    """With values that scatter by σ the median must rise by more than 2 σ."""
    assert worse(NOISY, (after,), tolerance=0.0) is expected


def test_two_values_say_nothing_of_noise() -> None:
    """Of two values the distance from their median is half their distance, whatever the noise; three have one."""
    assert worse((0.0, 4.0), (2.1,), tolerance=0.0)
    assert not worse(NOISY, (2.1,), tolerance=0.0)


@pytest.mark.parametrize(("after", "expected"), [(11.0, False), (11.01, True), (10.5, False), (9.0, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_tolerance_is_a_share_of_the_level_and_itself_allowed(after: float, expected: bool, sign: int) -> None:
    """10 % of a level of 10 are 1, of -10 too: to rise by exactly that is not worse yet."""
    assert worse((10.0 * sign,), (10.0 * sign + after - 10.0,), tolerance=0.1) is expected


def test_noise_and_tolerance_do_not_add_up() -> None:
    """The larger of both is the limit: a rise by 8 for a tolerance of four times 2, though noise explains 5.93."""
    assert not worse(NOISY, (9.9,), tolerance=4.0)
    assert worse(NOISY, (10.1,), tolerance=4.0)


def test_medians_are_compared_and_nan_is_worst() -> None:
    """One outlier is not a harm; as many as make the median are."""
    assert not worse((1.0,), (1.0, 50.0, 1.0), tolerance=0.1)
    assert worse((1.0,), (1.0, 50.0, 50.0), tolerance=0.1)
    assert worse((1.0,), (math.inf, math.inf, 1.0), tolerance=0.1)


@pytest.mark.parametrize("before", [(), (math.inf,), (math.nan,), (1.0, math.inf, math.inf)])
def test_without_a_level_before_nothing_is_worse(before: tuple[float, ...]) -> None:
    """What came after nothing, or after values that were not numbers, cannot have harmed."""
    assert not worse(before, (1e9,), tolerance=0.0)


def test_without_values_after_nothing_is_worse() -> None:
    """An action whose effect is not known yet has harmed nothing."""
    assert not worse((1.0, 2.0, 3.0), (), tolerance=0.0)
