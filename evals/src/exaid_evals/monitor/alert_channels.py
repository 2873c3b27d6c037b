"""What an alert is, and the channels that carry it: a Slack-compatible webhook, and e-mail."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPSConnection
from typing import Any, Protocol
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from exaid_evals.anomalies.base import Severity
from exaid_evals.artifacts.redaction import printable, printable_lines
from exaid_evals.config.plugins import optional
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.environment import secret, variable_of
from exaid_evals.monitor.settings import EmailConfig, is_loopback


@dataclass(frozen=True, slots=True)
class Alert:
    """One message.

    Attributes:
        run_name: of the training.
        kind: of the anomaly, or `recovery`, `test`.
        metric: that it is about.
        severity: of the anomaly.
        text: what happened, in one line.
        details: the numbers behind it, in one line; may be empty.
        held_back: alerts of this kind about this metric since the last one, which were not sent.
    """

    run_name: str
    kind: str
    metric: str
    severity: Severity
    text: str
    details: str = ""
    held_back: int = 0

    @property
    def subject(self) -> str:
        """The message as a title."""
        return f"[{self.severity}] {self.run_name}: {self.text}"

    @property
    def body(self) -> str:
        """The message as lines."""
        lines = [self.text]
        if self.details:
            lines.append(self.details)
        if self.held_back:
            lines.append(f"{self.held_back} more of these were held back since the last message")
        return "\n".join(lines)


class DeliveryError(Exception):
    """An alert did not arrive. The message says why, and holds neither address nor password."""

    def __init__(self, why: str, *, lasting: bool = False) -> None:
        """Say why."""
        super().__init__(why)
        self.lasting = lasting


class Channel(Protocol):
    """Carries alerts to one place. It may be slow, and may fail: it is called from a thread of its own."""

    @property
    def name(self) -> str:
        """As in messages: `slack_webhook`, `email`."""

    def send(self, alert: Alert) -> None:
        """Deliver an alert within the configured time-out.

        Raises:
            DeliveryError: it did not arrive.
        """


_MARKS = {"low": "⚪", "medium": "🟡", "high": "🟠", "critical": "🔴"}
_WHERE = "alerts.slack_webhook"
_NAT64, _UNICAST = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("2000::/3")
_MOST_CHARACTERS = 3000


class WebhookChannel:
    """Posts `{"text": …}` by slack_sdk, whose own log lines, which hold the address, go nowhere."""

    name = "slack_webhook"

    def __init__(self, reference: str, timeout: float, *, allow_private: bool = False) -> None:
        """Prepare to post; nothing is sent.

        Args:
            reference: `${NAME}` of the variable with the address.
            timeout: seconds, of connecting and of each read.
            allow_private: whether its name may lead to an address of a private network.

        Raises:
            ConfigError: the variable is not set, or holds no address that may be used.
            MissingDependencyError: slack_sdk is not installed.
        """
        module = optional("slack_sdk.webhook", "slack-sdk", "a webhook for alerts")
        url = secret(reference, _WHERE)
        _check(url, variable_of(reference), allow_private=allow_private)
        silent = logging.Logger("slack_sdk.webhook.silent", level=logging.CRITICAL + 1)
        # Whole seconds are what the client declares; the socket below takes any.
        self._client = _client_class(module, allow_private=allow_private)(
            url, timeout=timeout, logger=silent, retry_handlers=[]
        )

    def send(self, alert: Alert) -> None:
        """Post an alert; any answer but 2xx is a failure.

        Raises:
            DeliveryError: it did not arrive.
        """
        text = f"{_MARKS[alert.severity]} *{_escaped(alert.subject)}*"
        rest = alert.body.partition("\n")[2]
        if rest:
            text += f"\n{_escaped(rest)}"
        try:
            answer = self._client.send(text=text[:_MOST_CHARACTERS])
        except URLError as error:
            raise DeliveryError(_kind_of(error), lasting=isinstance(error.reason, _PrivateAddressError)) from None
        except Exception as error:  # whatever it is, its message may hold the address
            raise DeliveryError(_kind_of(error)) from None
        if not 200 <= answer.status_code < 300:
            lasting = 300 <= answer.status_code < 500 and answer.status_code not in (408, 429)
            raise DeliveryError(f"the server answered {answer.status_code}", lasting=lasting)


class _NoRedirects(HTTPRedirectHandler):
    """Leaves an answer 3xx as the error that it is: following it would turn the post into a GET of another page."""

    def redirect_request(self, *_args: Any) -> None:
        """Follow nothing."""


class _PrivateAddressError(OSError):
    """A public name has led into a private network."""


def _is_outside(address: str) -> bool:
    """Return whether an address is one of the public internet.

    >>> [_is_outside(one) for one in ("8.8.8.8", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1")]
    [True, False, False, False, False]
    >>> [_is_outside(one) for one in ("224.0.0.1", "2002:7f00:1::1", "64:ff9b::a00:1", "64:ff9b::808:808")]
    [False, False, False, True]
    >>> [_is_outside(one) for one in ("::10.0.0.1", "::ffff:0:10.0.0.1", "fec0::1", "64:ff9b:1::1", "2600::1")]
    [False, False, False, False, True]
    """
    parsed = ipaddress.ip_address(address.split("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        # Ways of writing an address of the other kind, whose routers take it there.
        within = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in _NAT64 else None
        outer = parsed
        parsed = within or outer.ipv4_mapped or outer.sixtofour or outer
        if parsed is outer and outer not in _UNICAST:  # nothing else is given to anybody
            return False
    return parsed.is_global and not parsed.is_multicast


class _Guarded(HTTPSConnection):
    """Looks, before anything is sent, at the address that was reached: a name may lead elsewhere than it did before."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._create_connection = self._connected  # http.client's own way to let another make the connection

    def _connected(self, address: tuple[str, int], *arguments: Any) -> socket.socket:
        made = socket.create_connection(address, *arguments)
        tunnel = getattr(self, "_tunnel_host", None)  # a proxy is where the environment says, and looks itself
        if not tunnel and not is_loopback(self.host) and not _is_outside(made.getpeername()[0]):
            made.close()
            raise _PrivateAddressError
        return made


class _GuardedHandler(HTTPSHandler):
    def https_open(self, req: Request) -> Any:
        """Open by a connection that looks."""
        return self.do_open(_Guarded, req, context=getattr(self, "_context"))  # noqa: B009


def _client_class(module: Any, *, allow_private: bool) -> Any:
    """Return slack_sdk's client, but for its following redirects, for which it has no setting."""
    https = HTTPSHandler if allow_private else _GuardedHandler

    class Client(module.WebhookClient):  # type: ignore[misc]
        def _perform_http_request_internal(self, url: str, req: Request) -> Any:
            handlers: list[Any] = [_NoRedirects, https(context=self.ssl)]
            if self.proxy is not None:
                handlers.append(ProxyHandler({"http": self.proxy, "https": self.proxy}))
            with build_opener(*handlers).open(req, timeout=self.timeout) as answer:
                # Slack answers "ok"; what a hostile server sends is not read.
                return module.WebhookResponse(url=url, status_code=answer.status, body="", headers=answer.headers)

    return Client


def _check(url: str, variable: str, *, allow_private: bool) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", url):
        raise ConfigError(f"{variable} holds no web address", where=_WHERE, remedy="copy the webhook's address into it")
    with contextlib.suppress(ValueError):  # a name is looked up when it is called
        if not allow_private and not is_loopback(host) and not _is_outside(host):
            remedy = "use a public address, or set alerts.allow_private_addresses: true"
            raise ConfigError(f"{variable} holds an address of a private network", where=_WHERE, remedy=remedy)
    if parts.scheme == "http" and not is_loopback(host):
        remedy = "use the https address, for whoever reads it on the way can post too"
        raise ConfigError(f"{variable} holds an address without encryption", where=_WHERE, remedy=remedy)


def _kind_of(error: BaseException) -> str:
    """Return what went wrong by kind alone: the messages of urllib's errors may repeat the address."""
    reason = getattr(error, "reason", None)
    inner = reason if isinstance(reason, BaseException) else error
    if isinstance(inner, _PrivateAddressError):
        return "its name leads into a private network, which alerts.allow_private_addresses does not allow"
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, ConnectionRefusedError):
        return "the connection was refused"
    return f"{type(inner).__name__}"


def _escaped(text: str) -> str:
    """Return text that Slack shows as it is: names of metrics must not call a channel or make links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_MOST_IN_SUBJECT = 150


class MailChannel:
    """Hands alerts to a mail server, over an encrypted connection unless the configuration says `none`."""

    name = "email"

    def __init__(self, config: EmailConfig, timeout: float) -> None:
        """Prepare to send; nothing is connected.

        Args:
            config: server, addresses, and the variables of user and password.
            timeout: seconds, of connecting and of each answer.

        Raises:
            ConfigError: a variable is not set; the certificates cannot be read.
        """
        self._config, self._timeout = config, timeout
        self._login: tuple[str, str] | None = None
        if config.username is not None and config.password is not None:
            self._login = (
                secret(config.username, "alerts.email.username"),
                secret(config.password, "alerts.email.password"),
            )
        try:
            self._context = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            where = f"alerts.email.ca_file: {config.ca_file}"
            raise ConfigError(f"cannot be read ({error})", where=where, remedy="name a file in PEM form") from None

    def send(self, alert: Alert) -> None:
        """Send an alert to all recipients.

        Raises:
            DeliveryError: the server could not be reached, refused user or password, or took no recipient.
        """
        message = EmailMessage()
        # A line end in a name would begin a header of its own.
        message["Subject"] = printable(alert.subject)[:_MOST_IN_SUBJECT]
        message["From"] = self._config.sender
        message["To"] = ", ".join(self._config.recipients)
        message.set_content(printable_lines(alert.body))
        try:
            refused = self._delivered(message)
        except smtplib.SMTPAuthenticationError:
            raise DeliveryError("the server refused user or password", lasting=True) from None
        except ssl.SSLCertVerificationError as error:
            raise DeliveryError(f"the certificate is not trusted ({error.verify_message})", lasting=True) from None
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(f"the server answered {error.smtp_code}", lasting=error.smtp_code >= 500) from None
        except TimeoutError:
            raise DeliveryError("no answer in time") from None
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            # smtplib wraps what happens while it reads an answer.
            late = isinstance(error.__context__, TimeoutError)
            raise DeliveryError("no answer in time" if late else type(error).__name__) from None
        if refused:
            raise DeliveryError(f"{len(refused)} of {len(self._config.recipients)} recipients refused", lasting=True)

    def _delivered(self, message: EmailMessage) -> Mapping[str, object]:
        """Hand over a message, and return the recipients that were refused."""
        server = self._connected()
        try:
            if self._login is not None:
                server.login(*self._login)
            refused = server.send_message(message)
            # The message is with the server: no answer to the farewell may have it sent again.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            server.close()
        return refused

    def _connected(self) -> smtplib.SMTP:
        host, port = self._config.host, self._config.port
        if self._config.security == "ssl":
            return smtplib.SMTP_SSL(host, port, timeout=self._timeout, context=self._context)
        server = smtplib.SMTP(host, port, timeout=self._timeout)
        if self._config.security == "starttls":
            try:
                server.starttls(context=self._context)
            except BaseException:
                server.close()
                raise
        return server
