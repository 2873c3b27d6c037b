"""Who keeps the recording of MAC's calls and makes new ones: this process, or the command that a worker works for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol, Self

from exaid_evals.clients.base import Budget, StoppedError
from exaid_evals.execution.questions import Ask, CommandGoneError
from exaid_evals.traces.mac.calls import Answered, Answers, CaseCalls, Reply, Trouble, refusal
from exaid_evals.traces.mac.proxy import Forwarder
from exaid_evals.traces.mac.recording import Answer, Outcome, RecordedRun, Recording, SaidAt
from exaid_evals.traces.mac.settings import MacSettings

OnNote = Callable[[str], None]


class CallService(Protocol):
    """Keeps what came of cases, and gives the answers to their calls.

    Attributes:
        replaying: whether nothing is there but the recording.
    """

    replaying: bool

    def note(self, what: str) -> None:
        """Show what a user may want to know meanwhile: tries that failed, reports that could not be read."""

    def stop_reason(self) -> str | None:
        """Return why no more calls are made; None while they are."""

    def outcome(self, case_id: str) -> Outcome | None:
        """Return what came of a case; None where it never came to an end."""

    def add_outcome(self, case_id: str, outcome: Outcome) -> None:
        """Record what came of a case."""

    def calls(self, case_id: str) -> Answers:
        """Return what answers the calls of a case."""


class RecordedCalls:
    """Keeps recording, budget and connection in this process, while the `with` block lasts.

    Args:
        settings: which model, and where the recording lies.
        run: the generation that is recorded.
        on_note: called with what a user may want to know meanwhile.
        budget: what new calls may cost.

    Raises:
        DataError: the recording is damaged.
    """

    def __init__(self, settings: MacSettings, run: RecordedRun, on_note: OnNote, budget: Budget) -> None:
        self.replaying = settings.endpoint is None
        self._on_note = on_note
        self._budget = budget
        self._open = contextlib.ExitStack()
        self._forward: Forwarder | None = None
        with self._open:
            self._recording = self._open.enter_context(Recording(settings.recording, run, read_only=self.replaying))
            if settings.endpoint is not None:
                self._forward = Forwarder(settings.endpoint, settings.model.timeout, stream=settings.live.stream)
                self._open.callback(self._forward.close)
            self._open = self._open.pop_all()
        self._calls: dict[str, CaseCalls] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Bring the recording in order."""
        self._open.close()

    def note(self, what: str) -> None:
        """Do as `CallService` says."""
        self._on_note(what)

    def stop_reason(self) -> str | None:
        """Do as `CallService` says."""
        return self._budget.stop_reason

    def outcome(self, case_id: str) -> Outcome | None:
        """Do as `CallService` says."""
        return self._recording.outcome(case_id)

    def add_outcome(self, case_id: str, outcome: Outcome) -> None:
        """Do as `CallService` says."""
        self._recording.add_outcome(case_id, outcome)

    def calls(self, case_id: str) -> CaseCalls:
        """Do as `CallService` says; for a case that another worker has begun, the same again."""
        new = CaseCalls(case_id, self._recording, self._forward, self._budget)
        return self._calls.setdefault(case_id, new)


class RemoteCalls:
    """Leaves recording, budget and connection to the command that it asks.

    Args:
        ask: asks a `CallServer` there.
        replaying: as the command's.
    """

    def __init__(self, ask: Ask, *, replaying: bool) -> None:
        self.replaying = replaying
        self._ask_command = ask

    def note(self, what: str) -> None:
        """Do as `CallService` says."""
        self._ask("note", note=what)

    def stop_reason(self) -> str | None:
        """Do as `CallService` says."""
        reason: str | None = self._ask("stop_reason")
        return reason

    def outcome(self, case_id: str) -> Outcome | None:
        """Do as `CallService` says."""
        found = self._ask("outcome", case_id=case_id)
        return None if found is None else _outcome(found)

    def add_outcome(self, case_id: str, outcome: Outcome) -> None:
        """Do as `CallService` says."""
        self._ask("add_outcome", case_id=case_id, outcome=asdict(outcome))

    def calls(self, case_id: str) -> Answers:
        """Do as `CallService` says."""
        return _AskedCalls(case_id, self._ask)

    def _ask(self, what: str, **about: Any) -> Any:
        try:
            return self._ask_command({"what": what, **about})
        except CommandGoneError as error:
            raise StoppedError(error.what) from None


class _AskedCalls:
    def __init__(self, case_id: str, ask: Callable[..., Any]) -> None:
        self._case_id, self._ask = case_id, ask
        self._lock = threading.Lock()

    def answer(self, body: bytes, repeats: Mapping[str, int]) -> Answered:
        """Do as `Answers` says."""
        try:
            with self._lock:  # what is counted while an answer is waited for counts for the next question
                found = self._ask("answer", case_id=self._case_id, body=body, repeats=dict(repeats))
        except StoppedError as error:
            return refusal(error.what, stopped=True), "", None
        reply, request_sha256, answer = found
        trouble = None if reply["trouble"] is None else Trouble(**reply["trouble"])
        made = None if answer is None else Answer(**{**answer, "deltas": _pairs(answer["deltas"])})
        return Reply(**{**reply, "trouble": trouble, "deltas": _pairs(reply["deltas"])}), request_sha256, made


class CallServer:
    """Answers what `RemoteCalls`s ask.

    Args:
        service: of this process.
    """

    def __init__(self, service: CallService) -> None:
        self._service = service

    def __call__(self, _asker: str, question: Mapping[str, Any]) -> Any:
        """Return the answer to a question."""
        service = self._service
        match question["what"]:
            case "note":
                return service.note(question["note"])
            case "stop_reason":
                return service.stop_reason()
            case "outcome":
                known = service.outcome(question["case_id"])
                return None if known is None else asdict(known)
            case "add_outcome":
                return service.add_outcome(question["case_id"], _outcome(question["outcome"]))
        reply, request_sha256, answer = service.calls(question["case_id"]).answer(question["body"], question["repeats"])
        return asdict(reply), request_sha256, None if answer is None else asdict(answer)


def _outcome(found: Mapping[str, Any]) -> Outcome:
    messages = tuple(SaidAt(**{**one, "stream": _pairs(one["stream"])}) for one in found["messages"])
    return Outcome(**{**found, "messages": messages})


def _pairs(found: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple([(t_ms, n_chars) for t_ms, n_chars in found])
