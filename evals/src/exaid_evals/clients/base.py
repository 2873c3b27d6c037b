"""What the middleware asks a language model, and what comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from exaid_evals.artifacts.text_units import ctu
from exaid_evals.errors import LLMError


class StoppedError(LLMError):
    """No more calls are made: the budget is used up, the server refuses for good, or the user interrupted."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent.

    Attributes:
        calls: requests sent, those that were sent again included.
        ctu: CTU of their prompts and answers.
    """

    calls: int = 0
    ctu: int = 0


class Budget:
    """Counts requests and CTU over a whole command, for any number of threads.

    A request is refused before it is sent, once `max_calls` have been sent or its prompt would exceed `max_ctu`.
    The length of an answer is unknown until it is there, so the CTU spent may exceed the limit by the answers that
    were under way.
    """

    def __init__(self, max_calls: int | None = None, max_ctu: int | None = None) -> None:
        self._max_calls = max_calls
        self._max_ctu = max_ctu
        self._lock = threading.Lock()
        self._calls = 0
        self._ctu = 0
        self._reason: str | None = None
        self._remedy: str | None = None
        self._stopped = threading.Event()

    @property
    def spent(self) -> Spent:
        """What has been spent so far."""
        with self._lock:
            return Spent(self._calls, self._ctu)

    @property
    def stop_reason(self) -> str | None:
        """Why no more calls are made, with the remedy; None while they are."""
        with self._lock:
            return self._reason if self._remedy is None else f"{self._reason}; {self._remedy}"

    def charge(self, prompt_ctu: int) -> None:
        """Count a request that is about to be sent.

        Raises:
            StoppedError: it must not be sent.
        """
        with self._lock:
            if self._reason is None and self._max_calls is not None and self._calls >= self._max_calls:
                self._close(
                    f"the budget of {self._max_calls:,} calls is used up",
                    "the same command goes on from here, with --max-calls for the calls to come",
                )
            if self._reason is None and self._max_ctu is not None and self._ctu + prompt_ctu > self._max_ctu:
                self._close(
                    f"the budget of {self._max_ctu:,} CTU is used up ({self._ctu:,} spent, the next prompt has "
                    f"{prompt_ctu:,})",
                    "the same command goes on from here, with --max-ctu for what is to come",
                )
            if self._reason is not None:
                raise StoppedError(self._reason, remedy=self._remedy)
            self._calls += 1
            self._ctu += prompt_ctu

    def settle(self, completion_ctu: int) -> None:
        """Count an answer."""
        with self._lock:
            self._ctu += completion_ctu

    def stop(self, reason: str, *, remedy: str | None = None) -> None:
        """Refuse every request from now on, and end every wait for one. The first reason stands."""
        with self._lock:
            self._close(reason, remedy)

    def wait(self, seconds: float) -> None:
        """Sleep, or wake up when no more calls are made."""
        self._stopped.wait(seconds)

    def _close(self, reason: str, remedy: str | None) -> None:
        if self._reason is None:
            self._reason, self._remedy = reason, remedy
        self._stopped.set()


ConceptReader = Callable[[Sequence[str]], list[frozenset[str]]]
"""Texts in, the set of concept ids that each states out."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt; `role` is `system`, `user`, or `assistant` for an answer that is asked again."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """One call.

    Attributes:
        task: `trigger` or `summary`.
        messages: the prompt, as a chat model is sent it.
        response_schema: JSON Schema of the answer.
        inputs: what the prompt was composed from, as data, for a client that reads no prose (the stub).
    """

    task: str
    messages: tuple[ChatMessage, ...]
    response_schema: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt_ctu(self) -> int:
        """CTU of the whole prompt."""
        return sum(ctu(message.content) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call, or several for one answer, used. CTU are ours; provider counts enter no measure."""

    calls: int
    prompt_ctu: int
    completion_ctu: int
    provider_prompt_tokens: int | None = None
    provider_completion_tokens: int | None = None

    def to_record(self) -> dict[str, int | None]:
        """Return the `llm_usage` of a run record."""
        return {
            "calls": self.calls,
            "prompt_ctu": self.prompt_ctu,
            "completion_ctu": self.completion_ctu,
            "provider_prompt_tokens": self.provider_prompt_tokens,
            "provider_completion_tokens": self.provider_completion_tokens,
        }


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """One answer.

    Attributes:
        text: what the model said.
        usage: what it used.
        latency_ms: from request to full answer; where a request was sent again, of the one that was answered.
        finish_reason: why the model stopped, where it says.
        attempts: how often the request was sent until it was answered.
        response_format: how the form of the answer was asked for (`json_schema`, `json_object`, `text`).
    """

    text: str
    usage: Usage
    latency_ms: int
    finish_reason: str | None = None
    attempts: int = 1
    response_format: str | None = None


@dataclass(frozen=True, slots=True)
class CallContext:
    """On whose behalf a client is asked. The calls of one context are made one after the other.

    Attributes:
        eval_run_id: the run, which names the cassette.
        variant_id: its variant.
        case_id: the case.
        budget: what may still be spent. Whoever makes a call charges it once; a client that sends a request again
            charges that itself.
    """

    eval_run_id: str
    variant_id: str
    case_id: str
    budget: Budget = field(default_factory=Budget)


class LLMClient(Protocol):
    """Answers requests; deterministic where it says `stub`. Anything else is recorded, and asked by threads."""

    @property
    def name(self) -> str:
        """The client's registry name."""

    @property
    def model(self) -> str:
        """The model that answers."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Everything else that determines an answer."""

    @property
    def stub(self) -> bool:
        """Whether the answers are simulated."""

    def check(self) -> None:
        """Make sure that requests could be answered, without any. Called before work, and never for a replay.

        Raises:
            ConfigError: what is missing (a key, a model), and how to get it.
        """

    def bind(self, context: CallContext) -> LLMClient:
        """Return this client as one case under one variant uses it."""

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Answer one request.

        Raises:
            LLMError: no answer could be had.
        """


class PlainClient:
    """Base of a client that needs no preparation and does not care on whose behalf it is asked."""

    def check(self) -> None:
        """Find nothing missing."""

    def bind(self, context: CallContext) -> Self:
        """Return the client itself."""
        return self


class DescribedClient:
    """Base of a client that describes itself as another one.

    Args:
        described: the other one.
    """

    def __init__(self, described: LLMClient) -> None:
        self._client = described
        self.name, self.model = described.name, described.model
        self.parameters, self.stub = described.parameters, described.stub


class UnboundClient(DescribedClient):
    """Base of a client whose calls belong to cases, so that it is asked through `bind`."""

    def check(self) -> None:
        """Find nothing missing."""

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Refuse: nobody would know of which case the call is."""
        raise TypeError("bind the client to a case before asking it")


class BoundClient(DescribedClient):
    """Base of a client as one case under one variant uses it: it describes itself as the client that was bound."""

    def check(self) -> None:
        """Make the checks of the client that was bound."""
        self._client.check()

    def bind(self, context: CallContext) -> LLMClient:
        """Return the client that was bound as another case uses it."""
        return self._client.bind(context)


TRIGGER_MODEL = "trigger_model"
"""The parameter of a client that asks another model for the trigger's decisions."""
_TRIGGER = "trigger"


def model_of(client: LLMClient, request: LLMRequest) -> str:
    """Return the model that a client asks for an answer to a request."""
    of_trigger = client.parameters.get(TRIGGER_MODEL) if request.task == _TRIGGER else None
    return of_trigger if isinstance(of_trigger, str) else client.model


def describe(client: LLMClient) -> dict[str, Any]:
    """Return the `llm` of a run's meta record."""
    return {"client": client.name, "model": client.model, "parameters": dict(client.parameters)}
