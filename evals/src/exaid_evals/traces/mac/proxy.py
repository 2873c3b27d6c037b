"""A service on loopback that MAC takes for its model's, one address a try, so that each call can be recorded.

MAC's process never has the provider's key: its own is a password of this try, without which nobody on this machine can
spend anything through the port.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.clients.endpoint import Endpoint, passes, retry_after_s
from exaid_evals.traces.mac.calls import Reply, Session, Trouble
from exaid_evals.traces.mac.recording import Deltas

if TYPE_CHECKING:
    import httpx

_PATH = "/chat/completions"
# What MAC's client reads of an error before it decides to ask again.
_KEPT_HEADERS = ("retry-after", "retry-after-ms", "x-should-retry")
_FATAL_CODES = frozenset({"insufficient_quota", "invalid_api_key"})
_UNAUTHORIZED = 401
_NO_STREAM = (400, 404, 405, 422, 501)
_MAX_SHOWN = 200
_DONE = "[DONE]"
_KEPT = ("id", "created", "model", "system_fingerprint", "service_tier")


def as_streamed(body: bytes) -> bytes | None:
    """Return a request that asks for the same answer chunk by chunk; None for one whose answer is not text alone."""
    try:
        request: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(request, dict) or request.get("stream") or request.get("n", 1) not in (1, None):
        return None
    if any(request.get(name) for name in ("tools", "functions", "logprobs", "audio")):
        return None
    return json.dumps({**request, "stream": True, "stream_options": {"include_usage": True}}).encode()


@dataclass(slots=True)
class StreamedAnswer:
    """What has arrived of an answer.

    Attributes:
        started_s: when the request was sent, on the monotonic clock.
        whole: whether the answer came to its end.
    """

    started_s: float
    whole: bool = False
    _head: dict[str, Any] = field(default_factory=dict)
    _parts: list[str] = field(default_factory=list)
    _times: list[int] = field(default_factory=list)
    _finish: str | None = None
    _usage: Any = None
    error: Any = None

    def read(self, lines: Iterable[str]) -> None:
        """Take the lines of server-sent events, as they come."""
        for line in lines:
            if not line.startswith("data:"):
                continue
            data = line.removeprefix("data:").strip()
            if data == _DONE:
                self.whole = True
                return
            self._event(json.loads(data))
        self.whole = self._finish is not None

    def _event(self, event: Any) -> None:
        if not isinstance(event, dict):
            raise ValueError("an event that is not an object")
        if event.get("error"):
            self.error = event["error"]
        self._head |= {name: event[name] for name in _KEPT if event.get(name) is not None and name not in self._head}
        self._usage = event.get("usage") or self._usage
        for choice in event.get("choices") or ():
            text = (choice.get("delta") or {}).get("content")
            self._finish = choice.get("finish_reason") or self._finish
            if text:
                self._parts.append(text)
                self._times.append(round((time.monotonic() - self.started_s) * 1000))

    @property
    def deltas(self) -> Deltas:
        """The chunks with their times; those of one moment are one."""
        merged: list[tuple[int, int]] = []
        for t_ms, part in zip(self._times, self._parts, strict=True):
            if merged and merged[-1][0] == t_ms:
                merged[-1] = (t_ms, merged[-1][1] + len(part))
            else:
                merged.append((t_ms, len(part)))
        return tuple(merged)

    def plain(self) -> dict[str, Any]:
        """Return the answer as one that was never streamed."""
        message = {"role": "assistant", "content": "".join(self._parts)}
        choice = {"index": 0, "finish_reason": self._finish or "stop", "message": message}
        usage = {} if self._usage is None else {"usage": self._usage}
        return {**self._head, "object": "chat.completion", "choices": [choice], **usage}


class Forwarder:
    """Sends requests to an OpenAI-compatible service. It may be called from several threads.

    Args:
        endpoint: the service and the key.
        timeout_s: of one call; MAC's client has the same patience.
        stream: whether answers are asked for chunk by chunk where the service can, so that it is known when text came.
            MAC gets them whole, as it asked for them.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float, *, stream: bool = True) -> None:
        import httpx  # not there where only recorded and stub campaigns are made

        self._stream = stream
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        # No redirects: they would carry the key to wherever they lead.
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False, params=dict(endpoint.query))

    def __call__(self, body: bytes) -> Reply:
        """Send one request's body."""
        import httpx

        streamed = as_streamed(body) if self._stream else None
        try:
            if streamed is not None:
                reply = self._streamed(streamed)
                if reply is not None:
                    return reply
                self._stream = False
            response = self._client.post(self._endpoint.base_url + _PATH, content=body, headers=self._headers())
        except httpx.TimeoutException:
            return self._unreachable(504, f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return self._unreachable(502, f"no connection ({type(error).__name__}: {error})")
        return self._reply(response)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._endpoint.key}", "Content-Type": "application/json"}

    def _streamed(self, body: bytes) -> Reply | None:
        """Send a request for a streamed answer; None where the service says that it does not stream."""
        started_s = time.monotonic()
        url = self._endpoint.base_url + _PATH
        with self._client.stream("POST", url, content=body, headers=self._headers()) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                response.read()
                refused = response.status_code in _NO_STREAM and b"stream" in response.content.lower()
                return None if refused else self._reply(response)
            answer = StreamedAnswer(started_s)
            try:
                answer.read(response.iter_lines())
            except (ValueError, AttributeError, TypeError, RecursionError):
                return self._unreachable(502, "a stream that nobody can read")
            if answer.error is not None or not answer.whole:
                return self._unreachable(502, f"a stream that broke off ({answer.error or 'before its end'})")
        whole = json.dumps(answer.plain())
        safe = self._endpoint.redactor.stored(whole)
        try:
            reply = Reply(200, canonical_bytes(json.loads(safe)), deltas=answer.deltas if safe == whole else ())
        except ValueError:
            return self._unreachable(502, "a text that no file can hold")
        return reply

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _reply(self, response: httpx.Response) -> Reply:
        stored = self._endpoint.redactor.stored
        safe = stored(response.content.decode("utf-8", errors="replace"))
        try:
            data: Any = json.loads(safe)
            body = canonical_bytes(data)
        except (ValueError, RecursionError):
            # No JSON, or none that can be written again (NaN, half a surrogate pair).
            data, body = None, safe.encode("utf-8", errors="replace")
        headers = {name: stored(response.headers[name]) for name in _KEPT_HEADERS if name in response.headers}
        status = response.status_code
        if status == HTTPStatus.OK and _answers(data):
            return Reply(status, body, headers)
        trouble = self._trouble(status, data, retry_after_s({k.lower(): v for k, v in response.headers.items()}))
        if status < HTTPStatus.BAD_REQUEST:
            # A redirect, or an answer without an answer in it: MAC's client could make nothing of either.
            status, body = 502, _error_body(trouble.what)
        return Reply(status, body, headers, trouble)

    def _trouble(self, status: int, data: Any, wait_s: float | None) -> Trouble:
        error = data.get("error") if isinstance(data, dict) else None
        # Google wraps its errors in a list.
        if isinstance(data, list) and data and isinstance(data[0], dict):
            error = data[0].get("error")
        details = error if isinstance(error, dict) else {}
        message = self._endpoint.redactor.shown(str(details.get("message") or error or "")).strip()
        said = f" ({message:.{_MAX_SHOWN}})" if message else ""
        code = details.get("code")
        if status == HTTPStatus.OK or status < HTTPStatus.BAD_REQUEST:
            what = f"the provider answered {status} without an answer in it{said}"
            return Trouble(what, passing=status == HTTPStatus.OK)
        fatal = status == _UNAUTHORIZED or code in _FATAL_CODES
        return Trouble(f"the provider answered {status}{said}", passing=passes(status), fatal=fatal, wait_s=wait_s)

    def _unreachable(self, status: int, what: str) -> Reply:
        what = f"the provider gave {self._endpoint.redactor.shown(what)}"
        return Reply(status, _error_body(what), trouble=Trouble(what, passing=True))


def _answers(data: Any) -> bool:
    choices = data.get("choices") if isinstance(data, dict) else None
    return isinstance(choices, list) and bool(choices)


def _error_body(what: str) -> bytes:
    return canonical_bytes({"error": {"message": what, "type": "exaid_evals", "code": None, "param": None}})


_MAX_BODY = 64 * 1024 * 1024
_SUFFIX = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Address:
    """What MAC knows of its service; the password is of no use to anybody once the try has ended."""

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

    def __exit__(self, *_: object) -> None:
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
        if not length.isdecimal() or int(length) > _MAX_BODY:
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
