"""The one retry policy: what is sent again, when, and when it is given up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from exaid_evals.config.summarizer import RetryConfig
from exaid_evals.errors import LLMError

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
