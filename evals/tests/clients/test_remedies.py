"""What a message tells the user to do is what makes the error go away: each remedy is applied, and tried."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.clients.base import ChatMessage, LLMRequest
from exaid_evals.clients.endpoint import endpoint_of
from exaid_evals.clients.openai_client import OpenAIClient
from exaid_evals.config.base import load_config
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.config.summarizer import LLMConfig, RetryConfig, SummarizerConfig
from exaid_evals.config.variant import VariantConfig
from exaid_evals.errors import ConfigError, LLMError

REQUEST = LLMRequest("summary", (ChatMessage("user", "Say fine."),), {"type": "object"})
FINE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}]}
CONFIG = LLMConfig(client="openai", retry=RetryConfig(max_attempts=6, base_s=0.01))


@contextmanager
def server(answer: Callable[[str, dict[str, Any]], tuple[int, str, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """Serve what a function of path and body gives: status, content type and body; yield its URL and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(self.path)
            status, kind, content = answer(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=service.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{service.server_address[1]}", asked
    finally:
        service.shutdown()
        service.server_close()


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
def test_a_server_of_another_kind_is_told_at_once(
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


def test_a_key_of_another_provider_names_the_lines_to_write(tmp_path: Path) -> None:
    """With Google's key alone the message says which two lines use it; written, they do."""
    google = {"GOOGLE_API_KEY": "test-key-0123456789"}
    with pytest.raises(ConfigError) as caught:
        endpoint_of("openai", google).check()
    assert "GOOGLE_API_KEY is set: write `provider: google` and `model: gemini-2.5-flash-lite`" in str(caught.value)
    path = tmp_path / "summarizer.yaml"
    path.write_text("llm:\n  provider: google\n  model: gemini-2.5-flash-lite\n", encoding="utf-8")
    llm = load_config(SummarizerConfig, path).value.llm
    endpoint_of(llm.provider, google).check()
    assert MacModelConfig(model="gemini-2.5-flash-lite").asked_of == "google"


def test_keys_at_their_published_places_name_the_new_ones(tmp_path: Path) -> None:
    """A key that moved is refused with its new place, where it is read."""
    old = tmp_path / "old.yaml"
    old.write_text("history_k: 5\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"history_k: is not a key of this file any more; .*gs/variants/V3\.yaml"):
        load_config(SummarizerConfig, old)
    assert "history_k" in VariantConfig.model_fields
    old.write_text("mac:\n  decoding: {temperature: 0.7}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mac\.decoding: .*`temperature` and the like into .*mac_model_config\.json"):
        load_config(MasGenerationConfig, old)
    model = tmp_path / "mac_model_config.json"
    model.write_text('[{"model": "gpt-4o-mini", "temperature": 0.7}]', encoding="utf-8")
    with pytest.raises(ConfigError, match="holds a list; write the mapping alone"):
        load_config(MacModelConfig, model)
    model.write_text('{"model": "gpt-4o-mini", "temperature": 0.7}', encoding="utf-8")
    assert load_config(MacModelConfig, model).value.temperature == 0.7
