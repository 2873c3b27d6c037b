"""The summarizer that does not summarise: the clinician reads the window itself."""

from __future__ import annotations

from typing import ClassVar

from exaid_evals.clients.base import LLMClient
from exaid_evals.config.base import Config
from exaid_evals.middleware.summarizers.base import SummaryInput, Update


class PassthroughSummarizer:
    """Hands the window on as it is."""

    Settings: ClassVar[type[Config]] = Config

    def __init__(self, settings: Config, client: LLMClient) -> None:
        pass

    def summarize(self, request: SummaryInput) -> Update:
        """Return the window's text."""
        text = "\n".join(text for _, text in request.turns)
        return Update(None, text, text)
