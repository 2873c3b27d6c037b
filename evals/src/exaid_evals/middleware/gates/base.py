"""What a gate is: it is fed a stream of words and says when a chunk leaves its buffer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exaid_evals.config.base import Config


class Piece(NamedTuple):
    r"""A word of the stream with the white space behind it, the least that a gate is given.

    Attributes:
        agent_id: who says it.
        seq: the message it belongs to.
        start_char: code point of the message where it begins.
        end_char: code point before which it ends, white space included.
        text: the word and the white space.
        t_ms: when it has arrived, on the virtual clock.
    """

    agent_id: str
    seq: int
    start_char: int
    end_char: int
    text: str
    t_ms: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """What leaves a gate: consecutive pieces, when, and why.

    Attributes:
        pieces: in order of arrival; never empty.
        t_ms: when the chunk left; not before its last piece arrived.
        reason: one of the reasons of `gate_flush` records.
    """

    pieces: tuple[Piece, ...]
    t_ms: int
    reason: str


class Gate(ABC):
    """The buffer of one case. Every method returns the chunks that leave at that moment, most often none.

    The engine calls `on_piece` for each word in order of arrival, `on_timer` when `deadline` passes before the
    next word, `on_turn_end` when a message is over, and `on_end` once, after the last message.
    """

    Settings: ClassVar[type[Config]] = Config

    def __init__(self, settings: Config) -> None:
        self._pieces: list[Piece] = []

    @abstractmethod
    def on_piece(self, piece: Piece) -> list[Chunk]:
        """Take a word."""

    def on_turn_end(self, t_ms: int) -> list[Chunk]:
        """Note that the message is over."""
        return []

    def deadline(self) -> int | None:
        """Return when the gate wants `on_timer` unless a word comes first; None for never."""
        return None

    def on_timer(self, t_ms: int) -> list[Chunk]:
        """Note that the deadline has passed."""
        return []

    def on_end(self, t_ms: int) -> list[Chunk]:
        """Note that the conversation is over: nothing may stay behind."""
        return self._flush(t_ms, "end_of_trace")

    def _flush(self, t_ms: int, reason: str) -> list[Chunk]:
        """Empty the buffer into one chunk; nothing leaves an empty one."""
        if not self._pieces:
            return []
        chunk = Chunk(tuple(self._pieces), t_ms, reason)
        self._pieces = []
        return [chunk]
