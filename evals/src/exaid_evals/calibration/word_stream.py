"""A trace as arrays of words: what every policy of the token gate sees of it, compiled once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exaid_evals.middleware.gates.base import Piece
from exaid_evals.middleware.gates.token_gate import TokenGate, TokenGateSettings
from exaid_evals.replay.clock import arrivals
from exaid_evals.replay.pieces import pieces_of
from exaid_evals.traces.model import Trace

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NEVER = 10**9
"""More words, and more milliseconds, than any conversation has."""


@dataclass(frozen=True, slots=True)
class WordStream:
    """The words of a case, message after message, each message followed by one place for its end.

    Attributes:
        case_id: whose words.
        times: (n,) when each word has arrived, or the message is over, in ms; never descending.
        boundary: (n,) whether the gate takes the word for a boundary; false at a message's end.
        starts: (m,) place of the first word of each message that has words.
        ends: (m,) place of the end of each such message.
    """

    case_id: str
    times: Ints
    boundary: Flags
    starts: Ints
    ends: Ints


def word_stream(trace: Trace, chars_per_second: float) -> WordStream:
    """Compile a successful trace. Where recorded streams overlap, words wait as they do in a replay."""
    times: list[int] = []
    boundary: list[bool] = []
    starts: list[int] = []
    ends: list[int] = []
    for seq, (message, arrival) in enumerate(zip(trace.messages, arrivals(trace, chars_per_second), strict=True)):
        pieces = list(pieces_of(message, seq, arrival))
        if not pieces:
            continue
        starts.append(len(times))
        times += [piece.t_ms for piece in pieces]
        boundary += _boundaries(pieces)
        ends.append(len(times))
        times.append(arrival.end_ms)
        boundary.append(False)
    clock = np.maximum.accumulate(np.array(times, dtype=np.int64))
    return WordStream(trace.case_id, clock, np.array(boundary, dtype=np.bool_), np.array(starts), np.array(ends))


def _boundaries(pieces: Sequence[Piece]) -> list[bool]:
    """Ask the gate itself: one that lets everything go at a boundary, and nothing elsewhere."""
    settings = TokenGateSettings(min_words=1, max_words=_NEVER, silence_ms=_NEVER, max_wait_ms=_NEVER)
    gate = TokenGate(settings)
    return [bool(gate.on_piece(piece)) for piece in pieces]
