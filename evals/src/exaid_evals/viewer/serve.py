"""Serving a campaign on this machine's loopback address, to be read and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from exaid_evals.errors import ExaidError
from exaid_evals.report.render import fill, page
from exaid_evals.viewer.page import asset, script
from exaid_evals.viewer.progress import Follower

HOST = "127.0.0.1"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Report:
    """The campaign's page, made when it is asked for, and again when what it shows has changed.

    Args:
        inputs: returns the fingerprint of all that it shows.
        make: returns the page.
    """

    def __init__(self, inputs: Callable[[], str], make: Callable[[], str]) -> None:
        self._inputs, self._make = inputs, make
        self._lock = threading.Lock()
        self._made: tuple[str, bytes] | None = None

    def read(self) -> bytes:
        """Return the page; who asks while it is made waits for it.

        Raises:
            ExaidError: there is nothing to show, or it is damaged.
        """
        with self._lock:
            inputs = self._inputs()
            if self._made is None or self._made[0] != inputs:
                self._made = (inputs, self._make().encode())
            return self._made[1]


class Server(ThreadingHTTPServer):
    """Answers `/` (progress), `/status` (the same as JSON) and `/report.html`, to this machine alone.

    A page of another origin can send requests here too, under a name of its own that leads to this machine; so the
    name that is asked for must be this machine's.

    Args:
        port: to listen at; 0 takes one that is free.
        title: of the campaign.
        follower: tells its progress.
        report: its page.
    """

    daemon_threads = True

    def __init__(self, port: int, title: str, follower: Follower, report: Report) -> None:
        super().__init__((HOST, port), _Handler)
        self.follower, self.report = follower, report
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}
        self._lock = threading.Lock()
        self.progress_page = page(
            f"{title} · exaid-evals",
            fill("viewer/assets/progress.html", title=title),
            "",
            style=asset("viewer.css"),
            script=script(("elements.js", "progress.js")),
            connects=True,
        ).encode()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.server_port}/"

    def status(self) -> bytes:
        """Return the campaign's progress as JSON."""
        with self._lock:
            return json.dumps(self.follower.look().as_json(), ensure_ascii=False).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "exaid-evals"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page or the numbers that the path names."""
        if self.headers.get("Host") not in self.server.names:
            self._answer(HTTPStatus.FORBIDDEN, b"asked for under a name that is not this machine's\n", "text/plain")
            return
        answers: dict[str, tuple[Callable[[], bytes], str]] = {
            "/": (lambda: self.server.progress_page, "text/html"),
            "/status": (self.server.status, "application/json"),
            "/report.html": (self.server.report.read, "text/html"),
        }
        made = answers.get(self.path.partition("?")[0])
        if made is None:
            self._answer(HTTPStatus.NOT_FOUND, b"there is /, /status and /report.html\n", "text/plain")
            return
        try:
            self._answer(HTTPStatus.OK, made[0](), made[1])
        except ExaidError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode(), "text/plain")

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": f"{kind}; charset=utf-8"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: a page asks every other second."""
