"""Executors of this machine: processes for work that computes, threads for work that waits."""

from __future__ import annotations

import contextlib
import copy
import gc
import multiprocessing
import os
import signal
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from exaid_evals.errors import ExaidError
from exaid_evals.execution import SEARCH_FOR_CYCLES
from exaid_evals.execution.questions import Answer, Ask

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Does work on many items, somewhere."""

    def map_ordered(
        self,
        build: Callable[[], Callable[[Item], Result]],
        items: Iterable[Item],
        *,
        here: Callable[[Item], Result] | None = None,
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield each item with its result, in the order of the items.

        Args:
            build: makes the function that does the work; called once in each process, so it and what it holds must
                survive pickling (a `functools.partial` of a class does).
            items: what to work on.
            here: the function for work in this process, where the caller has one already.

        Raises:
            ExaidError: a worker died. Whatever the function raises comes out as it is. The results before it have
                been yielded, and nothing runs on when the caller closes the generator.
        """
        ...


@runtime_checkable
class AskingExecutor(Protocol):
    """Does work that needs answers which this process alone can give."""

    def map_asking(
        self,
        build: Callable[[Ask], Callable[[Item], Result]],
        items: Iterable[Item],
        *,
        answer: Answer,
        stop: Callable[[], None],
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield each item with its result, in the order of the items.

        Args:
            build: makes the function that does the work, given what asks this process; as in `Executor.map_ordered`.
            items: what to work on.
            answer: answers questions here, from several threads at once.
            stop: has answers that are under way end early. Called at the end, by an interruption or otherwise; what is
                under way is then waited for, since it has been paid for.

        Raises:
            ExaidError: as `Executor.map_ordered`. Whatever `answer` raises comes out as it is.
        """
        ...


_ITEMS_PER_WORKER = 4
"""Starting a worker costs about as much as a few cases; with fewer items than this for each it does not pay."""

_AHEAD = 16
"""Items per worker that may be under way or done while the first of them is not."""


@dataclass(frozen=True, slots=True)
class Processes:
    """An `Executor` of processes on this machine; of one alone, or for few items, of this process.

    Attributes:
        jobs: processes at most.
    """

    jobs: int

    def map_ordered(
        self,
        build: Callable[[], Callable[[Item], Result]],
        items: Iterable[Item],
        *,
        here: Callable[[Item], Result] | None = None,
    ) -> Generator[tuple[Item, Result], None, None]:
        """Do as `Executor` says."""
        # Items that come one by one are looked at ahead only as far as to see that workers pay.
        items = iter(items)
        first = list(islice(items, self.jobs * _ITEMS_PER_WORKER)) if self.jobs > 1 else []
        jobs, items = len(first) // _ITEMS_PER_WORKER, chain(first, items)
        if jobs <= 1:
            work = here or build()
            yield from ((item, _undisturbed(work, item)) for item in items)
            return
        context = multiprocessing.get_context("fork" if _may_fork() else "spawn")
        # Only this process holds the writing end: workers see it close when this process wants no more, or dies.
        alive, lifeline = context.Pipe(duplex=False)
        resource_tracker.ensure_running()  # later, it would let interruptions through
        inherited = lifeline if context.get_start_method() == "fork" else None
        pool = ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(build, alive, inherited))
        begun: deque[tuple[Item, Future[Result]]] = deque()
        with contextlib.closing(alive), contextlib.closing(lifeline):
            try:
                for item in items:
                    with _interruptions_put_off():
                        begun.append((item, pool.submit(_do, item)))
                    if len(begun) >= _AHEAD * jobs:
                        done, future = begun.popleft()
                        yield done, future.result()
                while begun:
                    done, future = begun.popleft()
                    yield done, future.result()
            except BrokenProcessPool:
                lifeline.close()
                raise ExaidError(
                    "a worker process died", remedy="it may have run out of memory: go on with fewer --jobs"
                ) from None
            except BaseException:
                lifeline.close()
                raise
            finally:
                pool.shutdown(cancel_futures=True)


def _may_fork() -> bool:
    """Whether a worker may begin as a copy of this process, with all modules and vocabularies that it has loaded.

    A copy of a process that has threads, those of libraries included, may wait for ever for a lock that one of them
    held, or for the threads themselves; Python warns of it from 3.12 on.
    """
    if sys.platform != "linux":
        return False
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:  # who cannot count them has to expect some
        return False


_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def _interruptions_put_off() -> Iterator[None]:
    """Let an interruption wait for the end of the block, so that no process is started by half.

    Processes that the block starts have both signals blocked from their first instruction: Ctrl-C and `timeout` reach
    the whole process group, and this process alone answers them.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread is interrupted
        yield
        return
    arrived: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: arrived.append(number)) for number in _INTERRUPTIONS}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if arrived:
            signal.raise_signal(arrived[0])


_build: Callable[[], Callable[[Any], Any]]
_work: Callable[[Any], Any] | None = None


def _start_worker(build: Callable[[], Callable[[Any], Any]], alive: Connection, inherited: Connection | None) -> None:
    """Prepare this process, a worker, that ends when the other end of the pipe closes, whatever it then does."""
    global _build, _work
    _build, _work = build, None
    if inherited is not None:
        inherited.close()
        _let_go_of_files()
        gc.freeze()
    gc.set_threshold(*SEARCH_FOR_CYCLES)
    for number in _INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=lambda: (alive.poll(None), os._exit(1)), daemon=True).start()


def _let_go_of_files() -> None:
    """Hold no file, and no lock on one, that is open in the process of which this one is a copy."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):  # the list itself is closed by now
            if number > 2 and stat.S_ISREG(os.fstat(number).st_mode):
                os.dup2(nothing, number)


def _undisturbed(work: Callable[[Item], Result], item: Item) -> Result:
    """Do work on an item, and look for cycles after it: while it is done, many objects are still in use."""
    with without_cycle_search():
        return work(item)


def _do(item: Any) -> Any:
    global _work
    try:
        _work = _work or _build()
        return _undisturbed(_work, item)
    except Exception as error:
        try:
            copy.copy(error)
        except Exception:
            # It cannot be built again from what it carries, which would break the pool that receives it.
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        raise


def map_threads(
    work: Callable[[Item], Result], items: Sequence[Item], *, jobs: int, stop: Callable[[], None]
) -> Generator[tuple[Item, Result], None, None]:
    """Yield each item with its result, as they are finished: for work that waits for a network.

    Args:
        work: does the work; called from several threads at once.
        items: what to work on; they are begun in this order.
        jobs: threads at most.
        stop: tells work that is under way to end early. Called when the caller wants no more, by an interruption
            or otherwise; what is under way is then waited for, since its result has been paid for.

    Raises:
        BaseException: whatever the function raises comes out as it is.
    """
    pool = ThreadPoolExecutor(max(min(jobs, len(items)), 1), thread_name_prefix="case")
    begun = {pool.submit(work, item): item for item in items}
    try:
        for done in as_completed(begun):
            yield begun[done], done.result()
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def without_cycle_search() -> Iterator[None]:
    """Let objects that refer to each other lie until the end of the block.

    For work that makes many small objects and no cycles: looking for these would take a fifth of its time, and more
    the more objects there are.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
