"""What live calls may cost in total, and the one switch that stops all of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from exaid_evals.errors import LLMError


class StoppedError(LLMError):
    """No more calls are made: the budget is used up, the server refuses for good, or the user interrupted."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent.

    Attributes:
        calls: requests sent, those that were sent again included.
        ctu: CTU of their prompts and answers.
    """

    calls: int = 0
    ctu: int = 0


class Budget:
    """Counts requests and CTU over a whole command, for any number of threads.

    A request is refused before it is sent, once `max_calls` have been sent or its prompt would exceed `max_ctu`.
    The length of an answer is unknown until it is there, so the CTU spent may exceed the limit by the answers that
    were under way.
    """

    def __init__(self, max_calls: int | None = None, max_ctu: int | None = None) -> None:
        self._max_calls = max_calls
        self._max_ctu = max_ctu
        self._lock = threading.Lock()
        self._calls = 0
        self._ctu = 0
        self._reason: str | None = None
        self._remedy: str | None = None
        self._stopped = threading.Event()

    @property
    def spent(self) -> Spent:
        """What has been spent so far."""
        with self._lock:
            return Spent(self._calls, self._ctu)

    @property
    def stop_reason(self) -> str | None:
        """Why no more calls are made, with the remedy; None while they are."""
        with self._lock:
            return self._reason if self._remedy is None else f"{self._reason}; {self._remedy}"

    def charge(self, prompt_ctu: int) -> None:
        """Count a request that is about to be sent.

        Raises:
            StoppedError: it must not be sent.
        """
        with self._lock:
            if self._reason is None and self._max_calls is not None and self._calls >= self._max_calls:
                self._close(
                    f"the budget of {self._max_calls:,} calls is used up",
                    "the same command goes on from here, with --max-calls for the calls to come",
                )
            if self._reason is None and self._max_ctu is not None and self._ctu + prompt_ctu > self._max_ctu:
                self._close(
                    f"the budget of {self._max_ctu:,} CTU is used up ({self._ctu:,} spent, the next prompt has "
                    f"{prompt_ctu:,})",
                    "the same command goes on from here, with --max-ctu for what is to come",
                )
            if self._reason is not None:
                raise StoppedError(self._reason, remedy=self._remedy)
            self._calls += 1
            self._ctu += prompt_ctu

    def settle(self, completion_ctu: int) -> None:
        """Count an answer."""
        with self._lock:
            self._ctu += completion_ctu

    def stop(self, reason: str, *, remedy: str | None = None) -> None:
        """Refuse every request from now on, and end every wait for one. The first reason stands."""
        with self._lock:
            self._close(reason, remedy)

    def wait(self, seconds: float) -> None:
        """Sleep, or wake up when no more calls are made."""
        self._stopped.wait(seconds)

    def _close(self, reason: str, remedy: str | None) -> None:
        if self._reason is None:
            self._reason, self._remedy = reason, remedy
        self._stopped.set()
