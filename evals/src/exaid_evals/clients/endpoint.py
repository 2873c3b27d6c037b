"""How a live client reaches its server: at which address, with which key, and what it sends again."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from exaid_evals.artifacts.redaction import Redactor
from exaid_evals.config.variant import RetryConfig
from exaid_evals.errors import ConfigError, LLMError

Result = TypeVar("Result")

RETRIED_STATUS = frozenset({408, 409, 429})
"""Client errors that pass; every 5xx passes too."""


class PassingError(Exception):
    """A request failed for a reason that may pass.

    Attributes:
        retry_after_s: how long the server asks to wait; None where it does not say.
    """

    def __init__(self, what: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a policy's time comes from; tests put a virtual one here.

    Attributes:
        monotonic: seconds from some point on.
        sleep: waits so many seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = field(default=time.sleep)


def passes(status: int) -> bool:
    """Return whether a request that was answered with this HTTP status may be sent again."""
    return status in RETRIED_STATUS or 500 <= status <= 599


def with_retries(
    attempt: Callable[[], Result],
    policy: RetryConfig,
    *,
    seed: str,
    clock: Clock,
    before_again: Callable[[], None] = lambda: None,
) -> tuple[Result, int]:
    """Call until it succeeds; return the result and the number of attempts.

    The wait before attempt n + 1 is drawn between half of and all of `base_s · 2^(n−1)`, at most `max_wait_s`; the
    draw comes from a generator of its own, seeded by the request, so that equal requests wait equally long, while
    different ones do not come back at the same moment. A longer `Retry-After` of the server is kept to. How long
    is waited changes no result.

    Args:
        attempt: raises PassingError for what may pass; whatever else it raises comes out at once.
        policy: bounds of attempts, waits and total time.
        seed: seeds the jitter.
        clock: where time comes from.
        before_again: called before each further attempt; what it raises comes out.

    Raises:
        LLMError: no attempt succeeded within the bounds.
    """
    jitter = random.Random(seed)  # noqa: S311 - not for secrets
    started = clock.monotonic()
    for number in range(1, policy.max_attempts + 1):
        try:
            return attempt(), number
        except PassingError as error:
            problem, asked_s = str(error), error.retry_after_s
        wait_s = min(policy.base_s * 2 ** (number - 1), policy.max_wait_s) * jitter.uniform(0.5, 1.0)
        wait_s = max(wait_s, asked_s or 0.0)
        elapsed_s = clock.monotonic() - started
        if number == policy.max_attempts or elapsed_s + wait_s > policy.max_total_s:
            break
        clock.sleep(wait_s)
        before_again()
    times = "once" if number == 1 else f"{number} times"
    raise LLMError(
        f"sent {times} within {elapsed_s:.0f} s, at last: {problem}",
        remedy="run the same command again later, with fewer --jobs, or with other limits under llm.retry",
    )


def retry_after_s(headers: dict[str, str], *, now: datetime | None = None) -> float | None:
    """Return how long a response's headers ask to wait, in s; None where they do not say.

    >>> retry_after_s({"retry-after": "7"}), retry_after_s({"retry-after-ms": "250"}), retry_after_s({})
    (7.0, 0.25, None)
    >>> retry_after_s({"retry-after": "Fri, 31 Jan 2025 12:00:30 GMT", "date": "Fri, 31 Jan 2025 12:00:00 GMT"})
    30.0

    Args:
        headers: with names in lower case.
        now: the present, where the response has no `date` of its own.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    until = _date(value)
    if until is None:
        return None
    # The server's own date goes before ours: two clocks may differ by more than the wait.
    since = _date(headers.get("date")) or now or datetime.now(UTC)
    return max((until - since).total_seconds(), 0.0)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


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
