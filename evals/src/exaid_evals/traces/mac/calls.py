"""The calls of one case: answered from the recording where they are there, else forwarded and recorded."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import Budget, StoppedError
from exaid_evals.traces.mac.recording import Answer, Call, Deltas, Recording


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a call was not answered.

    Attributes:
        what: for a failure reason.
        passing: whether another try may be answered.
        fatal: whether every other case would meet the same (the key is refused, the quota used up).
        wait_s: how long the provider asks to wait.
        stopped: whether it was not sent, since no more calls may be made.
    """

    what: str
    passing: bool
    fatal: bool = False
    wait_s: float | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered, or why it did not.

    Attributes:
        status: of HTTP.
        body: without secrets, canonical where it is JSON, so that it is the same bytes now and in a replay.
        headers: what MAC's client looks at before it asks again.
        trouble: None where the call was answered.
        deltas: when which part of a streamed answer's text came; empty where that is not known.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None
    deltas: Deltas = ()


Forward = Callable[[bytes], Reply]
"""Sends a request's body to the service; raises nothing."""
Answered = tuple[Reply, str, Answer | None]
"""The reply, the request's hash, and the answer, recorded before or now; None where there is none."""


class Answers(Protocol):
    """Answers the calls of one case."""

    def answer(self, body: bytes, repeats: Mapping[str, int]) -> Answered:
        """Answer a request.

        Args:
            body: the request's.
            repeats: hash of a request → how often it has been answered in this try.
        """


class CaseCalls:
    """The calls of one case, whatever number of tries it takes.

    One call at a time: MAC asks one question after the other, and when its client loses patience and asks again, or
    the whole case is tried again, the answer that is still under way is waited for instead of paid for twice.
    """

    def __init__(
        self, case_id: str, recording: Recording, forward: Forward | None, budget: Budget | None = None
    ) -> None:
        self.case_id = case_id
        self._recording = recording
        self._forward = forward
        self._budget = budget or Budget()
        self._lock = threading.Lock()

    def answer(self, body: bytes, repeats: Mapping[str, int]) -> Answered:
        """Do as `Answers` says."""
        try:
            request = json.loads(body)
            request_sha256 = sha256_structure(request)
        except (ValueError, RecursionError):
            return refusal("MAC's request is not JSON"), "", None
        if not isinstance(request, dict):
            return refusal("MAC's request is not a JSON object"), "", None
        with self._lock:
            number = repeats.get(request_sha256, 0)
            recorded = self._recording.find(self.case_id, request_sha256, number)
            if recorded is not None:
                reply = Reply(200, canonical_bytes(recorded.response), deltas=recorded.deltas)
                return reply, request_sha256, recorded
            if self._forward is None:
                difference = self._recording.nearest_difference(self.case_id, request)
                return refusal(f"a request that was not recorded: {difference}"), request_sha256, None
            try:
                self._recording.prepare()
                self._budget.charge(prompt_ctu(request))
            except StoppedError as error:
                return refusal(error.what, stopped=True), request_sha256, None
            except OSError as error:
                what = f"the answer could not be recorded ({error.strerror})"
                return refusal(what, stopped=True), request_sha256, None
            started = time.monotonic()
            reply = self._forward(body)
            latency_ms = round((time.monotonic() - started) * 1000)
            if reply.trouble is None:
                response = json.loads(reply.body)
                self._budget.settle(completion_ctu(response))
                self._recording.add_call(
                    Call(
                        self.case_id,
                        request_sha256,
                        number,
                        request,
                        response,
                        latency_ms=latency_ms,
                        deltas=reply.deltas,
                    )
                )
                return reply, request_sha256, Answer(response, latency_ms, reply.deltas, new=True)
            return reply, request_sha256, None


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer of a try: its text, when it was complete, and when which part of it came."""

    text: str
    end_ms: int
    stream: Deltas


class Session:
    """The calls of one try at a case.

    Attributes:
        trouble: why the last call was not answered; None where it was.
        stopped: whether a call was not sent, since no more may be made.
    """

    def __init__(self, calls: Answers) -> None:
        self.trouble: Trouble | None = None
        self.stopped = False
        self._calls = calls
        self._answered: Counter[str] = Counter()
        self._credits: list[tuple[int, int]] = []
        self._spoken: list[Spoken] = []

    def answer(self, body: bytes) -> tuple[Reply, str]:
        """Answer a request, and return the hash under which it counts once it is delivered."""
        reply, request_sha256, recorded = self._calls.answer(body, self._answered)
        self.trouble = reply.trouble
        self.stopped = self.stopped or (reply.trouble is not None and reply.trouble.stopped)
        if recorded is not None:
            now_ns = time.monotonic_ns()
            if not recorded.new:
                self._credits.append((now_ns, recorded.latency_ms))
            end_ms = self.moment_ms(now_ns)
            started_ms = end_ms - recorded.latency_ms
            stream = tuple((started_ms + t_ms, n_chars) for t_ms, n_chars in recorded.deltas)
            self._spoken.append(Spoken(_text_of(recorded.response), end_ms, stream))
        return reply, request_sha256

    def delivered(self, request_sha256: str) -> None:
        """Count an answer, so that the same request after it is asked for another one."""
        self._answered[request_sha256] += 1

    def undelivered(self, request_sha256: str) -> None:
        """Take an answer back that could not be delivered after all: it is there for whoever asks again."""
        self._answered[request_sha256] -= 1

    def moment_ms(self, t_ns: int) -> int:
        """Return a moment of the machine's clock on that of the conversation, in ms since some beginning."""
        return t_ns // 1_000_000 + self.saved_ms(t_ns)

    def streams(self, said: Sequence[tuple[str, int]]) -> list[Deltas]:
        """Return how each message streamed in, on the clock of `moment_ms`; empty for one that no call gave.

        Args:
            said: text and moment of completion of each message, in order.
        """
        found: list[Deltas] = []
        left = list(self._spoken)
        for text, end_ms in said:
            match = next((one for one in left if one.text == text and one.stream and one.stream[-1][0] <= end_ms), None)
            if match is not None:
                left.remove(match)
            found.append(match.stream if match is not None else ())
        return found

    def saved_ms(self, t_ns: int) -> int:
        """Return by how much answers from the recording have shortened the conversation until then.

        Added to the clock, it makes a conversation that was interrupted and gone on with last as long as one that was
        not.
        """
        return sum(latency_ms for served_ns, latency_ms in self._credits if served_ns <= t_ns)


def prompt_ctu(request: Mapping[str, Any]) -> int:
    """Return the CTU of all messages of a request."""
    messages = request.get("messages")
    return sum(_content_ctu(message) for message in messages) if isinstance(messages, list) else 0


def completion_ctu(response: Mapping[str, Any]) -> int:
    """Return the CTU of all that an answer says."""
    choices = response.get("choices")
    listed = choices if isinstance(choices, list) else []
    return sum(_content_ctu(choice.get("message")) for choice in listed if isinstance(choice, dict))


def _text_of(response: Mapping[str, Any]) -> str:
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _content_ctu(message: Any) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):  # a message in parts
        return sum(ctu(part.get("text")) for part in content if isinstance(part, dict))
    return ctu(content)


def refusal(what: str, *, stopped: bool = False) -> Reply:
    """Return a reply that answers nothing."""
    body = canonical_bytes({"error": {"message": what, "type": "exaid_evals", "code": None, "param": None}})
    # 400: MAC's client does not ask again.
    return Reply(400, body, trouble=Trouble(what, passing=False, stopped=stopped))
