"""Alerts to a Slack-compatible webhook. Its address is a secret: whoever has it can post."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import socket
from http.client import HTTPSConnection
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from exaid_evals.config.extras import optional
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.alerts.base import Alert, DeliveryError
from exaid_evals.monitor.environment import secret, variable_of
from exaid_evals.monitor.settings import is_loopback

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
