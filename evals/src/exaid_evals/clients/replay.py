"""Clients over cassettes: one records what a live model answers, the other answers from what was recorded."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.clients.base import BoundClient, CallContext, LLMClient, LLMRequest, LLMResponse
from exaid_evals.clients.budget import Budget
from exaid_evals.clients.cassette import (
    SUFFIX,
    CallKey,
    CallKeys,
    Recorder,
    canonical_request,
    read_cassette,
)
from exaid_evals.clients.request_difference import first_difference
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError, LLMError


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
        self._recorder.prepare(key)
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


REPLAY = "replay"
Record = Mapping[str, Any]


def live_run(campaign: Campaign) -> str:
    """Return the command that records calls, as a remedy names it."""
    return campaign.call("run-variants --llm openai")


class ReplayClient:
    """Speaks for a recorded client: same name, model and parameters, hence the same run ids and run logs.

    The recorded client describes itself and is never asked, so no key is needed and the network is never touched.
    """

    def __init__(self, recorded: LLMClient, campaign: Campaign) -> None:
        self._folder = campaign.cassettes
        self._remedy = f"replay with the configuration that was recorded, or record the rest with {live_run(campaign)}"
        self._recorder = Recorder(self._folder, read_only=True)
        self._lock = threading.Lock()
        self._by_case: dict[str, list[Record]] | None = None
        self.name = recorded.name
        self.model = recorded.model
        self.parameters = recorded.parameters
        self.stub = recorded.stub

    def check(self) -> None:
        """Find nothing missing: what was not recorded shows when it is asked for."""

    def bind(self, context: CallContext) -> _BoundReplay:
        """Return the client as one case under one variant uses it."""
        return _BoundReplay(self, context)

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Refuse: recordings are of cases."""
        raise TypeError("bind the client to a case before asking it")

    def answer(self, key: CallKey) -> LLMResponse:
        """Return the recorded answer to a call.

        Raises:
            LLMError: it was not recorded; names the call, and how it differs from the nearest that was.
            DataError: the cassette is damaged.
        """
        known = self._recorder.find(key)
        if known is None:
            raise LLMError(self._missing(key), remedy=self._remedy)
        return known

    def knows(self, key: CallKey) -> bool:
        """Tell whether a call was recorded."""
        return self._recorder.find(key) is not None

    def _missing(self, key: CallKey) -> str:
        case = key.context
        call = f"{case.case_id} under {case.variant_id}, call {key.call_index + 1} ({key.request['task']})"
        of_case = self._recorded_of(case)
        same_variant = [record["request"] for record in of_case if record["variant_id"] == case.variant_id]
        nearest = first_difference(key.request, same_variant or [record["request"] for record in of_case])
        if nearest is None:
            why = "no call of this case was recorded" if not of_case else "it was made less often when it was recorded"
        else:
            why = f"it differs from the nearest recorded request in {nearest}"
        return f"{call} was not recorded: {why}"

    def _recorded_of(self, case: CallContext) -> list[Record]:
        """Return the recorded calls of a case: of its own run where there are any, else of every other."""
        with self._lock:
            if self._by_case is None:
                self._by_case = _by_case(self._folder)
        of_case = self._by_case.get(case.case_id, [])
        return [record for record in of_case if record["eval_run_id"] == case.eval_run_id] or of_case


def _by_case(folder: Path) -> dict[str, list[Record]]:
    """Read every cassette whole, requests included: only when something is missing, to say what comes nearest."""
    found: dict[str, list[Record]] = {}
    for path in sorted(folder.glob(f"eval-*{SUFFIX}")):
        try:
            records, _ = read_cassette(path)
        except DataError:  # stage 00 says what is wrong with it
            continue
        for record in records:
            found.setdefault(record["case_id"], []).append(record)
    return found


class _BoundReplay(BoundClient):
    def __init__(self, outer: ReplayClient, context: CallContext) -> None:
        super().__init__(outer)
        self._outer = outer
        self._keys = CallKeys(context)

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Return the recorded answer."""
        return self._outer.answer(self._keys.next(canonical_request(request, self)))

    def may_ask_again(self, request: LLMRequest) -> bool:
        """Tell whether a request whose answers could not be used was answered once more."""
        return self._outer.knows(self._keys.peek(canonical_request(request, self)))
