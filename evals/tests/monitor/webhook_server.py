"""A webhook on loopback that answers as it is reported."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "T000/B000/s3cr3t-of-the-test"  # noqa: S105 - of a server that lives for a test


@dataclass
class Webhook:
    """What a server received, and how it answers.

    Attributes:
        url: its address, with the secret.
        statuses: of the answers in order; the last one stays.
        texts: the messages.
        hang: is waited for before each answer; set it to let the server answer.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    texts: list[str] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)


@contextmanager
def webhook_server(*statuses: int, hangs: bool = False) -> Iterator[Webhook]:
    """Run a webhook; without statuses it answers 200."""
    hook = Webhook(statuses=list(statuses) or [200])
    if not hangs:
        hook.hang.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == f"/services/{SECRET}"
            hook.texts.append(body["text"])
            hook.hang.wait(120)
            status = hook.statuses.pop(0) if len(hook.statuses) > 1 else hook.statuses[0]
            try:
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(b"ok")
            except OSError:  # the client has given up
                pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_port}/services/{SECRET}"
    try:
        yield hook
    finally:
        hook.hang.set()
        server.shutdown()
        server.server_close()
