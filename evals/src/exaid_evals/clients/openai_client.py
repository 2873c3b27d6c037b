"""The live client: any server that speaks OpenAI's chat completions, streamed or not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import (
    TRIGGER_MODEL,
    BoundClient,
    Budget,
    CallContext,
    ConceptReader,
    LLMClient,
    LLMRequest,
    LLMResponse,
    Usage,
    model_of,
)
from exaid_evals.clients.completion import Completion, Negotiation, as_parameter, complete_once
from exaid_evals.clients.endpoint import Clock, Endpoint, endpoint_of, with_retries
from exaid_evals.config.variant import LLMConfig, SummarizerConfig
from exaid_evals.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    from openai import OpenAI

_TALKATIVE = ("openai", "httpx", "httpcore")


class OpenAIClient:
    """Asks a live model. Threads share one instance; `bind` gives each case its own view of it.

    The identity (`model`, `parameters`) holds what determines an answer and comes from the configuration alone.
    Where the requests go to and with which key comes from the environment, and is recorded nowhere.
    """

    name = "openai"
    stub = False

    def __init__(self, config: LLMConfig, endpoint: Endpoint, clock: Clock | None = None) -> None:
        self._config = config
        self._endpoint = endpoint
        self._clock = clock
        self._negotiation = Negotiation(config.response_format)
        self.model = config.model
        self.parameters: Mapping[str, Any] = {
            "provider": config.provider,
            "temperature": config.temperature,
            "max_completion_tokens": config.max_completion_tokens,
            "response_format": config.response_format,
        }
        if config.trigger_model not in (None, config.model):
            self.parameters = {**self.parameters, TRIGGER_MODEL: config.trigger_model}

    def check(self) -> None:
        """Make sure that there is a key, a server's URL and the SDK.

        Raises:
            ConfigError: what is missing, and how to get it.
        """
        self._endpoint.check()
        written = self._config.model_dump_json()
        if self._endpoint.redactor.shown(written) != written:
            # The configuration is recorded with every run.
            raise ConfigError("a key stands in the configuration", where="llm", remedy="keep keys in the environment")
        _import_sdk()

    def bind(self, context: CallContext) -> LLMClient:
        """Return this client with a case's budget."""
        return _WithBudget(self, context.budget)

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Answer a request, with nothing to keep within.

        Raises:
            LLMError: no answer could be had.
        """
        return self.answer(request, Budget())

    def answer(self, request: LLMRequest, budget: Budget) -> LLMResponse:
        """Answer a request whose first sending has been charged to the budget.

        Raises:
            StoppedError: the server refuses for good, or the budget allows no further attempt.
            LLMError: no answer could be had.
        """
        charged = _Charged(budget, request.prompt_ctu, already=1)
        clock = self._clock or Clock(sleep=budget.wait)

        def send(form: str) -> tuple[Completion, int]:
            charged.next()
            return with_retries(
                lambda: complete_once(
                    self._sdk, self._body(request, form), self._endpoint, budget, self._config, clock.monotonic
                ),
                self._config.retry,
                seed=seed,
                clock=clock,
                before_again=charged.next,
            )

        seed = sha256_structure([[message.role, message.content] for message in request.messages])
        (completion, attempts), form = self._negotiation.ask(send)
        # The reason is a text of the server's too, and goes into the recording.
        text, reason = (
            self._endpoint.redactor.stored(_well_formed(said))
            for said in (completion.text, completion.finish_reason or "")
        )
        usage = Usage(
            calls=1,
            prompt_ctu=request.prompt_ctu,
            completion_ctu=ctu(text),
            provider_prompt_tokens=completion.prompt_tokens,
            provider_completion_tokens=completion.completion_tokens,
        )
        return LLMResponse(text, usage, completion.latency_ms, reason or None, attempts, form)

    def _body(self, request: LLMRequest, form: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model_of(self, request),
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "max_completion_tokens": self._config.max_completion_tokens,
        }
        if self._config.temperature is not None:
            body["temperature"] = self._config.temperature
        parameter = as_parameter(form, request.task, request.response_schema)
        if parameter is not None:
            body["response_format"] = parameter
        return body

    @cached_property
    def _sdk(self) -> OpenAI:
        sdk: OpenAI = _import_sdk().OpenAI(
            api_key=self._endpoint.key,
            base_url=self._endpoint.base_url,
            default_query=dict(self._endpoint.query),
            timeout=self._config.timeout_s,
            max_retries=0,  # a retry of the SDK's under a retry of ours would multiply
        )
        return sdk


class _WithBudget(BoundClient):
    """The live client as one case uses it."""

    def __init__(self, client: OpenAIClient, budget: Budget) -> None:
        super().__init__(client)
        self._answer, self._budget = client.answer, budget

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Answer a request within the budget."""
        return self._answer(request, self._budget)


@dataclass(slots=True)
class _Charged:
    """Charges every sending of one request to the budget but the first, which its caller has charged."""

    budget: Budget
    prompt_ctu: int
    already: int

    def next(self) -> None:
        """Count one sending."""
        if self.already:
            self.already -= 1
        else:
            self.budget.charge(self.prompt_ctu)


def _well_formed(text: str) -> str:
    """Return a text that UTF-8 can hold: JSON lets a server send half a character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _import_sdk() -> Any:
    try:
        import openai
    except ImportError:
        raise MissingDependencyError(
            "the openai client needs the package openai, which is not installed",
            remedy="pip install 'exaid-evals[openai]'",
        ) from None
    for name in _TALKATIVE:
        # At debug level these log whole requests and URLs. What they say goes nowhere, whatever level is set.
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.CRITICAL)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    return openai


def build(config: SummarizerConfig, *, read_concepts: ConceptReader, reader_id: str) -> OpenAIClient:  # noqa: ARG001
    """Build the client, as the registry asks. Nothing is checked, so that a replay can describe it without a key."""
    return OpenAIClient(config.llm, endpoint_of(config.llm.provider))
