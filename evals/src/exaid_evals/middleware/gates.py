"""Gates: when a chunk of the stream leaves the buffer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pydantic import Field, model_validator

from exaid_evals.artifacts.text_units import CHARS_PER_CTU
from exaid_evals.config.base import Config
from exaid_evals.errors import DataError


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

    Attributes:
        one_message_at_a_time: whether the end of a message leaves nothing behind. Of messages that overlap, such a
            gate is given each for itself, and what leaves it is put in order of time; any other gate is given the
            words of both as they come.
    """

    Settings: ClassVar[type[Config]] = Config
    one_message_at_a_time: ClassVar[bool] = False

    def __init__(self, settings: Config) -> None:
        self._pieces: list[Piece] = []

    def __init_subclass__(cls, **options: Any) -> None:
        """Let what was written for each word be called for each word, below a gate that takes many at once too."""
        super().__init_subclass__(**options)
        if cls.__dict__.keys() & {"on_piece", "deadline", "on_timer"} and "on_pieces" not in cls.__dict__:
            cls.on_pieces = Gate.on_pieces  # type: ignore[method-assign]

    def on_pieces(self, pieces: Sequence[Piece]) -> Iterator[Chunk]:
        """Take words that come one after the other, and the timers that run out between them.

        A gate that says so in a faster way lets the same chunks go.
        """
        deadline, on_piece = self.deadline, self.on_piece
        has_timers = type(self).deadline is not Gate.deadline
        for piece in pieces:
            if has_timers and (due := deadline()) is not None and due < piece.t_ms:
                yield from self.timers(before_ms=piece.t_ms)
            yield from on_piece(piece)

    def timers(self, *, before_ms: int) -> Iterator[Chunk]:
        """Let the timers run out that do so before a moment.

        Raises:
            DataError: one of them stays where it was.
        """
        while (deadline := self.deadline()) is not None and deadline < before_ms:
            yield from self.on_timer(deadline)
            if self.deadline() == deadline:
                what = "a gate's timer ran out and stays where it was"
                raise DataError(what, remedy="clear its deadline in on_timer")

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


class MessageGate(Gate):
    """Flushes at the end of every message."""

    one_message_at_a_time = True

    def on_piece(self, piece: Piece) -> list[Chunk]:
        """Keep the word."""
        self._pieces.append(piece)
        return []

    def on_pieces(self, pieces: Sequence[Piece]) -> Iterator[Chunk]:
        """Keep the words."""
        self._pieces += pieces
        return iter(())

    def on_turn_end(self, t_ms: int) -> list[Chunk]:
        """Let the message go."""
        return self._flush(t_ms, "message")


class FixedCtuSettings(Config):
    """How much text makes a chunk."""

    threshold_ctu: int = Field(default=500, ge=1)


class FixedCtuGate(Gate):
    """Flushes at the first word end at which the buffer holds `threshold_ctu`; chunks may span messages.

    It waits for the word's end, since half a word states nothing.
    """

    Settings: ClassVar[type[Config]] = FixedCtuSettings

    def __init__(self, settings: FixedCtuSettings) -> None:
        super().__init__(settings)
        self._threshold_chars = settings.threshold_ctu * CHARS_PER_CTU
        self._chars = 0

    def on_piece(self, piece: Piece) -> list[Chunk]:
        """Take a word, and let the buffer go when it is full."""
        return list(FixedCtuGate.on_pieces(self, (piece,)))  # a gate below may call this for each word

    def on_pieces(self, pieces: Sequence[Piece]) -> Iterator[Chunk]:
        """Take words, and let the buffer go whenever it is full."""
        held, chars = self._pieces, self._chars
        for piece in pieces:
            held.append(piece)
            chars += piece.end_char - piece.start_char
            if chars >= self._threshold_chars:
                chars = 0
                yield from self._flush(piece.t_ms, "fixed_ctu")
                held = self._pieces
        self._chars = chars


BOUNDARY_CUES = (".", "?", "!")


class TokenGateSettings(Config):
    """Calibrated on traces of cases that are not evaluated, then frozen.

    Attributes:
        min_words: words from which on a boundary cue lets the chunk go.
        max_words: words at which it goes in any case.
        silence_ms: time without text after which it goes.
        max_wait_ms: time since the chunk began after which it goes.
    """

    min_words: int = Field(default=60, ge=1)
    max_words: int = Field(default=160, ge=1)
    silence_ms: int = Field(default=4000, ge=1, le=10**9)
    max_wait_ms: int = Field(default=30000, ge=1, le=10**9)

    @model_validator(mode="after")
    def _ordered(self) -> TokenGateSettings:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} exceeds max_words {self.max_words}")
        return self


class TokenGate(Gate):
    """Flushes, by the first rule that holds: `max_words`, `boundary_cue`, `silence`, `max_wait`, `turn_end`.

    The buffer belongs to one agent: the end of a turn empties it, so no chunk holds words of two agents. A
    boundary cue is one of `. ? !` at a word's end, or a line end behind the word.
    """

    Settings: ClassVar[type[Config]] = TokenGateSettings
    one_message_at_a_time = True

    def __init__(self, settings: TokenGateSettings) -> None:
        super().__init__(settings)
        self._min_words, self._max_words = settings.min_words, settings.max_words
        self._silence_ms, self._max_wait_ms = settings.silence_ms, settings.max_wait_ms

    def on_piece(self, piece: Piece) -> list[Chunk]:
        """Take a word."""
        self._pieces.append(piece)
        words = len(self._pieces)
        if words >= self._max_words:
            return self._flush(piece.t_ms, "max_words")
        if words >= self._min_words and ends_at_boundary(piece.text):
            return self._flush(piece.t_ms, "boundary_cue")
        return []

    def on_pieces(self, pieces: Sequence[Piece]) -> Iterator[Chunk]:
        """Take words, most of which can neither fill the buffer nor come too late."""
        silence_ms, max_wait_ms, n_harmless = self._silence_ms, self._max_wait_ms, self._min_words - 1
        for piece in pieces:
            held = self._pieces
            if held and not held[0].t_ms + max_wait_ms >= piece.t_ms <= held[-1].t_ms + silence_ms:
                yield from self.timers(before_ms=piece.t_ms)
                held = self._pieces
            if len(held) < n_harmless:
                held.append(piece)
            else:
                yield from self.on_piece(piece)

    def on_turn_end(self, t_ms: int) -> list[Chunk]:
        """Let the rest of the turn go."""
        return self._flush(t_ms, "turn_end")

    def deadline(self) -> int | None:
        """Return the earlier of the two timers; none runs on an empty buffer."""
        pieces = self._pieces
        return min(pieces[-1].t_ms + self._silence_ms, pieces[0].t_ms + self._max_wait_ms) if pieces else None

    def on_timer(self, t_ms: int) -> list[Chunk]:
        """Let the chunk go, for the timer that ran out first."""
        silence_first = self._pieces[-1].t_ms + self._silence_ms <= self._pieces[0].t_ms + self._max_wait_ms
        return self._flush(t_ms, "silence" if silence_first else "max_wait")


def ends_at_boundary(text: str) -> bool:
    """Return whether a text ends with a boundary cue, or with white space that holds a line end."""
    word = text.rstrip()
    return word.endswith(BOUNDARY_CUES) or "\n" in text[len(word) :]
