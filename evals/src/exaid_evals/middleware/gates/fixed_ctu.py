"""The fixed gate: a chunk leaves whenever the buffer holds a fixed number of CTU."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from exaid_evals.artifacts.text_units import CHARS_PER_CTU
from exaid_evals.config.base import Config
from exaid_evals.middleware.gates.base import Chunk, Gate, Piece


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
        self._pieces.append(piece)
        self._chars += piece.end_char - piece.start_char
        if self._chars < self._threshold_chars:
            return []
        self._chars = 0
        return self._flush(piece.t_ms, "fixed_ctu")
