"""What a message tells the user to do is what makes the error go away: each remedy is applied, and tried."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from exaid_evals.clients.endpoint import endpoint_of
from exaid_evals.clients.openai_client import OpenAIClient
from exaid_evals.config.variant import LLMConfig, RetryConfig
from exaid_evals.errors import LLMError
from servers.scripted import FINE, REQUEST, server

CONFIG = LLMConfig(client="openai", retry=RetryConfig(max_attempts=6, base_s=0.01))


def ask(url: str, config: LLMConfig = CONFIG) -> str:
    """Ask a server once and return what it says."""
    endpoint = endpoint_of("openai", {"OPENAI_API_KEY": "test-key-0123456789", "OPENAI_BASE_URL": url})
    return OpenAIClient(config, endpoint).complete(REQUEST).text


def plain(_path: str, _body: dict[str, Any]) -> tuple[int, str, bytes]:
    """Answer whole, whatever was asked for."""
    return 200, "application/json", json.dumps(FINE).encode()


def below_v1(path: str, body: dict[str, Any]) -> tuple[int, str, bytes]:
    """Answer below /v1, and with a page elsewhere."""
    return plain(path, body) if path.startswith("/v1/") else (200, "text/html; charset=utf-8", b"<html>Welcome</html>")


def not_a_completion(path: str, body: dict[str, Any]) -> tuple[int, str, bytes]:
    """Answer below /v1, and with other JSON elsewhere."""
    return plain(path, body) if path.startswith("/v1/") else (200, "application/json", b'{"object": "list"}')


def one_model(_path: str, body: dict[str, Any]) -> tuple[int, str, bytes]:
    """Know one model."""
    return plain("", body) if body["model"] == "llama3.1" else (404, "application/json", b'{"error": "no such model"}')


WHOLE = CONFIG.model_copy(update={"stream": False})


@pytest.mark.parametrize(
    ("answer", "error", "remedy", "applied", "path"),
    [
        (plain, "answers whole, and not as a stream", "`stream: false` under `llm`", WHOLE, "/v1"),
        (below_v1, "answered with a web page", "check the base URL: it ends in /v1", WHOLE, "/v1"),
        (not_a_completion, "JSON that holds no choices", "check the base URL", WHOLE, "/v1"),
        (
            one_model,
            "HTTP 404",
            "`model` under `llm` in summarizer.yaml or with --model",
            WHOLE.model_copy(update={"model": "llama3.1"}),
            "/v1",
        ),
    ],
)
def test_a_server_of_another_kind_is_reported_at_once(
    answer: Callable[[str, dict[str, Any]], tuple[int, str, bytes]],
    error: str,
    remedy: str,
    applied: LLMConfig,
    path: str,
) -> None:
    """One request, an error that says what came, and its remedy makes the next request succeed."""
    with server(answer) as (url, asked):
        wrong = url + ("/v1" if answer in (plain, one_model) else "")
        with pytest.raises(LLMError) as caught:
            ask(wrong)
        assert error in str(caught.value)
        assert remedy in str(caught.value)
        assert len(asked) == 1
        assert ask(url + path, applied) == "fine"
