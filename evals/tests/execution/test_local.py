"""Work on many items, in processes or threads of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from exaid_evals.errors import DataError, ExaidError
from exaid_evals.execution.local import Processes, map_threads, without_cycle_search

ITEMS = list(range(12))


class Multiplier:
    """Multiplies, and says in which process."""

    def __init__(self, factor: int) -> None:
        self._factor = factor

    def __call__(self, item: int) -> tuple[int, int]:
        """Return the product and the process."""
        return item * self._factor, os.getpid()


def is_searching(_: int) -> bool:
    """Return whether cycles are looked for at this moment."""
    return gc.isenabled()


@pytest.mark.parametrize("jobs", [1, 2])
def test_cycles_are_looked_for_between_items(jobs: int) -> None:
    """Not while one is worked on, when most objects are still in use; and again behind it."""
    assert gc.isenabled()
    for _, searching in Processes(jobs).map_ordered(searching_work, ITEMS):
        assert (searching, gc.isenabled()) == (False, True)


def searching_work() -> Callable[[int], bool]:
    """Build the work, as a worker asks."""
    return is_searching


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
    found = list(Processes(jobs).map_ordered(partial(Multiplier, 3), ITEMS))
    assert [(item, product) for item, (product, _) in found] == [(item, item * 3) for item in ITEMS]
    here = {os.getpid()}
    assert ({process for _, (_, process) in found} == here) == (jobs == 1)


WHERE_WORKERS_COME_FROM = """
import ctypes, sys, threading
from exaid_evals.execution.local import Processes

class Copied:
    known_here = False
    def __call__(self, item):
        return Copied.known_here

if __name__ == "__main__":
    Copied.known_here = True
    if sys.argv[1] == "thread":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    if sys.argv[1] == "library":
        c = ctypes.CDLL(None)
        c.pthread_create(ctypes.byref(ctypes.c_ulong()), None, ctypes.cast(c.pause, ctypes.c_void_p), None)
    print({copied for _, copied in Processes(2).map_ordered(Copied, range(8))})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no worker is a copy")
@pytest.mark.parametrize(("beside", "copied"), [("nothing", True), ("thread", False), ("library", False)])
def test_workers_are_copies_only_of_a_process_without_threads(tmp_path: Path, beside: str, copied: bool) -> None:
    """A copy might wait for ever for a thread, a library's own included; Python's warning of it would be an error."""
    script = tmp_path / "command.py"
    script.write_text(WHERE_WORKERS_COME_FROM)
    command = [sys.executable, "-W", "error", str(script), beside]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (f"{{{copied}}}\n", "")


def test_a_worker_holds_no_lock_of_the_process_that_it_is_a_copy_of(tmp_path: Path) -> None:
    """Whoever closes its locked file, or dies, leaves it to the next one at once, also while its workers live."""
    with contextlib.closing(Processes(2).map_ordered(partial(Multiplier, 3), ITEMS)) as results:
        with (tmp_path / "lock").open("w") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)
            next(results)
        with (tmp_path / "lock").open("w") as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_few_items_are_done_here() -> None:
    """Starting processes for a handful of items would cost more than it saves."""
    found = list(Processes(8).map_ordered(partial(Multiplier, 3), ITEMS[:3]))
    assert {process for _, (_, process) in found} == {os.getpid()}


def test_the_callers_own_worker_is_used_here() -> None:
    """A worker that the caller has already is not built again."""

    def never() -> Multiplier:
        raise AssertionError("built")

    assert [item for item, _ in Processes(1).map_ordered(never, ITEMS[:2], here=Multiplier(2))] == ITEMS[:2]


def test_an_error_comes_out_as_it_is() -> None:
    """What a worker raises reaches the caller with its message."""
    with pytest.raises(DataError, match="item 5: bad item"):
        list(Processes(2).map_ordered(partial(Failing, die=False), ITEMS))


def test_a_dead_worker_is_an_error_with_a_remedy() -> None:
    """A worker that the system kills ends the work with a message, not with a hang."""
    with pytest.raises(ExaidError, match="fewer --jobs"):
        list(Processes(2).map_ordered(partial(Failing, die=True), ITEMS))


def _die_on_the_last(folder: Path, item: int) -> int:
    if item == ITEMS[-1]:
        while len(list(folder.iterdir())) < len(ITEMS) - 1:
            time.sleep(0.02)
        time.sleep(0.5)  # the other worker is done, and hands over what it had
        os._exit(1)
    (folder / str(item)).touch()
    return item


def test_what_was_done_before_a_worker_died_is_kept(tmp_path: Path) -> None:
    """Results that were there before the death reach the caller before the error does."""
    results = Processes(2).map_ordered(partial(partial, _die_on_the_last, tmp_path), ITEMS)
    assert [item for item, _ in itertools.islice(results, len(ITEMS) - 1)] == ITEMS[:-1]
    with pytest.raises(ExaidError, match="a worker process died"):
        next(results)


COMMAND = """
import os, sys, time
from exaid_evals.cli.main import _terminable
from exaid_evals.execution.local import Processes

def build():
    os.write(1, b"%d\\n" % os.getpid())  # at once: two workers write here
    return time.sleep

if __name__ == "__main__":
    try:
        with _terminable():
            list(Processes(2).map_ordered(build, [60] * 8))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize(
    ("number", "everyone", "status"),
    [
        (signal.SIGKILL, False, -signal.SIGKILL),
        (signal.SIGTERM, False, 130),
        (signal.SIGINT, True, 130),
        (signal.SIGTERM, True, 130),
    ],
)
def test_no_worker_outlives_the_command(tmp_path: Path, number: signal.Signals, everyone: bool, status: int) -> None:
    """In the middle of long work, killed alone or with its group, a command's workers end with it, silently."""
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    command = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert command.stdout is not None
    workers = [int(command.stdout.readline()) for _ in range(2)]
    (os.killpg if everyone else os.kill)(command.pid, number)
    assert command.wait(60) == status
    end = time.monotonic() + 60
    while any(_runs(pid) for pid in workers) and time.monotonic() < end:
        time.sleep(0.02)
    assert [pid for pid in workers if _runs(pid)] == []
    assert "Traceback" not in command.communicate()[1]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # One that has ended waits as a zombie until whoever adopted it asks how.
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize("jobs", [1, 3, 50])
def test_threads_do_every_item_once(jobs: int) -> None:
    """Whatever the number of threads, each item comes back once with its result."""
    found = dict(map_threads(lambda item: item * 3, ITEMS, jobs=jobs, stop=lambda: None))
    assert found == {item: item * 3 for item in ITEMS}


def test_so_many_threads_work_at_the_same_time() -> None:
    """Work that waits for two others to have begun ends only if three are under way at once."""
    barrier = threading.Barrier(3)
    found = list(map_threads(lambda _: barrier.wait(60), ITEMS[:6], jobs=3, stop=lambda: None))
    assert len(found) == 6


def test_whoever_wants_no_more_stops_what_is_under_way() -> None:
    """An error in the caller tells the work to stop, waits for it, and begins nothing new."""
    stopped = threading.Event()
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item:
            stopped.wait(60)
        return item

    results = map_threads(work, ITEMS, jobs=2, stop=stopped.set)
    assert next(results) == (0, 0)
    results.close()
    assert stopped.is_set()
    assert set(begun) <= {0, 1, 2}


def test_an_error_in_a_thread_comes_out_as_it_is() -> None:
    """What the work raises reaches the caller."""
    with pytest.raises(DataError, match="item 5: bad item"):
        list(map_threads(Failing(die=False), ITEMS, jobs=2, stop=lambda: None))


class _OddError(Exception):
    """An error that cannot be built again from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Odd:
    """Raises it."""

    def __call__(self, item: int) -> int:
        """Fail."""
        raise _OddError(item, item)


def test_an_error_that_cannot_travel_is_reported_in_words() -> None:
    """What no other process could build again arrives as its text, and does not hang the pool.

    A library that Dask loads teaches its own process, and copies of it, to build any error again: it comes as it is.
    """
    with pytest.raises((RuntimeError, _OddError), match=r"\d and \d"):
        list(Processes(2).map_ordered(Odd, ITEMS))


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
