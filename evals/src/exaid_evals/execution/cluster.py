"""An executor of a Dask cluster: the same results in the same order, wherever they are worked out.

What is sent to workers is pickled, as Dask does it: a cluster is trusted as this machine is.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import platform
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals.config.plugins import requirements
from exaid_evals.errors import ConfigError, ExaidError, MissingDependencyError
from exaid_evals.execution.local import Item, Result
from exaid_evals.execution.questions import Answer, Answering, Ask, Asker

if TYPE_CHECKING:
    from distributed import Client, Future

_AHEAD = 16
"""Items per worker that may be under way or done while the first of them is not."""

_CONNECT_S = 20

_FIRST_WORKER_S = 300
"""How long the first worker may take: a batch system's queue is in front of it."""


class WorkerDiffersError(ConfigError):
    """A worker's packages are not those of the command, or it has several threads."""


class DaskCluster:
    """An `Executor` whose workers are a Dask cluster's.

    An item whose worker dies is worked on once more by another. Workers may come and go meanwhile.

    Args:
        address: of a scheduler, or the file in which one writes it (`dask scheduler --scheduler-file`), which may
            appear later; None starts one here, with workers of its own, until the work is done.
        n_workers: of the cluster that is started here.

    Raises:
        MissingDependencyError: Dask is not installed.
    """

    def __init__(self, address: str | Path | None = None, *, n_workers: int = 1) -> None:
        try:
            import distributed  # noqa: F401 - half a second, and needed here alone
        except ImportError as error:
            raise MissingDependencyError(
                f"--cluster needs Dask ({error})", remedy="install it: `pip install 'exaid-evals[cluster]'`"
            ) from None
        self._address, self._n_workers = address, n_workers

    def map_ordered(
        self,
        build: Callable[[], Callable[[Item], Result]],
        items: Iterable[Item],
        *,
        here: Callable[[Item], Result] | None = None,
    ) -> Generator[tuple[Item, Result], None, None]:
        """Do as `Executor` says.

        Raises:
            WorkerDiffersError: a worker has other packages, or another version of this one, than this process; or
                several threads.
            ExaidError: there is no scheduler at the address, it went away, or workers died again and again.
        """
        yield from self._mapped(build, items, lambda _: nullcontext())

    def map_asking(
        self,
        build: Callable[[Ask], Callable[[Item], Result]],
        items: Iterable[Item],
        *,
        answer: Answer,
        stop: Callable[[], None],
    ) -> Generator[tuple[Item, Result], None, None]:
        """Do as `AskingExecutor` says.

        Raises:
            ExaidError: as for `map_ordered`.
        """
        command = uuid.uuid4().hex
        build_there = functools.partial(_asking, build, command)
        yield from self._mapped(build_there, items, lambda client: Answering(client, command, answer, stop))

    def _mapped(
        self,
        build: Callable[[], Callable[[Item], Result]],
        items: Iterable[Item],
        meanwhile: Callable[[Client], AbstractContextManager[object]],
    ) -> Generator[tuple[Item, Result], None, None]:
        waiting = iter(items)
        first = next(waiting, None)
        if first is None:  # a scheduler is needed for work alone
            return
        client = self._connect()
        if self._address is not None:
            _print(f"dashboard {client.dashboard_link}")
        done: Counter[str] = Counter()
        began = time.perf_counter()
        try:
            with meanwhile(client):
                yield from _ordered(client, build, chain((first,), waiting), done)
        finally:
            seconds = time.perf_counter() - began
            for worker, n in sorted(done.items()):
                _print(f"{worker}: {n} items, {n / seconds:.2f} a second")
            with _quiet():
                client.close()
                if client.cluster is not None:
                    client.cluster.close()

    def _connect(self) -> Client:
        from distributed import Client, LocalCluster

        if self._address is None:
            cluster = LocalCluster(
                n_workers=self._n_workers,
                threads_per_worker=1,
                dashboard_address=None,
                host="127.0.0.1",
                silence_logs=logging.CRITICAL,
            )
            return Client(cluster)
        place = "scheduler_file" if isinstance(self._address, Path) else "address"
        try:
            with _quiet():
                client = Client(**{place: str(self._address)}, timeout=_CONNECT_S)
        except (OSError, ValueError, TimeoutError) as error:
            raise ExaidError(
                f"no Dask scheduler answers ({type(error).__name__})",
                where=str(self._address),
                remedy="start one with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`",
            ) from None
        self._await_a_worker(client)
        return client

    def _await_a_worker(self, client: Client) -> None:
        scheduler = client.scheduler_info(n_workers=-1)
        if scheduler["workers"]:
            return
        _print(f"the scheduler has no workers yet; waiting up to {_FIRST_WORKER_S} s for the first")
        try:
            client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
        except TimeoutError:
            client.close()
            remedy = f"start some with `dask worker {scheduler['address']} --nthreads 1`"
            raise ExaidError("the scheduler has no workers", where=str(self._address), remedy=remedy) from None


def _asking(build: Callable[[Ask], Callable[[Item], Result]], command: str) -> Callable[[Item], Result]:
    asker = Asker(command)
    work = build(asker)

    def begun(item: Item) -> Result:
        asker.begin()
        return work(item)

    return begun


def _print(line: str) -> None:
    sys.stderr.write(f"cluster: {line}\n")


def _ordered(
    client: Client, build: Callable[[], Callable[[Item], Result]], items: Iterable[Item], n_done: Counter[str]
) -> Generator[tuple[Item, Result], None, None]:
    from concurrent.futures import CancelledError

    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import KilledWorker

    command, expected = uuid.uuid4().hex, environment()
    begun: deque[tuple[Item, Future[Any]]] = deque()
    waiting = iter(items)
    try:
        while True:
            ahead = _AHEAD * max(len(client.ncores()), 1)
            while len(begun) < ahead and (item := next(waiting, None)) is not None:
                begun.append((item, client.submit(_do, command, expected, build, item, pure=False)))
            if not begun:
                return
            done, future = begun.popleft()
            worker, result = future.result()
            n_done[worker] += 1
            yield done, result
    except KilledWorker:
        raise ExaidError(
            "workers died one after the other over one item",
            remedy="they may have run out of memory: give each more, or start fewer on a machine",
        ) from None
    except RuntimeError as error:
        if "deserialization" not in str(error):
            raise
        raise ExaidError(
            "the scheduler cannot read what it passes on to the workers: it has other packages than this command",
            remedy="install the same lock file where it runs, and start it again",
        ) from None
    except (CommClosedError, FutureCancelledError, CancelledError, asyncio.CancelledError, OSError) as error:
        raise ExaidError(
            f"the cluster's scheduler went away ({type(error).__name__})",
            remedy="start it again; the same command goes on from here",
        ) from None
    finally:
        with _quiet():
            client.cancel([future for _, future in begun], asynchronous=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own log lines off the terminal: what they mean for a user is an error of ours."""
    levels = {name: logging.getLogger(name).level for name in ("distributed", "distributed.client")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@functools.cache
def environment() -> Mapping[str, str]:
    """Return what a result may depend on beyond its inputs: Python, this package's source, its dependencies' versions.

    Two processes with equal environments work out the same bytes.
    """
    source = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        source.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "machine": platform.machine()}
    found["exaid-evals source"] = source.hexdigest()[:16]
    for name in [requirement.name for requirement, extra in requirements() if not extra]:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


_built: tuple[str, Callable[[Any], Any]] | None = None


def _do(
    command: str, expected: Mapping[str, str], build: Callable[[], Callable[[Any], Any]], item: Any
) -> tuple[str, Any]:
    """Return a worker's address and what it makes of an item; its function is built once for each command."""
    from distributed import get_worker

    global _built
    mine = environment()
    if mine != expected:
        _refuse(expected, mine)
    if get_worker().state.nthreads > 1:  # threads of one process would share what is built
        what = f"the worker {get_worker().address} has {get_worker().state.nthreads} threads, and must have one"
        raise WorkerDiffersError(what, where="--cluster", remedy="start it with `dask worker ADDRESS --nthreads 1`")
    if _built is None or _built[0] != command:
        _built = (command, build())
    return get_worker().address, _built[1](item)


def _refuse(expected: Mapping[str, str], mine: Mapping[str, str]) -> None:
    from distributed import get_worker

    names = [name for name in sorted({*expected, *mine}) if expected.get(name) != mine.get(name)]
    differing = ", ".join(f"{name} {mine.get(name, 'absent')}, not {expected.get(name, 'absent')}" for name in names)
    raise WorkerDiffersError(
        f"the worker {get_worker().address} has {differing}",
        where="--cluster",
        remedy="install the same lock file there, and start the worker again",
    )
