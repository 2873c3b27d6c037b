"""Work spread over processes."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from functools import partial

import pytest

from exaid_evals.errors import DataError, ExaidError
from exaid_evals.workers import spread, spread_threads, without_cycle_search

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


@pytest.mark.parametrize("jobs", [1, 3, 50])
def test_threads_do_every_item_once(jobs: int) -> None:
    """Whatever the number of threads, each item comes back once with its result."""
    found = dict(spread_threads(lambda item: item * 3, ITEMS, jobs=jobs, stop=lambda: None))
    assert found == {item: item * 3 for item in ITEMS}


def test_so_many_threads_work_at_the_same_time() -> None:
    """Work that waits for two others to have begun ends only if three are under way at once."""
    barrier = threading.Barrier(3)
    found = list(spread_threads(lambda _: barrier.wait(10), ITEMS[:6], jobs=3, stop=lambda: None))
    assert len(found) == 6


def test_whoever_wants_no_more_stops_what_is_under_way() -> None:
    """An error in the caller tells the work to stop, waits for it, and begins nothing new."""
    stopped = threading.Event()
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item:
            stopped.wait(10)
        return item

    results = spread_threads(work, ITEMS, jobs=2, stop=stopped.set)
    assert next(results) == (0, 0)
    results.close()
    assert stopped.is_set()
    assert set(begun) <= {0, 1, 2}


def test_an_error_in_a_thread_comes_out_as_it_is() -> None:
    """What the work raises reaches the caller."""
    with pytest.raises(DataError, match="item 5: bad item"):
        list(spread_threads(Failing(die=False), ITEMS, jobs=2, stop=lambda: None))


class _OddError(Exception):
    """An error that cannot be built again from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Odd:
    """Raises it."""

    def __call__(self, item: int) -> int:
        """Fail."""
        raise _OddError(item, item)


def test_an_error_that_cannot_travel_is_told_in_words() -> None:
    """What no other process could build again arrives as its text, and does not hang the pool."""
    with pytest.raises(RuntimeError, match=r"_OddError: \d and \d"):
        list(spread(Odd, ITEMS, jobs=2))


@pytest.mark.parametrize("was_on", [True, False])
def test_cycles_are_looked_for_again_as_before(was_on: bool) -> None:
    """Whether the search was on or off before the block, it is off within and as before after it, errors included."""
    now = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with contextlib.suppress(ZeroDivisionError), without_cycle_search():
            within = gc.isenabled()
            _ = 1 / 0
        assert (within, gc.isenabled()) == (False, was_on)
    finally:
        (gc.enable if now else gc.disable)()
