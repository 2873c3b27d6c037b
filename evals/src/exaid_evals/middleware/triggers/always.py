"""The trigger that always summarises."""

from __future__ import annotations

from typing import ClassVar

from exaid_evals.clients.base import LLMClient
from exaid_evals.config.base import Config
from exaid_evals.middleware.triggers.base import FILTERS, SUMMARIZE, TriggerInput, Verdict


class AlwaysTrigger:
    """Summarises after every flush and asks nobody."""

    Settings: ClassVar[type[Config]] = Config

    def __init__(self, settings: Config, client: LLMClient) -> None:
        pass

    def decide(self, request: TriggerInput) -> Verdict:
        """Say yes."""
        return Verdict(SUMMARIZE, dict.fromkeys(FILTERS))
