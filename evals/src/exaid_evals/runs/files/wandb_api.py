"""W&B's GraphQL interface: a question and its answer, each within a bound of seconds, and the key nowhere else.

wandb's own `wandb.Api` is not used: it cannot be bounded by any of its settings (on a closed port it asks again for
minutes), reads netrc and may ask for a key on the terminal, makes folders, reports errors to a third party, and samples
system metrics without a word. The three queries that an analysis needs are its own (wandb 0.26), sent by urllib, so
that the extra `analysis` is not needed for them either. Proxies are taken from the environment as everywhere.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from exaid_evals import __version__
from exaid_evals.artifacts.redaction import Redactor
from exaid_evals.clients.endpoint import Clock, PassingError, passes, retry_after_s, with_retries
from exaid_evals.config.variant import RetryConfig
from exaid_evals.errors import ConfigError, DataError, LLMError

KEY, BASE_URL, TIMEOUT, CERTIFICATES = "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_HTTP_TIMEOUT", "REQUESTS_CA_BUNDLE"
"""As wandb names them."""
_DEFAULT_URL = "https://api.wandb.ai"
_DEFAULT_TIMEOUT_S = 19.0  # wandb's
_TOTAL_S = 30.0
"""After so many seconds a question is not asked again, and an answer that is under way is not waited for."""
_MAX_BYTES = 256 << 20
_MAX_WORDS = 200

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_MULTIPLE_CHOICES, _BAD_REQUEST = 300, 400

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WandbServer:
    """A server of W&B and the key for it.

    Attributes:
        base_url: without a slash at its end.
        key: sent to this server, and kept out of whatever is shown or stored.
        timeout_s: of one attempt, from looking up the name to the last byte.
        clock: waits between attempts.
        opener: sends; by the environment's proxies, and without following anybody.
    """

    base_url: str
    key: str = field(repr=False)
    timeout_s: float = _DEFAULT_TIMEOUT_S
    clock: Clock = field(default_factory=Clock, repr=False)
    opener: urllib.request.OpenerDirector = field(default_factory=lambda: _opener(None), repr=False)

    def ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the `data` that answers a question; what may pass is asked again, four times at most.

        Raises:
            ConfigError: the server does not take the key.
            DataError: it cannot be reached, refuses, or answers what is not an answer; one line, with the server's
                address.
        """
        body = json.dumps({"query": query, "variables": dict(variables)}).encode()
        total = max(_TOTAL_S, self.timeout_s)
        until = time.monotonic() + total
        policy = RetryConfig(max_attempts=4, base_s=0.5, max_wait_s=4.0, max_total_s=total)

        def attempt() -> str:
            seconds = max(min(self.timeout_s, until - time.monotonic()), 0.05)
            try:
                return _within(seconds, lambda: self._send(body, seconds))
            except TimeoutError:
                raise PassingError(f"no answer within {seconds:.3g} s") from None

        try:
            text, _ = with_retries(attempt, policy, seed=query, clock=self.clock)
        except LLMError as error:
            remedy = f"check {BASE_URL}, the network and its proxies; {TIMEOUT} sets the seconds to wait"
            raise DataError(f"W&B does not answer ({error.what})", where=self.base_url, remedy=remedy) from None
        return self._data(text)

    def _send(self, body: bytes, seconds: float) -> str:
        token = base64.b64encode(f"api:{self.key}".encode()).decode()
        headers = {
            "Authorization": f"Basic {token}",
            "Content-Type": "application/json",
            "User-Agent": f"exaid-evals/{__version__}",
        }
        request = urllib.request.Request(f"{self.base_url}/graphql", body, headers)  # noqa: S310 - checked to be http(s)
        try:
            with self.opener.open(request, timeout=seconds) as answer:
                return self._text(answer, seconds)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, seconds) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._trouble(error) from None

    def _text(self, answer: http.client.HTTPResponse | urllib.error.HTTPError, seconds: float) -> str:
        """Read an answer; the key is taken out should the server repeat it."""
        until, data = time.monotonic() + seconds, bytearray()
        while chunk := answer.read1(1 << 16):  # as much as there is: `read` would wait for a byte now and then
            data += chunk
            if len(data) > _MAX_BYTES:
                raise self._wrong(f"answers more than {_MAX_BYTES >> 20} MiB at once")
            if time.monotonic() > until:
                raise TimeoutError
        if answer.length:  # http.client says nothing of what is missing
            raise http.client.IncompleteRead(b"")
        return Redactor([self.key]).stored(data.decode("utf-8", errors="replace"))

    def _refusal(self, error: urllib.error.HTTPError, seconds: float) -> Exception:
        status = error.code
        if passes(status):
            headers = {name.lower(): value for name, value in error.headers.items()}
            return PassingError(f"HTTP {status}", retry_after_s=retry_after_s(headers))
        if status == _UNAUTHORIZED:
            remedy = f"set {KEY} to a key of this server's, or {BASE_URL} to the key's server"
            return ConfigError(f"W&B does not take the key in {KEY} (401)", where=self.base_url, remedy=remedy)
        if _MULTIPLE_CHOICES <= status < _BAD_REQUEST:
            remedy = f"set {BASE_URL} to the server itself"
            what = f"W&B answers with a redirection ({status}), which is not followed: the key would go with it"
            return DataError(what, where=self.base_url, remedy=remedy)
        said = self._said(error, seconds)
        if status == _FORBIDDEN:
            remedy = f"ask its owner to let you in, or set another {KEY}"
            return DataError(f"the key in {KEY} may not read this (403{said})", where=self.base_url, remedy=remedy)
        if status == _NOT_FOUND:
            remedy = f"check the run's path entity/project/run, and {BASE_URL}"
            return DataError(f"W&B has no such run or page (404{said})", where=self.base_url, remedy=remedy)
        return self._wrong(f"refuses the question (HTTP {status}{said})")

    def _said(self, error: urllib.error.HTTPError, seconds: float) -> str:
        """Return `: message` of an error's body; empty where it has none."""
        try:
            errors = json.loads(self._text(error, seconds)).get("errors")
        except (OSError, http.client.HTTPException, ValueError, AttributeError, RecursionError):
            return ""
        return f": {self._messages(errors)}" if errors else ""

    def _trouble(self, error: Exception) -> Exception:
        """Return what went wrong by kind: the message of an error may repeat a proxy's password."""
        reason = getattr(error, "reason", None)
        inner = reason if isinstance(reason, BaseException) else error
        if isinstance(inner, ssl.SSLCertVerificationError):
            remedy = f"name the file of your authority's certificates in {CERTIFICATES}"
            return DataError("the certificate of W&B's server is not trusted", where=self.base_url, remedy=remedy)
        if isinstance(inner, TimeoutError):
            return TimeoutError()
        kinds: tuple[tuple[type[BaseException], str], ...] = (
            (ConnectionRefusedError, "the connection was refused"),
            (ConnectionError, "the connection broke"),
            (socket.gaierror, "the server's name is not known"),
            (UnicodeError, "the server's name is none"),
            (http.client.IncompleteRead, "the answer broke off"),
        )
        return PassingError(next((what for kind, what in kinds if isinstance(inner, kind)), type(inner).__name__))

    def _data(self, text: str) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            raise self._wrong("answers no JSON") from None
        if isinstance(answer, dict) and answer.get("errors"):
            what = f"W&B refuses the question ({self._messages(answer['errors'])})"
            remedy = f"check the run's path, and that the key in {KEY} may read it"
            raise DataError(what, where=self.base_url, remedy=remedy)
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
            raise self._wrong("answers without data")
        data: dict[str, Any] = answer["data"]
        return data

    def _messages(self, errors: Any) -> str:
        each = errors if isinstance(errors, list) else [errors]
        said = "; ".join(str(one.get("message", one) if isinstance(one, dict) else one) for one in each)
        return Redactor([self.key]).shown(" ".join(said.split()))[:_MAX_WORDS]

    def _wrong(self, what: str) -> DataError:
        return DataError(f"W&B {what}", where=self.base_url, remedy=f"check that {BASE_URL} is a server of W&B")


def server_of(environment: Mapping[str, str] | None = None) -> WandbServer:
    """Return the server that the environment names, with the key from `WANDB_API_KEY` and from nowhere else.

    Raises:
        ConfigError: there is no key, or key, address or timeout are none.
    """
    environment = os.environ if environment is None else environment
    key = environment.get(KEY, "").strip()
    url = environment.get(BASE_URL, "").strip() or _DEFAULT_URL
    problems = []
    if not key:
        remedy = f"set {KEY} and try again (netrc is not read)"
        problems.append(ConfigError(f"no {KEY} in the environment", where="--source wandb", remedy=remedy))
    elif not key.isascii() or not key.isprintable() or " " in key:
        what = "holds spaces or characters that no key has"
        problems.append(ConfigError(what, where=KEY, remedy="set it again, without quotes"))
    if not _is_address(url):
        remedy = "write it as https://host:port, without user, password and question mark"
        problems.append(ConfigError("holds no http or https address", where=BASE_URL, remedy=remedy))
    seconds = _seconds(environment.get(TIMEOUT, ""))
    if seconds is None:
        problems.append(ConfigError("is not a number of seconds above 0", where=TIMEOUT, remedy="set it to 19, say"))
    try:
        opener = _opener(environment.get(CERTIFICATES) or None)
    except OSError:
        remedy = "name a file of certificates in PEM, or unset it"
        problems.append(ConfigError("names no certificates", where=CERTIFICATES, remedy=remedy))
    if problems:
        raise ConfigError.of(problems)
    return WandbServer(url.rstrip("/"), key, seconds or _DEFAULT_TIMEOUT_S, opener=opener)


def _opener(certificates: str | None) -> urllib.request.OpenerDirector:
    """Return what sends; raises OSError where the file of certificates holds none."""
    context = ssl.create_default_context(cafile=certificates)
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect())


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment) and url.isprintable()
    return bool(parts.scheme in ("http", "https") and parts.hostname and port_is_number and plain and " " not in url)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text.strip() or _DEFAULT_TIMEOUT_S)
    except ValueError:
        return None
    return seconds if 0 < seconds < threading.TIMEOUT_MAX else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nothing: urllib would send the key along, to any host."""

    def redirect_request(self, *_: Any) -> None:
        """Let the redirection be the error that it is here."""


def _within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return what a call returns, or raise what it raises.

    It runs in a thread of its own, for a socket's timeout bounds neither the look-up of a name nor a server that sends
    a byte now and then. A thread that is given up ends with its socket, and holds up no exit.

    Raises:
        TimeoutError: it takes longer.
    """
    outcome: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=work, daemon=True, name="wandb").start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
