"""A gate of one's own: a chunk leaves after every few sentences, whoever says them."""

from typing import ClassVar

from exaid_evals.config.base import Config
from exaid_evals.middleware.gates import Gate


class SentenceSettings(Config):
    """What may stand beside `kind` in the variant's YAML."""

    sentences: int = 3


class SentenceGate(Gate):
    """`kind: sentence_gate:SentenceGate` in a variant makes the pipeline use it; what is left at the end is flushed."""

    Settings: ClassVar[type[Config]] = SentenceSettings

    def __init__(self, settings):
        super().__init__(settings)
        self._sentences = settings.sentences

    def on_piece(self, piece):
        """Take a word with the white space behind it; return the chunks that leave now, most often none."""
        self._pieces.append(piece)
        ended = sum(item.text.rstrip().endswith((".", "?", "!")) for item in self._pieces)
        return self._flush(piece.t_ms, "boundary_cue") if ended >= self._sentences else []
