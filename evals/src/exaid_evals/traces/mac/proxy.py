"""A service on loopback that MAC takes for its model's, one address a try, so that each call can be recorded.

MAC's process never has the provider's key: its own is a password of this try, without which nobody on this machine can
spend anything through the port.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from exaid_evals.traces.mac.calls import Reply, Session

_MAX_BODY = 64 * 1024 * 1024
_SUFFIX = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Address:
    """What MAC is told of its service; the password is of no use to anybody once the try has ended."""

    base_url: str
    password: str


class Proxy:
    """The service. It listens while the `with` block lasts."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._server = _Server(self._sessions)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening. A call that is under way is not waited for."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextlib.contextmanager
    def serving(self, session: Session) -> Iterator[Address]:
        """Answer the calls of a try at a case while the block lasts."""
        password = secrets.token_urlsafe(24)
        self._sessions[password] = session
        try:
            yield Address(f"http://127.0.0.1:{self._server.server_address[1]}/v1", password)
        finally:
            del self._sessions[password]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, sessions: dict[str, Session]) -> None:
        self.sessions = sessions
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a process that was killed leaves connections behind, and its case says why."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a call."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MAX_BODY:
            self.close_connection = True
            self._send(Reply(400, b"{}"))
            return
        body = self.rfile.read(int(length))
        session = self.server.sessions.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if session is None or not self.path.split("?")[0].endswith(_SUFFIX):
            self._send(Reply(404, b"{}"))
            return
        reply, request_sha256 = session.answer(body)
        if self._gone():
            # MAC's client lost patience. The answer is recorded, and it will ask again.
            self.close_connection = True
            return
        # Counted before it is sent: when MAC has read it, its next request may be here before this line's successor.
        delivered = reply.trouble is None
        if delivered:
            session.delivered(request_sha256)
        try:
            self._send(reply)
        except OSError:
            if delivered:
                session.undelivered(request_sha256)
            raise

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""

    def _gone(self) -> bool:
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
