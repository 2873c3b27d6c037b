"""Work spread over processes."""

from __future__ import annotations

import os
from functools import partial

import pytest

from exaid_evals.errors import DataError, ExaidError
from exaid_evals.workers import spread

ITEMS = list(range(12))


class Multiplier:
    """Multiplies, and says in which process."""

    def __init__(self, factor: int) -> None:
        self._factor = factor

    def __call__(self, item: int) -> tuple[int, int]:
        """Return the product and the process."""
        return item * self._factor, os.getpid()


class Failing:
    """Fails on one item, in one of two ways."""

    def __init__(self, *, die: bool) -> None:
        self._die = die

    def __call__(self, item: int) -> int:
        """Fail on 5."""
        if item == 5 and self._die:
            os._exit(1)
        if item == 5:
            raise DataError("bad item", where="item 5")
        return item


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_whatever_the_number_of_jobs(jobs: int) -> None:
    """One process or two: the same items with the same results in the same order, in as many processes as asked."""
    found = list(spread(partial(Multiplier, 3), ITEMS, jobs=jobs))
    assert [(item, product) for item, (product, _) in found] == [(item, item * 3) for item in ITEMS]
    here = {os.getpid()}
    assert ({process for _, (_, process) in found} == here) == (jobs == 1)


def test_few_items_are_done_here() -> None:
    """Starting processes for a handful of items would cost more than it saves."""
    found = list(spread(partial(Multiplier, 3), ITEMS[:3], jobs=8))
    assert {process for _, (_, process) in found} == {os.getpid()}


def test_the_callers_own_worker_is_used_here() -> None:
    """A worker that the caller has already is not built again."""

    def never() -> Multiplier:
        raise AssertionError("built")

    assert [item for item, _ in spread(never, ITEMS[:2], jobs=1, here=Multiplier(2))] == ITEMS[:2]


def test_an_error_comes_out_as_it_is() -> None:
    """What a worker raises reaches the caller with its message."""
    with pytest.raises(DataError, match="item 5: bad item"):
        list(spread(partial(Failing, die=False), ITEMS, jobs=2))


def test_a_dead_worker_is_an_error_with_a_remedy() -> None:
    """A worker that the system kills ends the work with a message, not with a hang."""
    with pytest.raises(ExaidError, match="fewer --jobs"):
        list(spread(partial(Failing, die=True), ITEMS, jobs=2))
