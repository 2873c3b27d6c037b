"""A server on loopback that holds runs as W&B's does, asks for a key, and misbehaves on cue.

    with WandbServer({"me/digits/r1": StoredRun(rows)}) as server: …          # WANDB_BASE_URL=server.base_url
    with WandbServer(runs, script={0: Fail(500), 1: Hang(30)}) as server: …    # by the request's number

Leaving the block fails the test where a step of the script was not reached.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from servers.steps import Drop, Fail, Garbage, Hang, Received
from servers.wandb_graphql import GraphQLError, StoredRun, execute

KEY = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True, slots=True)
class Trickle:
    """A good status, and then a byte every so often, for ever."""

    every_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Broken:
    """An answer that breaks off before the length that it announced: by a reset, or closed as if all were well."""

    reset: bool = True


Step = Fail | Hang | Drop | Garbage | Trickle | Broken


class WandbServer:
    """The server; a context manager.

    Attributes:
        requests: everything that came in, in order, with its GraphQL as body.
        base_url: as `WANDB_BASE_URL` takes it.
    """

    def __init__(
        self,
        runs: Mapping[str, StoredRun],
        *,
        key: str = KEY,
        entity: str = "me",
        script: Mapping[int, Step] | None = None,
        certificate: Path | None = None,
    ) -> None:
        """Prepare; the socket is open at once, and answered within the block.

        Args:
            runs: entity/project/run → run.
            key: that it takes.
            entity: of whoever has the key.
            script: number of a request, from 0 → what happens to it; −1 stands for every request.
            certificate: file with key and certificate, of a server that speaks TLS.
        """
        self.runs, self.key, self.entity = runs, key, entity
        self.script = dict(script or {})
        self.requests: list[Received] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if certificate is None else "https"
        self.base_url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Serve in the background."""
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; where nothing else went wrong, fail when the script was not used up."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        left = [number for number in self.script if number >= len(self.requests)]
        if kind is None and left:
            raise AssertionError(f"the script was not used up: requests {left} never came")

    def next_step(self, received: Received) -> Step | None:
        """Note a request and return what happens to it; None answers it."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(received)
        return self.script.get(number, self.script.get(-1))

    def asked(self, field: str) -> list[Mapping[str, Any]]:
        """Return the variables of the requests that asked for a field, in order."""
        return [one.body["variables"] for one in self.requests if f"{field}(" in one.body["query"]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], owner: WandbServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up leave broken pipes."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the tests' output clean."""

    def do_POST(self) -> None:
        """Answer one request."""
        owner = self.server.owner
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(json.loads(raw), headers, self.path, time.monotonic())
        step = owner.next_step(received)
        if step is not None:
            self._misbehave(step, received)
        elif headers.get("authorization") != f"Basic {base64.b64encode(f'api:{owner.key}'.encode()).decode()}":
            self._send(401, {"errors": [{"message": "user is not logged in"}]})
        elif self.path != "/graphql":
            self._send(404, {"errors": [{"message": f"no such path: {self.path}"}]})
        else:
            self._answer(received)

    def _answer(self, received: Received) -> None:
        owner = self.server.owner
        try:
            data = execute(received.body["query"], received.body.get("variables") or {}, owner.runs, owner.entity)
        except GraphQLError as error:
            self._send(400, {"errors": [{"message": str(error)}]})
            return
        self._send(200, {"data": data})

    def _misbehave(self, step: Step, received: Received) -> None:
        if isinstance(step, Fail):
            message = step.message(received) if callable(step.message) else step.message
            self._send(step.status, {"errors": [{"message": message}]}, step.headers)
        elif isinstance(step, Garbage):
            self._raw(200, step.body.encode())
        elif isinstance(step, Hang):
            self.server.owner.closing.wait(step.seconds)
            self._break()
        elif isinstance(step, Trickle):
            self._raw(200, b"", length=10**6)
            while not self.server.owner.closing.wait(step.every_s):
                self.wfile.write(b" ")
        elif isinstance(step, Broken):
            self._raw(200, b'{"data": {', length=1000)
            self._break(reset=step.reset)
        else:
            self._break()

    def _break(self, *, reset: bool = True) -> None:
        self.wfile.flush()
        self.close_connection = True
        if not reset:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if not self.server.owner.closing.is_set():
            # Reset, not closed in good order.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _send(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self._raw(status, json.dumps(body).encode(), headers=headers)

    def _raw(
        self, status: int, body: bytes, *, length: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
