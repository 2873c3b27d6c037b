"""A scripted server on loopback that speaks OpenAI's chat completions, streamed and not, and misbehaves on cue.

    with OpenAIServer() as server:                      # answers every prompt of ours, and any other in a fixed way
        client = OpenAI(base_url=server.base_url, api_key="any")
    with OpenAIServer([Fail(429, headers={"Retry-After": "1"}), Answer("hello")]) as server: …

A script is used up in order, one step a request, and leaving the block fails the test when it ran out or was not
used up. Without a script the server answers for ever. With `evals/src` and `evals/tests` on PYTHONPATH,
`python -m servers.openai_server [PORT]` serves until it is interrupted.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from servers.answers import default_answer
from servers.steps import Answer, Cut, Drop, Fail, Garbage, Hang, Received, Script, Step, StreamError

__all__ = [
    "Answer",
    "Cut",
    "Drop",
    "Fail",
    "Garbage",
    "Hang",
    "OpenAIServer",
    "Received",
    "Script",
    "Step",
    "StreamError",
    "default_answer",
]


class OpenAIServer:
    """The server; a context manager.

    Attributes:
        requests: everything that came in, in order.
        answered: number of good answers that were sent whole.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        answer: Callable[[Received], str] = default_answer,
        latency_s: float = 0.0,
        formats: Iterable[str] = ("json_schema", "json_object", "text"),
        port: int = 0,
    ) -> None:
        """Prepare; the socket is open at once, and answered within the block.

        Args:
            script: steps, or a function of the request and its number from 0; None answers everything.
            answer: what an `Answer` without text says.
            latency_s: waited before each answer.
            formats: values of `response_format` that are taken; others are refused with a 400.
            port: 0 takes a free one.
        """
        self._script = script if callable(script) or script is None else iter(list(script))
        self._steps = None if callable(script) or script is None else list(script)
        self._answer = answer
        self._latency_s = latency_s
        self._formats = frozenset(formats)
        self._lock = threading.Lock()
        self._n_scripted = 0
        self._closing = threading.Event()
        self.requests: list[Received] = []
        self.answered: list[Received] = []
        self.ran_out = 0
        self._server = _Server(("127.0.0.1", port), self)
        self.port = self._server.server_address[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        """Serve in the background."""
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; where nothing else went wrong, fail when the script ran out or was not used up."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if kind is None and self.ran_out:
            raise AssertionError(f"the script ran out: {self.ran_out} requests too many")
        if kind is None and self._steps is not None and self._n_scripted < len(self._steps):
            raise AssertionError(f"the script was not used up: {len(self._steps) - self._n_scripted} steps are left")

    def next_step(self, received: Received) -> Step:
        """Note a request and return what happens to it."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(received)
            form = (received.body.get("response_format") or {"type": "text"})["type"]
            if form not in self._formats:
                return Fail(400, f"Invalid parameter: response_format of type {form} is not supported")
            if self._script is None:
                return Answer()
            if callable(self._script):
                return self._script(received, number)
            step = next(self._script, None)
            if step is None:
                self.ran_out += 1
                return Fail(418, "the script ran out")
            self._n_scripted += 1
            return step

    def text_of(self, step: Answer, received: Received) -> str:
        """Return what a good answer says."""
        return self._answer(received) if step.text is None else step.text

    def wait(self, seconds: float | None) -> None:
        """Wait, but not when the server stops."""
        self._closing.wait(self._latency_s if seconds is None else seconds)

    def note_answered(self, received: Received) -> None:
        """Count an answer that was sent whole."""
        with self._lock:
            self.answered.append(received)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: OpenAIServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that are killed leave broken pipes."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Two small writes on one connection would wait 40 ms for the client's acknowledgement of the first.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the tests' output clean."""

    def do_POST(self) -> None:
        """Answer one request."""
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(json.loads(raw), headers, self.path, time.monotonic())
        if not self.path.partition("?")[0].endswith("/chat/completions"):
            self._error(Fail(404, f"no such path: {self.path}"), received)
            return
        step = self.server.owner.next_step(received)
        if isinstance(step, Answer):
            self._good(step, received)
        elif isinstance(step, Fail):
            self._error(step, received)
        elif isinstance(step, Hang):
            self.server.owner.wait(step.seconds)
            self._break()
        elif isinstance(step, Garbage):
            self._send(200, "application/json", step.body.encode())
        elif isinstance(step, Drop):
            self._drop(step, received)
        elif isinstance(step, StreamError):
            self._stream([{"error": {"message": step.message, "type": "server_error"}}])
        else:
            text = self.server.owner.text_of(Answer(), received)
            self._stream([_chunk({"content": text[: len(text) // 2]})])

    def _good(self, step: Answer, received: Received) -> None:
        owner = self.server.owner
        owner.wait(step.latency_s)
        text = owner.text_of(step, received)
        tokens = {"prompt_tokens": sum(len(content.split()) for _, content in received.messages)}
        tokens |= {"completion_tokens": len(text.split())}
        tokens |= {"total_tokens": sum(tokens.values())}
        if received.body.get("stream"):
            events = [_chunk({"role": "assistant", "content": ""}), *_pieces(text, step.chunks)]
            events.append(_chunk({}, finish_reason=step.finish_reason))
            if step.usage and (received.body.get("stream_options") or {}).get("include_usage"):
                events.append({**_chunk({}), "choices": [], "usage": tokens})
            self._stream(events)
        else:
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": step.finish_reason}
            body = {**_ENVELOPE, "object": "chat.completion", "choices": [choice]}
            self._send(200, "application/json", json.dumps(body | ({"usage": tokens} if step.usage else {})).encode())
        owner.note_answered(received)

    def _stream(self, events: Sequence[Mapping[str, Any]], *, end: bool = True) -> None:
        self._begin_stream()
        data = [f"data: {json.dumps(event)}\n\n" for event in events] + (["data: [DONE]\n\n"] if end else [])
        # In one write: the pieces are cut for the parser's sake, and need no packets of their own.
        self.wfile.write(b"".join(_chunked(item.encode()) for item in data) + (b"0\r\n\r\n" if end else b""))

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _drop(self, step: Drop, received: Received) -> None:
        if step.after_chunks and received.body.get("stream"):
            text = self.server.owner.text_of(Answer(), received)
            self._stream(_pieces(text, step.after_chunks + 1)[: step.after_chunks], end=False)
        elif step.after_chunks:
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
        self._break()

    def _break(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        # Reset, not closed in good order.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _error(self, step: Fail, received: Received) -> None:
        message = step.message(received) if callable(step.message) else step.message
        error = {"message": message, "type": "error", "param": None, "code": step.code}
        self._send(step.status, "application/json", json.dumps({"error": error}).encode(), step.headers)

    def _send(self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


_ENVELOPE = {"id": "chatcmpl-1", "created": 1734609600, "model": "scripted-1"}


def _chunk(delta: Mapping[str, Any], *, finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish_reason}
    return {**_ENVELOPE, "object": "chat.completion.chunk", "choices": [choice]}


def _pieces(text: str, n_pieces: int) -> list[dict[str, Any]]:
    size = max(-(-len(text) // n_pieces), 1)
    return [_chunk({"content": text[start : start + size]}) for start in range(0, len(text), size)]


def _chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def main() -> None:
    """Serve on the port given, 8080 by default, until interrupted; print each request's number and last words."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    with OpenAIServer(port=port) as server:
        print(f"OPENAI_BASE_URL={server.base_url}", flush=True)  # noqa: T201 - a program of its own
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(server.requests)} requests, {len(server.answered)} answered")  # noqa: T201


if __name__ == "__main__":
    main()
