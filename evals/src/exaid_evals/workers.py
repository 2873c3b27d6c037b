"""Work spread over processes. What comes out does not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from exaid_evals.errors import ExaidError

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_PER_WORKER = 4
"""Starting a worker costs about as much as a few cases; with fewer items than this for each it does not pay."""


def spread(
    build: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    *,
    jobs: int,
    here: Callable[[Item], Result] | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in the order of the items.

    Args:
        build: makes the function that does the work; called once in each process, so it and what it holds must
            survive pickling (a `functools.partial` of a class does).
        items: what to work on.
        jobs: processes at most.
        here: the function for work in this process, where the caller has one already.

    Raises:
        ExaidError: a worker died. Whatever the function raises comes out as it is.
    """
    jobs = min(jobs, len(items) // _ITEMS_PER_WORKER)
    if jobs <= 1:
        work = here or build()
        yield from ((item, work(item)) for item in items)
        return
    # A spawned worker starts from nothing, so no thread or lock of this process is carried along half-way.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(build,)) as pool:
        try:
            yield from zip(items, pool.map(_run, items), strict=True)
        except BrokenProcessPool:
            raise ExaidError(
                "a worker process died", remedy="it may have run out of memory: go on with fewer --jobs"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_work: Callable[[Any], Any] | None = None


def _start(build: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    # A Ctrl-C reaches the whole process group; the parent answers it, and workers finish their item in silence.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work = build()


def _run(item: Any) -> Any:
    if _work is None:
        raise RuntimeError("the pool's initializer did not run")
    return _work(item)
