"""A trace as a gate sees it: words, each at the moment when it has arrived."""

from __future__ import annotations

import re
from collections.abc import Iterator

from exaid_evals.middleware.gates.base import Piece
from exaid_evals.replay.clock import MessageArrival
from exaid_evals.traces.model import Message

# A word takes the white space behind it along (and a message's first word what stands before it), so that the
# pieces of a message add up to the message.
_PIECE = re.compile(r"\s*\S+\s*")


def pieces_of(message: Message, seq: int, arrival: MessageArrival) -> Iterator[Piece]:
    """Yield a message's words in order.

    A word has arrived with its last visible character; one that ends a line arrives with the line end, which a
    gate may wait for.
    """
    for match in _PIECE.finditer(message.content):
        text = match.group()
        visible = text.rstrip()
        ends_line = "\n" in text[len(visible) :]
        arrived = match.end() if ends_line else match.start() + len(visible)
        yield Piece(message.agent_id, seq, match.start(), match.end(), text, arrival.time_of(arrived))
