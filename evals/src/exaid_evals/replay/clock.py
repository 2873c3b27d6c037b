"""The virtual clock: when each code point of a trace has arrived. No wall clock is ever read."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from exaid_evals.traces.model import Message, Trace


@dataclass(frozen=True, slots=True)
class MessageArrival:
    """When a message's text arrives.

    Attributes:
        start_ms: when its first character may appear.
        ends: code points arrived after each recorded chunk; empty where arrival is at a constant speed.
        times: when each recorded chunk arrived, in ms.
        ms_per_char: the constant speed, used where no chunk is recorded.
        n_chars: length of the message in code points.
    """

    start_ms: int
    ends: tuple[int, ...]
    times: tuple[int, ...]
    ms_per_char: float
    n_chars: int

    def time_of(self, end_char: int) -> int:
        """Return when the code points before `end_char` have all arrived, in ms.

        Raises:
            ValueError: the message is shorter.
        """
        if not 0 <= end_char <= self.n_chars:
            raise ValueError(f"a message of {self.n_chars} code points has no end {end_char}")
        if end_char == 0:
            return self.start_ms
        if self.ends:
            return self.times[bisect_left(self.ends, end_char)]
        return self.start_ms + -int(-end_char * self.ms_per_char // 1)

    @property
    def end_ms(self) -> int:
        """When the whole message has arrived."""
        return self.time_of(self.n_chars)


def arrivals(trace: Trace, chars_per_second: float) -> list[MessageArrival]:
    """Return the arrival of each message, in order.

    A message whose stream is recorded arrives as it says; another arrives at `chars_per_second` from its start.
    Agents speak one after the other: where a start lies before the end of the message before it, the whole
    message is shifted behind that end.
    """
    found: list[MessageArrival] = []
    free_at = 0
    for message in trace.messages:
        arrival = _arrival(message, free_at, 1000.0 / chars_per_second)
        found.append(arrival)
        free_at = arrival.end_ms
    return found


def _arrival(message: Message, free_at: int, ms_per_char: float) -> MessageArrival:
    start = max(message.t_rel_ms, free_at)
    shift = start - message.t_rel_ms
    ends = tuple(accumulate(n_chars for _, n_chars in message.stream))
    times = tuple(t_ms + shift for t_ms, _ in message.stream)
    return MessageArrival(start, ends, times, ms_per_char, len(message.content))
