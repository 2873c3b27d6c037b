"""When the characters of a message arrive."""

from __future__ import annotations

import re
from collections.abc import Iterable

from exaid_evals.config.mas_generation import TimingConfig
from exaid_evals.traces.model import Message
from exaid_evals.traces.stub.sampler import Sampler

# A chunk ends behind a clause or a line, with the blanks that follow.
_CHUNK = re.compile(r".+?(?:[.?!;:,](?=\s)\s*|\n\s*|\Z)", re.DOTALL)


def chunks_of(text: str) -> list[str]:
    r"""Split a text into clauses and lines that add up to it.

    >>> chunks_of("No fever, no rash.\nWe agree.")
    ['No fever, ', 'no rash.\n', 'We agree.']
    """
    return _CHUNK.findall(text)


def schedule(said: Iterable[tuple[str, str]], config: TimingConfig, sampler: Sampler) -> tuple[Message, ...]:
    """Give each message its times.

    A chunk arrives whole at its time; the next follows after the time that typing it takes, and now and then after a
    pause. A message begins after the last one's typing has ended.

    Args:
        said: `(agent id, text)` of each message, the supervisor's opening first.
        config: the distributions.
        sampler: a stream for timing alone.

    Returns:
        The messages with `t_rel_ms` and `stream`; times never decrease.
    """
    messages: list[Message] = []
    now = 0
    for agent_id, text in said:
        if not messages:
            speed, pause_probability = config.presentation_speed, 0.0
        else:
            now += round(sampler.log_normal(config.reading_ms if len(messages) == 1 else config.first_token_ms))
            speed, pause_probability = sampler.log_normal(config.typing_speed), config.pause_probability
        start = now
        stream: list[tuple[int, int]] = []
        for chunk in chunks_of(text):
            if stream and sampler.chance(pause_probability):
                now += round(sampler.log_normal(config.pause_ms))
            stream.append((now, len(chunk)))
            now += max(1, round(1000 * len(chunk) / speed))
        messages.append(Message(agent_id, text, start, tuple(stream)))
    return tuple(messages)
