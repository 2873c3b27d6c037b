"""The live client against a scripted server on loopback."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import Budget, CallContext, ChatMessage, LLMRequest, LLMResponse, StoppedError
from exaid_evals.clients.endpoint import Clock, endpoint_of
from exaid_evals.clients.openai_client import OpenAIClient
from exaid_evals.config.variant import LLMConfig, RetryConfig
from exaid_evals.errors import LLMError
from servers.openai_server import Answer, Cut, Drop, Fail, Garbage, Hang, OpenAIServer, Received, StreamError

KEY = "test-key-0123456789"
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 300}},
    "required": ["text"],
    "additionalProperties": False,
}
MESSAGES = (ChatMessage("system", "You summarise."), ChatMessage("user", "FEVER"))
REQUEST = LLMRequest("summary", MESSAGES, SCHEMA)
BOTH_WAYS = pytest.mark.parametrize("stream", [True, False])


def client_of(server: OpenAIServer, slept: list[float] | None = None, **settings: Any) -> OpenAIClient:
    """Return a client of a server, whose waits only count."""
    environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url}
    waits: list[float] = [] if slept is None else slept
    config = LLMConfig(**{"response_format": "text", **settings})
    return OpenAIClient(config, endpoint_of("openai", environment), Clock(sleep=waits.append))


def ask(server: OpenAIServer, **settings: Any) -> LLMResponse:
    """Ask once."""
    return client_of(server, **settings).complete(REQUEST)


@BOTH_WAYS
def test_an_answer_with_its_usage(stream: bool) -> None:
    """Text, finish reason, our CTU and the provider's tokens; streamed or not, the same."""
    with OpenAIServer([Answer("A summary of it.", latency_s=0.05)]) as server:
        started = time.monotonic()
        response = ask(server, stream=stream)
        elapsed_ms = (time.monotonic() - started) * 1000
    assert (response.text, response.finish_reason, response.attempts) == ("A summary of it.", "stop", 1)
    assert response.usage.prompt_ctu == sum(ctu(message.content) for message in MESSAGES)
    assert response.usage.completion_ctu == ctu(response.text)
    assert (response.usage.provider_prompt_tokens, response.usage.provider_completion_tokens) == (3, 4)
    assert 50 <= response.latency_ms <= elapsed_ms + 1
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@BOTH_WAYS
def test_what_is_sent_is_the_configuration(stream: bool) -> None:
    """Model, temperature and limit as configured; a temperature of null is not sent."""
    with OpenAIServer([Answer("a"), Answer("b")]) as server:
        ask(server, stream=stream, model="m-1", temperature=0.5, max_completion_tokens=99)
        ask(server, stream=stream, temperature=None)
    first, second = (request.body for request in server.requests)
    assert (first["model"], first["temperature"], first["max_completion_tokens"]) == ("m-1", 0.5, 99)
    assert "temperature" not in second


@BOTH_WAYS
def test_a_provider_that_counts_no_tokens(stream: bool) -> None:
    """Missing counts are null, not zero."""
    with OpenAIServer([Answer("a", usage=False)]) as server:
        usage = ask(server, stream=stream).usage
    assert (usage.provider_prompt_tokens, usage.provider_completion_tokens) == (None, None)


@BOTH_WAYS
@pytest.mark.parametrize(
    "trouble",
    [
        Fail(500),
        Fail(503),
        Fail(429),
        Fail(408),
        Fail(409),
        Drop(),
        Drop(after_chunks=2),
        Hang(30),
        Garbage(),
        StreamError(),
        Cut(),
    ],
    ids=lambda step: f"{type(step).__name__}-{getattr(step, 'status', '')}",
)
def test_what_passes_is_sent_again(trouble: Any, stream: bool) -> None:
    """After a refusal that passes, a time-out or a broken answer the same request is sent again, and answered."""
    if not stream and isinstance(trouble, StreamError | Cut):
        trouble = Garbage("data: {}")
    with OpenAIServer([trouble, Answer("at last")]) as server:
        response = ask(server, stream=stream, timeout_s=0.4)
    assert (response.text, response.attempts) == ("at last", 2)
    assert server.requests[0].body == server.requests[1].body


@BOTH_WAYS
def test_the_latency_is_that_of_the_answered_request(stream: bool) -> None:
    """Failures and the waits between them are not latency of the model's."""
    with OpenAIServer([Hang(30), Answer("a")]) as server:
        assert ask(server, stream=stream, timeout_s=0.5).latency_ms < 500


def test_the_servers_wait_is_kept_to() -> None:
    """Retry-After goes before our own wait."""
    slept: list[float] = []
    with OpenAIServer([Fail(429, headers={"Retry-After": "7"}), Answer("a")]) as server:
        client_of(server, slept).complete(REQUEST)
    assert slept == [7.0]


def test_the_library_retries_nothing_itself() -> None:
    """Two attempts allowed are two requests, not two times three."""
    with OpenAIServer([Fail(500), Fail(500)]) as server, pytest.raises(LLMError, match=r"sent 2 times.*HTTP 500"):
        ask(server, retry=RetryConfig(max_attempts=2))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Fail(401, "bad key"), "HTTP 401: bad key; set OPENAI_API_KEY"),
        (Fail(403), "set OPENAI_API_KEY"),
        (Fail(404, "no such model"), "name a model that it has in place of 'gpt-4o-mini'"),
        (Fail(429, "no money", code="insufficient_quota"), "no quota left"),
    ],
)
def test_what_no_request_survives_stops_all(step: Fail, message: str) -> None:
    """A refused key is not tried again, and the budget is closed for every other thread."""
    budget = Budget()
    with OpenAIServer([step]) as server:
        bound = client_of(server).bind(CallContext("eval-0", "V3", "case-1", budget))
        with pytest.raises(StoppedError, match=message):
            bound.complete(REQUEST)
    assert message in str(budget.stop_reason)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_other_refusals_are_final_for_the_request_alone(status: int) -> None:
    """A prompt that is too long is sent once, fails, and stops nobody else."""
    budget = Budget()
    with OpenAIServer([Fail(status, "too long"), Answer("next")]) as server:
        client = client_of(server)
        with pytest.raises(LLMError, match=f"HTTP {status}: too long"):
            client.bind(CallContext("eval-0", "V3", "case-1", budget)).complete(REQUEST)
        assert client.complete(REQUEST).text == "next"
    assert budget.stop_reason is None


def test_a_server_that_is_not_there() -> None:
    """No connection is a passing error, named without the URL's secrets."""
    with OpenAIServer() as server:
        pass
    with pytest.raises(LLMError, match=f"no connection to http://127.0.0.1:{server.port}/v1"):
        ask(server, retry=RetryConfig(max_attempts=2))


@BOTH_WAYS
def test_half_a_character_does_not_reach_a_record(stream: bool) -> None:
    """JSON can hold what UTF-8 cannot; it is replaced, and the rest kept."""
    with OpenAIServer([Answer("a\ud800b", chunks=1)]) as server:
        assert ask(server, stream=stream).text == "a�b"


def test_a_model_that_says_the_key_is_not_believed() -> None:
    """The key is taken out of the answer before anybody sees it."""
    with OpenAIServer([Answer(f"your key is {KEY}.")]) as server:
        assert ask(server).text == "your key is [redacted]."


def test_every_sending_is_charged() -> None:
    """Two failures and an answer cost three calls, of which the caller has charged the first; the budget ends it."""
    budget = Budget(max_calls=2)
    with OpenAIServer([Fail(500), Fail(500)]) as server:
        bound = client_of(server).bind(CallContext("eval-0", "V3", "case-1", budget))
        budget.charge(REQUEST.prompt_ctu)
        with pytest.raises(StoppedError, match="2 calls"):
            bound.complete(REQUEST)


def formats(server: OpenAIServer) -> list[str]:
    """Return how each request asked for JSON."""
    return [(request.body.get("response_format") or {"type": "text"})["type"] for request in server.requests]


def test_the_schema_is_sent_as_strict_mode_takes_it() -> None:
    """The length limits, which strict mode refuses, are left out; the middleware checks them itself."""
    with OpenAIServer() as server:
        assert ask(server, response_format="auto").response_format == "json_schema"
    sent = server.requests[0].body["response_format"]["json_schema"]
    assert (sent["name"], sent["strict"]) == ("summary", True)
    assert sent["schema"] == {**SCHEMA, "properties": {"text": {"type": "string"}}}


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (["json_schema", "json_object", "text"], ["json_schema"] * 3),
        (["json_object", "text"], ["json_schema"] + ["json_object"] * 3),
        (["text"], ["json_schema", "json_object"] + ["text"] * 3),
    ],
)
def test_the_strictest_format_is_found_once(taken: list[str], expected: list[str]) -> None:
    """A refusal is met once, remembered, and noted with each answer."""
    with OpenAIServer(formats=taken) as server:
        client = client_of(server, response_format="auto")
        noted = {client.complete(REQUEST).response_format for _ in range(3)}
    assert formats(server) == expected
    assert noted == {expected[-1]}


def test_a_refusal_for_another_reason_changes_no_format() -> None:
    """A prompt that is refused in every format leaves the format as it was."""

    def refuse_long(received: Received, _number: int) -> Answer | Fail:
        return Fail(400, "too long") if received.messages[1][1] == "x" * 99 else Answer("a")

    long = LLMRequest("summary", (MESSAGES[0], ChatMessage("user", "x" * 99)), SCHEMA)
    with OpenAIServer(refuse_long) as server:
        client = client_of(server, response_format="auto")
        for request in (REQUEST, long, REQUEST):
            try:
                client.complete(request)
            except LLMError as error:
                assert "too long" in str(error)  # noqa: PT017 - the two others must not raise
    assert formats(server)[-1] == "json_schema"


def test_the_server_answers_our_prompts_by_itself() -> None:
    """Without a script, trigger and summary prompts get answers that can be parsed."""
    from exaid_evals.middleware.summarizers import FIELDS, SummaryInput, summary_request
    from exaid_evals.middleware.triggers import FILTERS, TriggerInput, trigger_request

    turns = [("doctor0", "The patient has hepatomegaly.\nAnd fever."), ("doctor1", "Likely Gaucher disease.")]
    with OpenAIServer() as server:
        client = client_of(server)
        decision = json.loads(client.complete(trigger_request(TriggerInput(turns, [], final=True), FILTERS)).text)
        summary = json.loads(client.complete(summary_request(SummaryInput(turns, ["before"]))).text)
    assert decision == dict.fromkeys(FILTERS, True)
    assert set(summary) == set(FIELDS)
    assert summary["agent_contributions"] == "doctor0: 2 statements; doctor1: 1 statement"
