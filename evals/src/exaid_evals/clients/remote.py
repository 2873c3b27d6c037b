"""A client whose calls another process makes, which holds key, budget and recordings; and what answers it there."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from exaid_evals.clients.base import (
    BoundClient,
    CallContext,
    ChatMessage,
    LLMClient,
    LLMRequest,
    LLMResponse,
    StoppedError,
    UnboundClient,
    Usage,
)
from exaid_evals.execution.questions import Ask, CommandGoneError

_CONTEXT = ("eval_run_id", "variant_id", "case_id")


class RemoteClient(UnboundClient):
    """Asks the process that holds the client that it describes itself as.

    Args:
        described: that client, built here for what it says of itself; it makes no call.
        ask: asks a `ClientServer` there.
    """

    def __init__(self, described: LLMClient, ask: Ask) -> None:
        super().__init__(described)
        self.ask = ask

    def bind(self, context: CallContext) -> _BoundRemote:
        """Return the client as one case under one variant uses it."""
        return _BoundRemote(self, context)


class _BoundRemote(BoundClient):
    def __init__(self, outer: RemoteClient, context: CallContext) -> None:
        super().__init__(outer)
        self._outer = outer
        self._said = {"session": uuid.uuid4().hex, "context": {name: getattr(context, name) for name in _CONTEXT}}

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Return the answer to a request.

        Raises:
            StoppedError: no more calls are made.
            LLMError: no answer could be had.
        """
        found = self._ask("complete", request)
        return LLMResponse(**{**found, "usage": Usage(**found["usage"])})

    def may_ask_again(self, request: LLMRequest) -> bool:
        """Return whether a request whose answers could not be used may be made once more."""
        return bool(self._ask("may_ask_again", request))

    def _ask(self, what: str, request: LLMRequest) -> Any:
        try:
            return self._outer.ask({**self._said, "what": what, "request": asdict(request)})
        except CommandGoneError as error:
            raise StoppedError(error.what) from None


class ClientServer:
    """Makes the calls that `RemoteClient`s ask for.

    A worker that died may have left a call under way; whoever does its case once more waits for that answer, which is
    recorded then.

    Args:
        client: asked through `bind`, by several threads at once.
    """

    def __init__(self, client: LLMClient) -> None:
        self._client = client
        self._bound: dict[str, tuple[str, LLMClient]] = {}
        self._locks: defaultdict[tuple[str, ...], threading.Lock] = defaultdict(threading.Lock)

    def __call__(self, asker: str, question: Mapping[str, Any]) -> Any:
        """Return the answer to a question.

        Raises:
            ExaidError: as the client.
        """
        with self._locks[tuple(question["context"][name] for name in _CONTEXT)]:
            return self._answered(asker, question)

    def _answered(self, asker: str, question: Mapping[str, Any]) -> Any:
        session, bound = self._bound.get(asker, ("", self._client))
        if session != question["session"]:
            bound = self._client.bind(CallContext(**question["context"]))
            self._bound[asker] = (question["session"], bound)  # a worker works on one case at a time
        asked = question["request"]
        messages = tuple(ChatMessage(**message) for message in asked["messages"])
        request = LLMRequest(asked["task"], messages, asked["response_schema"], asked["inputs"])
        if question["what"] == "may_ask_again":
            return bool(getattr(bound, "may_ask_again", lambda _request: False)(request))
        return asdict(bound.complete(request))
