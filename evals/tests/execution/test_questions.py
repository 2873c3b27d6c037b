"""Questions of workers and their answers, without a cluster: queues that carry what Dask's can."""

from __future__ import annotations

import queue
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from exaid_evals.execution import questions
from exaid_evals.execution.questions import Answering

protocol = pytest.importorskip("distributed.protocol")


class Carried:
    """A queue of the scheduler's: what is put into it has been written and read."""

    def __init__(self) -> None:
        self._held: queue.Queue[Any] = queue.Queue()

    def put(self, value: Any, callback_timeout: float = 0) -> None:
        """Carry a value, however long that may take."""
        del callback_timeout
        self._held.put(protocol.loads(protocol.dumps(value)))

    def get(self, timeout: float, callback_timeout: float = 0) -> Any:
        """Return the next value, or raise TimeoutError."""
        del callback_timeout
        try:
            return self._held.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Carried]:
    """Return the queues by name, in place of the scheduler's."""
    found: defaultdict[str, Carried] = defaultdict(Carried)
    monkeypatch.setattr(questions, "_queue", lambda _client, name: found[name])
    monkeypatch.setattr(questions, "_LISTENING_S", 0.05)
    return found


@pytest.mark.parametrize("unsent", [10**30, "\ud800"])
def test_an_answer_that_cannot_be_sent_is_an_error_of_its_question_alone(
    queues: Mapping[str, Carried], unsent: object
) -> None:
    """The worker would else ask for ever, and nobody would answer the others."""
    answers = {"odd": {"created": unsent}, "plain": 7}
    with Answering(None, "me", lambda _, question: answers[question["what"]], lambda: None):  # type: ignore[arg-type]
        queues["exaid-evals-me"].put(["1", "worker", {"what": "odd"}])
        number, error, answer = queues["exaid-evals-me-worker"].get(timeout=5)
        assert (number, answer) == ("1", None)
        assert error[0] == "ExaidError"
        assert error[1].startswith("the answer cannot be sent to a worker (")
        queues["exaid-evals-me"].put(["2", "worker", {"what": "plain"}])
        assert list(queues["exaid-evals-me-worker"].get(timeout=5)) == ["2", None, 7]


def test_a_question_that_is_asked_again_is_answered_once(queues: Mapping[str, Carried]) -> None:
    """The answer may have been lost: it is sent again, and not made again."""
    asked: list[str] = []
    with Answering(None, "me", lambda who, _: asked.append(who), lambda: None):  # type: ignore[arg-type]
        for _ in range(3):
            queues["exaid-evals-me"].put(["1", "worker", {}])
            assert list(queues["exaid-evals-me-worker"].get(timeout=5)) == ["1", None, None]
    assert asked == ["worker"]
