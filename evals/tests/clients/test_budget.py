"""The budget: counted over all threads, refused before the call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from exaid_evals.clients.base import Budget, Spent, StoppedError


def try_charge(budget: Budget, prompt_ctu: int = 10) -> bool:
    """Charge a call, and tell whether it was allowed."""
    try:
        budget.charge(prompt_ctu)
    except StoppedError:
        return False
    return True


def test_no_thread_exceeds_the_number_of_calls() -> None:
    """Of 500 calls from 16 threads exactly as many are allowed as the budget has."""
    budget = Budget(max_calls=123)
    with ThreadPoolExecutor(16) as pool:
        allowed = sum(pool.map(lambda _: try_charge(budget), range(500)))
    assert (allowed, budget.spent) == (123, Spent(123, 1230))


def test_ctu_are_prompts_and_answers() -> None:
    """A prompt that would exceed the limit is refused, with what was spent and how to go on."""
    budget = Budget(max_ctu=100)
    budget.charge(40)
    budget.settle(50)
    with pytest.raises(StoppedError, match=r"100 CTU.*90 spent.*next prompt has 11.*--max-ctu"):
        budget.charge(11)


def test_what_stopped_stays_stopped_for_the_first_reason() -> None:
    """After a stop even a small call is refused, and no wait is kept."""
    budget = Budget(max_calls=1)
    budget.stop("the key was refused", remedy="set another")
    budget.stop("interrupted")
    assert not try_charge(budget, 0)
    budget.wait(60)
    assert budget.stop_reason == "the key was refused; set another"


def test_without_limits_everything_is_allowed() -> None:
    """No limit, no stop."""
    budget = Budget()
    assert all(try_charge(budget, 10**9) for _ in range(10))
    assert budget.stop_reason is None
