"""A summarizer of one's own: the first sentence of each turn, cut to the field's length. No model is asked."""

from typing import ClassVar

from exaid_evals.clients.stub import shorten, split_sentences
from exaid_evals.config.base import Config
from exaid_evals.middleware.summarizers import FIELDS, SEMANTIC_FIELDS, Update, render


class LeadSettings(Config):
    """What may stand beside `kind` in the variant's YAML."""

    max_chars: int = 300


class LeadSummarizer:
    """`kind: lead_summarizer:LeadSummarizer` in a variant makes the pipeline use it."""

    Settings: ClassVar[type[Config]] = LeadSettings

    def __init__(self, settings, client):
        self._max_chars = settings.max_chars

    def summarize(self, request):
        """Return an update of the window in `request.turns`, a list of (agent, text)."""
        leads = [sentences[0] for _, text in request.turns if (sentences := split_sentences(text))]
        content = dict.fromkeys(FIELDS, "None stated.")
        content["key_findings"] = shorten(" ".join(leads) or "None stated.", self._max_chars)
        return Update(content, render(content, SEMANTIC_FIELDS), render(content, FIELDS))
