"""Workers of a Dask cluster ask the command that gave them work for what it alone holds, such as a budget and a key.

Questions and answers are plain data (strings, numbers, lists, dictionaries) and go through queues of the scheduler, so
that workers need reach nothing else; an error that a user can act on crosses as what it is. A question that is not
answered soon is asked again under the same number, and answered once.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from exaid_evals.errors import ExaidError

if TYPE_CHECKING:
    from distributed import Client

Ask = Callable[[Mapping[str, Any]], Any]
"""A question in, the command's answer out."""
Answer = Callable[[str, Mapping[str, Any]], Any]
"""Who asks and the question in, the answer out; called from several threads at once."""

_LISTENING_S, _ASKING_S = 1.0, 5.0
_REACHING_S = 3.0
"""A scheduler that is gone is waited for so long; Dask itself would try for half a minute."""
_MOST_AT_ONCE = 256
_UNDER_WAY = ("executing", "long-running")
_WITHOUT = "do this case without --cluster"
_GONE = "the command does not answer any more"


class CommandGoneError(ExaidError):
    """Nobody answers any more: the command has ended, or wants no more of the work."""


class Asker:
    """Asks the command, on a worker that works for it on one item at a time; one question at a time.

    Args:
        command: its name.
    """

    def __init__(self, command: str) -> None:
        from distributed import get_client, get_worker

        client, self._worker = get_client(), get_worker()
        self._questions = _questions(client, command)
        self._replies = _replies(client, command, self._worker.address)
        self._task: Any = None
        self._lock = threading.Lock()

    def __call__(self, question: Mapping[str, Any]) -> Any:
        """Return the answer to a question.

        Raises:
            CommandGoneError: there is none to be had.
            ExaidError: what answering it has raised.
        """
        with self._lock:
            return self._answer(uuid.uuid4().hex, question)

    def _answer(self, number: str, question: Mapping[str, Any]) -> Any:
        while self._is_wanted():
            self._questions.put([number, self._worker.address, question])
            try:
                while (reply := self._replies.get(timeout=_ASKING_S))[0] != number:
                    pass  # an answer that was sent twice
            except TimeoutError:
                continue
            _, error, answer = reply
            if error is None:
                return answer
            kind, what, where, remedy = error
            raise _kinds().get(kind, ExaidError)(what, where=where, remedy=remedy)
        raise CommandGoneError(_GONE)

    def begin(self) -> None:
        """Take note of the item that this thread is about to work on; others may ask for it."""
        self._task = self._worker.get_current_task()

    def _is_wanted(self) -> bool:
        """Whether that item is still waited for."""
        task = self._worker.state.tasks.get(self._task)
        return task is not None and task.state in _UNDER_WAY


def _kinds() -> dict[str, type[ExaidError]]:
    """Every kind of error that a user can act on, by name."""
    kinds = [ExaidError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {kind.__name__: kind for kind in kinds}


class Answering:
    """Answers what workers ask, while the `with` block lasts.

    Args:
        client: of the cluster.
        command: name of this command.
        answer: gives the answers.
        stop: has answers under way end early; called when the block is left, and these are then waited for.
    """

    def __init__(self, client: Client, command: str, answer: Answer, stop: Callable[[], None]) -> None:
        self._client, self._command, self._answer, self._stop = client, command, answer, stop
        self._questions = _questions(client, command)
        self._replies: dict[str, Any] = {}
        self._last: dict[str, tuple[str, Future[list[Any]]]] = {}
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="answer")
        self._listener = threading.Thread(target=self._listen, name="questions", daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the answers under way.

        Raises:
            BaseException: what came up while answering, where nothing else did.
        """
        self._over.set()
        self._stop()
        self._pool.shutdown(wait=True)
        self._listener.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                number, asker, question = self._questions.get(timeout=_LISTENING_S, callback_timeout=_REACHING_S)
            except TimeoutError:
                continue
            except Exception:  # the scheduler is gone, which whoever waits for results reports
                return
            last = self._last.get(asker)
            if last is not None and last[0] == number:
                if last[1].done():
                    self._send(asker, last[1])
            else:
                try:
                    reply = self._pool.submit(self._reply, number, asker, question)
                except RuntimeError:  # the block has just been left
                    return
                self._last[asker] = (number, reply)
                reply.add_done_callback(lambda done, asker=asker: self._send(asker, done))  # type: ignore[misc]

    def _reply(self, number: str, asker: str, question: Mapping[str, Any]) -> list[Any]:
        """Return a reply: the question's number, the error or None, and the answer."""
        try:
            if self._failure is None:
                return [number, None, self._answer(asker, question)]
        except ExaidError as error:
            return [number, [type(error).__name__, error.what, error.where, error.remedy], None]
        except BaseException as error:
            self._failure = error
        return [number, [CommandGoneError.__name__, _GONE, None, None], None]

    def _send(self, asker: str, reply: Future[list[Any]]) -> None:
        if reply.cancelled():
            return
        try:
            if asker not in self._replies:
                self._replies[asker] = _replies(self._client, self._command, asker)
            number, *_ = found = reply.result()
            try:
                self._replies[asker].put(found, callback_timeout=_REACHING_S)
            except (OverflowError, UnicodeError) as error:  # integers beyond 64 bits, half a surrogate pair
                what = f"the answer cannot be sent to a worker ({error})"
                refused = [number, [ExaidError.__name__, what, None, _WITHOUT], None]
                self._replies[asker].put(refused, callback_timeout=_REACHING_S)
        except Exception:  # the scheduler is gone, as above
            self._over.set()


def _questions(client: Client, command: str) -> Any:
    return _queue(client, f"exaid-evals-{command}")


def _replies(client: Client, command: str, asker: str) -> Any:
    return _queue(client, f"exaid-evals-{command}-{asker}")


def _queue(client: Client, name: str) -> Any:
    import distributed

    queue: Any = distributed.Queue
    return queue(name, client=client)
