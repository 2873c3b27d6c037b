"""A trigger of one's own: summarise once a word of a list is said, and wait until then. No model is asked."""

from typing import ClassVar

from exaid_evals.config.base import Config
from exaid_evals.middleware.triggers import FILTERS, HOLD, SUMMARIZE, Verdict


class KeywordSettings(Config):
    """What may stand beside `kind` in the variant's YAML."""

    words: tuple[str, ...]


class KeywordTrigger:
    """`kind: keyword_trigger:KeywordTrigger` in a variant makes the pipeline use it."""

    Settings: ClassVar[type[Config]] = KeywordSettings

    def __init__(self, settings, client):
        self._words = [word.lower() for word in settings.words]

    def decide(self, request):
        """Decide on the window `request.text`; at the end (`request.final`) nothing is held back."""
        said = any(word in request.text.lower() for word in self._words)
        return Verdict(SUMMARIZE if said or request.final else HOLD, {**dict.fromkeys(FILTERS), "value": said})
