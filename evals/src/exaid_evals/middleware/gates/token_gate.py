"""The token gate: word counts, boundary cues and timers, per agent."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from exaid_evals.config.base import Config
from exaid_evals.middleware.gates.base import Chunk, Gate, Piece

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
