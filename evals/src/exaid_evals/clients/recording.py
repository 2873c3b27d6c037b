"""A live client with a memory: what was answered once is taken from the cassette, what is new is paid for and kept."""

from __future__ import annotations

from dataclasses import replace

from exaid_evals.clients.base import BoundClient, CallContext, LLMClient, LLMRequest, LLMResponse
from exaid_evals.clients.budget import Budget
from exaid_evals.clients.cassette import CallKeys, Recorder, canonical_request


class RecordingClient:
    """Wraps a live client. It is asked through `bind`, for a call belongs to a case.

    Args:
        inner: the live client.
        recorder: keeps the answers.
        budget: what the calls may cost.
        ask_again: whether the model is asked anew, once, where what it answered before could not be used.
    """

    def __init__(self, inner: LLMClient, recorder: Recorder, budget: Budget, *, ask_again: bool = False) -> None:
        self._inner = inner
        self._recorder = recorder
        self._budget = budget
        self.ask_again = ask_again
        self.name = inner.name
        self.model = inner.model
        self.parameters = inner.parameters
        self.stub = inner.stub

    def check(self) -> None:
        """Check the live client."""
        self._inner.check()

    def bind(self, context: CallContext) -> _BoundRecording:
        """Return the client as one case under one variant uses it: its calls are numbered from the first."""
        return _BoundRecording(self, self._inner, self._recorder, replace(context, budget=self._budget))

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Refuse: nobody would know where to record the answer."""
        raise TypeError("bind the client to a case before asking it")


class _BoundRecording(BoundClient):
    def __init__(self, outer: RecordingClient, inner: LLMClient, recorder: Recorder, context: CallContext) -> None:
        super().__init__(outer)
        self._outer = outer
        self._inner = inner.bind(context)
        self._recorder = recorder
        self._budget = context.budget
        self._keys = CallKeys(context)
        self._asked_now: set[str] = set()

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Return the recorded answer, or make the call and record it.

        Raises:
            StoppedError: no more calls may be made.
            LLMError: no answer could be had.
        """
        key = self._keys.next(canonical_request(request, self))
        known = self._recorder.find(key)
        if known is not None:
            return known
        self._asked_now.add(key.key.request_sha256)
        self._budget.charge(request.prompt_ctu)
        response = self._inner.complete(request)
        # Recorded first: should the process die now, the answer has been paid for.
        self._recorder.add(key, response)
        self._budget.settle(response.usage.completion_ctu)
        return response

    def may_ask_again(self, request: LLMRequest) -> bool:
        """Tell whether a request whose answers could not be used has been answered once more, or may be asked so."""
        key = self._keys.peek(canonical_request(request, self))
        if self._recorder.find(key) is not None:
            return True
        return self._outer.ask_again and key.key.request_sha256 not in self._asked_now
