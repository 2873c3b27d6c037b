"""Parts of somebody's own, by `own_parts:Name`: what they do, well or badly, is all that a test needs of them."""

from __future__ import annotations

from exaid_evals.clients.base import LLMClient
from exaid_evals.config.base import Config
from exaid_evals.execution.local import Processes
from exaid_evals.middleware.summarizers import FIELDS, SEMANTIC_FIELDS, SummaryInput, Update, render
from exaid_evals.middleware.triggers import FILTERS, HOLD, TriggerInput, Verdict


class Copies:
    """A summarizer that states what its window states."""

    Settings = Config

    def __init__(self, settings: Config, client: LLMClient) -> None:
        """Take what the registry gives, and need none of it."""

    def summarize(self, request: SummaryInput) -> Update:
        """Say the window again in every field."""
        content = dict.fromkeys(FIELDS, " ".join(text for _, text in request.turns))
        return Update(content, render(content, SEMANTIC_FIELDS), render(content, FIELDS))


class Breaks(Copies):
    """A summarizer that never keeps the schema."""

    def summarize(self, request: SummaryInput) -> Update:
        """Say nothing, and why."""
        return Update(None, "", "", "the model answered nonsense")


class RaisesOnRash(Copies):
    """A summarizer with an error that one case brings out."""

    def summarize(self, request: SummaryInput) -> Update:
        """Fail where the word occurs."""
        if "RASH" in str(request.turns):
            raise ValueError("my own bug")
        return super().summarize(request)


class Holds:
    """A trigger that never lets anything through."""

    Settings = Config

    def __init__(self, settings: Config, client: LLMClient) -> None:
        """Take what the registry gives, and need none of it."""

    def decide(self, request: TriggerInput) -> Verdict:
        """Hold."""
        return Verdict(HOLD, dict.fromkeys(FILTERS))


def one_process() -> Processes:
    """Return an executor whose workers ask nothing."""
    return Processes(1)
