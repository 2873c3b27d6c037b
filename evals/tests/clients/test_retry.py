"""The retry policy, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from exaid_evals.clients.endpoint import Clock, PassingError, passes, retry_after_s, with_retries
from exaid_evals.config.variant import RetryConfig
from exaid_evals.errors import LLMError


class Virtual:
    """A clock that only sleeping moves.

    Attributes:
        slept: each wait, in s.
    """

    def __init__(self) -> None:
        self.slept: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(lambda: sum(self.slept), self.slept.append)


def failing(n_times: int, *, asked_s: float | None = None) -> Callable[[], str]:
    """Return work that fails so often for a passing reason, and then gives an answer."""
    left = [n_times]

    def attempt() -> str:
        if left[0]:
            left[0] -= 1
            raise PassingError("HTTP 503", retry_after_s=asked_s)
        return "done"

    return attempt


def test_waits_double_with_jitter_up_to_the_limit() -> None:
    """Each wait lies between half of and all of its step: 0.5, 1, 2, 4, then never more than the limit."""
    time = Virtual()
    policy = RetryConfig(max_attempts=8, max_wait_s=4)
    assert with_retries(failing(6), policy, seed="a", clock=time.clock) == ("done", 7)
    for step, wait in zip([0.5, 1, 2, 4, 4, 4], time.slept, strict=True):
        assert step / 2 <= wait <= step


def test_equal_requests_wait_equally_and_different_ones_do_not() -> None:
    """The jitter is drawn from a generator that the request seeds."""
    waits = []
    for seed in ("a", "a", "b"):
        time = Virtual()
        with_retries(failing(3), RetryConfig(), seed=seed, clock=time.clock)
        waits.append(time.slept)
    assert waits[0] == waits[1] != waits[2]


def test_the_server_says_how_long_to_wait() -> None:
    """A longer Retry-After is kept to; a shorter one does not shorten the wait."""
    time = Virtual()
    with_retries(failing(1, asked_s=17), RetryConfig(), seed="a", clock=time.clock)
    with_retries(failing(1, asked_s=0), RetryConfig(), seed="a", clock=time.clock)
    assert time.slept[0] == 17
    assert 0.25 <= time.slept[1] <= 0.5


def test_attempts_are_bounded() -> None:
    """After max_attempts it is given up, with the last reason and what to do."""
    time = Virtual()
    with pytest.raises(LLMError, match=r"sent 3 times.*HTTP 503.*--jobs"):
        with_retries(failing(3), RetryConfig(max_attempts=3), seed="a", clock=time.clock)
    assert len(time.slept) == 2


def test_the_total_time_is_bounded() -> None:
    """A wait that would end too late is not begun."""
    time = Virtual()
    with pytest.raises(LLMError, match="sent once"):
        with_retries(failing(9, asked_s=3600), RetryConfig(max_total_s=60), seed="a", clock=time.clock)
    assert time.slept == []


def test_other_errors_come_out_at_once() -> None:
    """What does not pass is not tried again."""

    def attempt() -> str:
        raise LLMError("HTTP 400")

    with pytest.raises(LLMError, match="HTTP 400"):
        with_retries(attempt, RetryConfig(), seed="a", clock=Virtual().clock)


def test_each_further_attempt_is_announced() -> None:
    """The budget is charged before every attempt but the first."""
    announced: list[int] = []
    with_retries(failing(2), RetryConfig(), seed="a", clock=Virtual().clock, before_again=lambda: announced.append(1))
    assert len(announced) == 2


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "9", "retry-after-ms": "1200"}, 1.2),
        ({"retry-after": "Fri, 31 Jan 2025 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 31 Jan 2025 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 31 Jan 2025 12:00:30 GMT", "date": "Fri, 31 Jan 2025 12:00:10 GMT"}, 20.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], expected: float | None) -> None:
    """Both forms are read, against the server's clock where it tells it; nonsense asks for nothing."""
    assert retry_after_s(headers, now=datetime(2025, 1, 31, 12, tzinfo=UTC)) == expected


def test_which_refusals_pass() -> None:
    """408, 409, 429 and every 5xx pass; other client errors are final."""
    assert [status for status in (400, 401, 403, 404, 408, 409, 422, 429, 500, 503, 599) if passes(status)] == [
        408,
        409,
        429,
        500,
        503,
        599,
    ]
