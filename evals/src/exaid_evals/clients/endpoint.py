"""Where a live client sends its requests, and with which key: from the environment, and from nowhere else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from exaid_evals.artifacts.redaction import Redactor
from exaid_evals.errors import ConfigError

# provider → variable of the key, variable of the base URL, base URL.
PROVIDERS = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
    "google": ("GOOGLE_API_KEY", "GOOGLE_BASE_URL", "https://generativelanguage.googleapis.com/v1beta/openai"),
}
# Variable of a key → what to write to use it.
_LINES_FOR = {
    "GOOGLE_API_KEY": "write `provider: google` and `model: gemini-2.5-flash-lite` under `llm` in summarizer.yaml (for "
    'stage 01 `"provider": "google"` and such a `"model"` in mac_model_config.json)',
    "OPENAI_API_KEY": "write `provider: openai` and `model: gpt-4o-mini` under `llm` in summarizer.yaml (for stage 01 "
    '`"provider": "openai"` and such a `"model"` in mac_model_config.json)',
}
_LONGEST_KEY = 4096
_PUBLIC_PARAMETERS = frozenset({"api-version", "api_version", "alt"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server and the key for it.

    Attributes:
        base_url: without query; user and password, if any, are sent as basic authorisation by the HTTP library.
        query: parameters of the base URL, sent with every request.
        key: the API key; empty where none is set.
        key_variable: the environment variable of the key.
        shown: the base URL as messages may show it: without user, password and query.
        other_key: the variable of another provider's key, where that is set and this one's is not.
        redactor: takes the key and all that is secret in the base URL out of texts.
    """

    base_url: str
    query: Mapping[str, str] = field(repr=False)
    key: str = field(repr=False)
    key_variable: str
    shown: str
    redactor: Redactor = field(repr=False)
    other_key: str = ""

    def check(self) -> None:
        """Make sure that a request could be sent.

        Raises:
            ConfigError: the key is missing or malformed, or the base URL is none.
        """
        problems = []
        if not self.key:
            remedy = f"set the environment variable {self.key_variable}; for recorded calls use --llm replay"
            if self.other_key:
                remedy = f"{self.other_key} is set: {_LINES_FOR[self.other_key]}; or {remedy}"
            problems.append(ConfigError("no API key", where=self.key_variable, remedy=remedy))
        elif not self.key.isascii() or not self.key.isprintable() or " " in self.key or len(self.key) > _LONGEST_KEY:
            what = "holds spaces or characters that no key has"
            problems.append(ConfigError(what, where=self.key_variable, remedy="set it again, without quotes"))
        parts = _split(self.base_url)
        if parts is None:
            variable = next(url for key, url, _ in PROVIDERS.values() if key == self.key_variable)
            problems.append(
                ConfigError("no http or https URL", where=variable, remedy="write it as https://host:port/v1")
            )
        if problems:
            raise ConfigError.of(problems)


def endpoint_of(provider: str, environment: Mapping[str, str] | None = None) -> Endpoint:
    """Return the endpoint that the environment names for a provider.

    Each provider has variables of its own, so that no key is ever sent to another one's server.
    """
    environment = os.environ if environment is None else environment
    key_variable, url_variable, default = PROVIDERS[provider]
    key = environment.get(key_variable, "").strip()
    url = environment.get(url_variable, "").strip() or default
    parts = _split(url)
    secrets = {environment.get(name, "").strip() for name, _, _ in PROVIDERS.values()} | {key}
    if parts is None:
        return Endpoint("", {}, key, key_variable, "", Redactor({*secrets, url}))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    hidden = {value for name, value in query.items() if name not in _PUBLIC_PARAMETERS}
    user, at, host = parts.netloc.rpartition("@")
    secrets |= {*hidden, *(unquote(part) for part in user.split(":", 1)), *user.split(":", 1), unquote(user)}
    return Endpoint(
        base_url=urlunsplit((parts.scheme, f"{user}{at}{host}", parts.path, "", "")),
        query=query,
        key=key,
        key_variable=key_variable,
        shown=urlunsplit((parts.scheme, host, parts.path, "", "")),
        redactor=Redactor(secrets),
        other_key="" if key else next((name for name in _LINES_FOR if environment.get(name, "").strip()), ""),
    )


def environment_redactor() -> Redactor:
    """Return what takes the environment's keys out of texts."""
    return Redactor(os.environ.get(name, "").strip() for name, _, _ in PROVIDERS.values())


@contextlib.contextmanager
def secrets_hidden() -> Iterator[None]:
    """Take the environment's keys, and whatever looks like one, out of configuration errors that leave the block."""
    try:
        yield
    except ConfigError as error:
        redactor = environment_redactor()
        raise ConfigError.of([ConfigError(redactor.shown(str(part))) for part in error.parts]) from None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname and port_is_number else None
