"""A server on loopback that gives what a function of path and body says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from exaid_evals.clients.base import ChatMessage, LLMRequest

REQUEST = LLMRequest("summary", (ChatMessage("user", "Say fine."),), {"type": "object"})
FINE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}]}


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
