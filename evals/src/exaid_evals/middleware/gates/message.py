"""The message gate: each message leaves whole when it is over."""

from __future__ import annotations

from exaid_evals.middleware.gates.base import Chunk, Gate, Piece


class MessageGate(Gate):
    """Flushes at the end of every message."""

    def on_piece(self, piece: Piece) -> list[Chunk]:
        """Keep the word."""
        self._pieces.append(piece)
        return []

    def on_turn_end(self, t_ms: int) -> list[Chunk]:
        """Let the message go."""
        return self._flush(t_ms, "message")
