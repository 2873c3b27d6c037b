"""Work spread over processes. What comes out does not depend on how many there are.

A pool of our own, for the standard one prints tracebacks where it is interrupted, and its workers outlive a parent
that is killed.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from exaid_evals.errors import ExaidError

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_PER_WORKER = 4
"""Starting a worker costs about as much as a few cases; with fewer items than this for each it does not pay."""


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


def spread(
    build: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    *,
    jobs: int,
    here: Callable[[Item], Result] | None = None,
) -> Generator[tuple[Item, Result], None, None]:
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
    # Only this process holds the writing end: workers see it close when this process dies, in whatever way.
    alive, lifeline = _SPAWN.Pipe(duplex=False)
    with contextlib.ExitStack() as stack:
        stack.enter_context(lifeline)
        with alive, _interruptions_put_off():
            workers = []
            for _ in range(jobs):
                workers.append(_Worker(build, alive))
                stack.push(workers[-1].leave)
        yield from zip(items, _in_order(_results(workers, items)), strict=True)


# A spawned worker starts from nothing, so no thread or lock of this process is carried along half-way.
_SPAWN = multiprocessing.get_context("spawn")


class _Worker:
    """A process, and the connection by which it is sent items and answers."""

    def __init__(self, build: Callable[[], Callable[[Any], Any]], alive: Connection) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        self._process: SpawnProcess = _SPAWN.Process(target=_serve, args=(build, theirs, alive), daemon=True)
        self._process.start()
        theirs.close()

    def leave(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: object) -> None:
        """End the process: after an error in the middle of what it does, else by sending it nothing more."""
        self.connection.close()
        if kind is not None:
            self._process.kill()
        self._process.join()


def _results(workers: Sequence[_Worker], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the number of each item with its result, in the order in which they are done."""
    waiting = iter(enumerate(items))
    doing: dict[Any, int] = {}

    def send_next(connection: Connection) -> None:
        number, item = next(waiting, (None, None))
        if number is not None:
            doing[connection] = number
            connection.send(item)

    try:
        for worker in workers:
            send_next(worker.connection)
        while doing:
            for connection in wait(list(doing)):
                assert isinstance(connection, Connection)  # noqa: S101 - for the type checker
                done, result = connection.recv()
                if not done:
                    raise result
                number = doing.pop(connection)
                send_next(connection)  # before the caller works on the result: the worker must not wait for that
                yield number, result
    except (EOFError, ConnectionError):
        # What ends a whole process group may reach the workers first: then ours is about to arrive, and is raised.
        time.sleep(_SIGNALS_ARRIVE_WITHIN_S)
        raise ExaidError(
            "a worker process died", remedy="it may have run out of memory: go on with fewer --jobs"
        ) from None


def _in_order(numbered: Iterator[tuple[int, Any]]) -> Iterator[Any]:
    early: dict[int, Any] = {}
    due = 0
    for number, result in numbered:
        early[number] = result
        while due in early:
            yield early.pop(due)
            due += 1


_SIGNALS_ARRIVE_WITHIN_S = 0.2
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def _interruptions_put_off() -> Iterator[None]:
    """Let an interruption wait for the end of the block, so that no process is started by half.

    Processes that the block starts have SIGINT blocked from their first instruction: a Ctrl-C reaches the whole
    process group, and this process alone answers it.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread is interrupted
        yield
        return
    # Starting this helper process later would let interruptions through again.
    resource_tracker.ensure_running()
    arrived: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: arrived.append(number)) for number in _INTERRUPTIONS}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if arrived:
            signal.raise_signal(arrived[0])


def _serve(build: Callable[[], Callable[[Any], Any]], connection: Connection, alive: Connection) -> None:
    """Be a worker: do what is sent, until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(alive,), daemon=True).start()
    work: Callable[[Any], Any] | None = None
    with contextlib.suppress(ConnectionError):  # the parent has gone
        for item in _received(connection):
            try:
                work = work or build()
                answer = ForkingPickler.dumps((True, work(item)))
            except Exception as error:
                answer = ForkingPickler.dumps((False, _sendable(error)))
            connection.send_bytes(answer)


def _received(connection: Connection) -> Iterator[Any]:
    while True:
        try:
            yield connection.recv()
        except EOFError:
            return


def _sendable(error: Exception) -> Exception:
    where = f"in a worker process:\n{traceback.format_exc()}"
    try:
        # Some errors cannot be built again from what they carry: that must show here and not where it is received.
        again = copy.copy(error)
        again.add_note(where)
        ForkingPickler.dumps(again)
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}; {where}")
    return again


def _die_with(alive: Connection) -> None:
    """Wait for the other end to close, and end this process in the middle of whatever it does."""
    alive.poll(None)
    os._exit(1)


def spread_threads(
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
