"""A scripted model on loopback that speaks chat completions, keeps what it was asked, and misbehaves on cue."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_SPEAKERS = ("Doctor0", "Doctor1", "Doctor2", "Supervisor")
_REPORT = (
    'The doctors agree.\n```json\n{"Most Likely Diagnosis": "Syndrome", "Differential Diagnosis": "none", '
    '"Recommended Tests": "MRI", "Areas of Disagreement": "none"}\n```\n'
)


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """All that the messages say."""
        return "\n".join(str(message["content"]) for message in self.body["messages"])

    @property
    def system(self) -> str:
        """What the model is told to be."""
        return "\n".join(str(message["content"]) for message in self.body["messages"] if message["role"] == "system")

    @property
    def n_said(self) -> int:
        """Messages of the conversation so far."""
        return sum(message["role"] != "system" for message in self.body["messages"])


@dataclass
class Says:
    """An answer: what the model says, or an error of the service."""

    content: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay_s: float = 0.0
    usage: bool = True


Script = Callable[[Asked, int], Says]
"""Given a request, and how often the same was asked before, what to say."""


def conversation(asked: Asked, _before: int = 0) -> Says:
    """Let the four speak in turn; the supervisor's second word ends the conversation."""
    if "role play game" in asked.system:  # autogen asks who is to speak
        return Says(_SPEAKERS[(asked.n_said - 1) % 4])
    name = next((name for name in _SPEAKERS if re.search(rf"\b{name}\b", asked.system)), "Supervisor")
    words = f"{name} on message {asked.n_said}: the fever — 39.5 °C — points to a syndrome. " * 3
    if name != "Supervisor":
        return Says(words)
    return Says(words + _REPORT + ("TERMINATE" if asked.n_said > 6 else ""))


class Provider:
    """The service. It listens while the `with` block lasts; `asked` grows with every request."""

    def __init__(self, script: Script = conversation, *, streams: bool = False) -> None:
        self.streams = streams
        self.asked: list[Asked] = []
        self.script = script
        self._lock = threading.Lock()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                provider.answer(self, json.loads(self.rfile.read(length)))

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """Answer one request as the script says."""
        asked = Asked(dict(handler.headers), body)
        with self._lock:
            before = sum(other.body == body for other in self.asked)
            self.asked.append(asked)
        says = self.script(asked, before)
        time.sleep(says.delay_s)
        if says.status == 0:  # hang up
            handler.close_connection = True
            return
        if self.streams and body.get("stream") and says.status == 200 and says.body is None:
            self._stream(handler, asked, says)
            return
        content = says.body if says.body is not None else self._completion(asked, says)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(says.status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **says.headers,
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def _stream(self, handler: BaseHTTPRequestHandler, asked: Asked, says: Says) -> None:
        """Send an answer word by word; one whose content ends in `…` breaks off there."""
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        head = {"id": "chatcmpl-1", "created": 1734609600, "model": asked.body["model"]}
        for word in re.findall(r"\s*\S+\s*", says.content):
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            handler.wfile.write(f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode())
            handler.wfile.flush()
            time.sleep(0.002)
        if says.content.endswith("…"):
            return
        n = len(says.content) // 4
        usage = {"prompt_tokens": 1, "completion_tokens": n, "total_tokens": n + 1}
        last = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        for event in (last, {**head, "choices": [], "usage": usage}):
            handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        handler.wfile.write(b"data: [DONE]\n\n")

    @property
    def n_repeated(self) -> int:
        """How many requests had been asked before, word for word."""
        bodies = [json.dumps(asked.body, sort_keys=True) for asked in self.asked]
        return len(bodies) - len(set(bodies))

    @staticmethod
    def _completion(asked: Asked, says: Says) -> dict[str, Any]:
        if says.status != 200:
            return {"error": {"message": says.content or "no", "type": "error", "code": None, "param": None}}
        completion: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1734609600,
            "model": asked.body["model"],
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": says.content}}
            ],
        }
        if says.usage:
            n = len(says.content) // 4
            completion["usage"] = {"prompt_tokens": 100, "completion_tokens": n, "total_tokens": 100 + n}
        return completion
