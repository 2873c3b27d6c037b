"""Small conversations and frozen campaigns for tests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exaid_evals.clients.base import LLMRequest, LLMResponse, PlainClient, Usage
from exaid_evals.concepts.base import Mention, concept_ids
from exaid_evals.config.campaign import Campaign
from exaid_evals.traces.freeze import freeze_traces
from exaid_evals.traces.model import Message, Provenance, Trace, failed_trace

EPOCH = "2024-12-19T12:00:00Z"
PROVENANCE = Provenance("mas-0123456789abcdef", "8" * 40, "stub-test-1", stub=True)
_CAPITALS = re.compile(r"\b[A-Z]{2,}\b")
AGENTS = ("supervisor", "doctor0", "doctor1", "doctor2")


def conversation(*contents: str, case_id: str = "case-1", gap_ms: int = 1000, ms_per_char: int = 10) -> Trace:
    """Build a trace in which the agents take turns; each message starts `gap_ms` after the one before has ended."""
    messages = []
    start = 0
    for number, content in enumerate(contents):
        messages.append(Message(AGENTS[number % len(AGENTS)], content, start))
        start += len(content) * ms_per_char + gap_ms
    return Trace(case_id, EPOCH, tuple(messages), PROVENANCE)


def failed_conversation(case_id: str, reason: str = "the model timed out") -> Trace:
    """Build the trace of a failed case."""
    return failed_trace(case_id, EPOCH, PROVENANCE, reason)


def freeze(root: Path, traces: Sequence[Trace]) -> Campaign:
    """Write traces and their manifest into a campaign, in place of what is frozen there."""
    campaign = Campaign(root)
    for path in [campaign.manifest_file, *campaign.traces.glob("case-*")]:
        path.unlink(missing_ok=True)
    freeze_traces(campaign, traces, note="written by hand")
    return campaign


@dataclass
class ScriptedLLM(PlainClient):
    """Answers with the texts of its script, in order, and fails when the script runs out.

    Attributes:
        script: the answers, or exceptions to raise.
        requests: what was asked, in order.
    """

    script: list[str | Exception]
    latency_ms: int = 0
    requests: list[LLMRequest] = field(default_factory=list)
    name: str = "scripted"
    model: str = "scripted-1"
    stub: bool = True
    parameters: dict[str, str] = field(default_factory=dict)

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Give the next answer."""
        self.requests.append(request)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return LLMResponse(answer, Usage(1, request.prompt_ctu, len(answer) // 4), self.latency_ms)


class WordExtractor:
    """A toy extractor: every word of two or more capitals is a concept (`FEVER`)."""

    id = "words-1"

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find the words of capitals."""
        return [tuple(Mention(match.group(), *match.span()) for match in _CAPITALS.finditer(text)) for text in texts]


def build_words(_settings: Mapping[str, Any], *, stop_entities: frozenset[str]) -> WordExtractor:  # noqa: ARG001
    """Build the toy extractor, for configurations that name `conversations:build_words`."""
    return WordExtractor()


def read_words(texts: Sequence[str]) -> list[frozenset[str]]:
    """Read concepts as the toy extractor does."""
    return [concept_ids(mentions) for mentions in WordExtractor().mentions(texts)]
