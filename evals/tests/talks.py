"""Small talks and frozen campaigns for tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.manifest import Generation, Manifest, write_manifest
from exaid_evals.clients.base import LLMRequest, LLMResponse, Usage
from exaid_evals.config.campaign import Campaign
from exaid_evals.traces.freeze import entry_of
from exaid_evals.traces.model import Message, Provenance, Trace, failed_trace, write_trace

EPOCH = "2024-12-19T12:00:00Z"
PROVENANCE = Provenance("mas-0123456789abcdef", "8" * 40, "stub-test-1", stub=True)
AGENTS = ("supervisor", "doctor0", "doctor1", "doctor2")


def talk(*contents: str, case_id: str = "case-1", gap_ms: int = 1000, ms_per_char: int = 10) -> Trace:
    """Build a trace in which the agents take turns; each message starts `gap_ms` after the one before has ended."""
    messages = []
    start = 0
    for number, content in enumerate(contents):
        messages.append(Message(AGENTS[number % len(AGENTS)], content, start))
        start += len(content) * ms_per_char + gap_ms
    return Trace(case_id, EPOCH, tuple(messages), PROVENANCE)


def failed_talk(case_id: str, reason: str = "the model timed out") -> Trace:
    """Build the trace of a failed case."""
    return failed_trace(case_id, EPOCH, PROVENANCE, reason)


def freeze(root: Path, traces: Sequence[Trace]) -> Campaign:
    """Write traces and their manifest into a campaign."""
    campaign = Campaign(root)
    ordered = sorted(traces, key=lambda trace: trace.case_id)
    for trace in ordered:
        write_trace(campaign.trace_file(trace.case_id), trace)
    ids = tuple(trace.case_id for trace in ordered)
    generation = Generation(
        mas_run_id=PROVENANCE.mas_run_id,
        mac_commit=PROVENANCE.mac_commit,
        base_model=PROVENANCE.model,
        decoding_note="written by hand",
        selection_mode="all",
        selection_seed=42,
        n_cases_available=len(ids),
        case_list_hash=sha256_structure(list(ids)),
        ordered_case_list=ids,
        case_source="synthetic",
        generation_seed=42,
    )
    entries = tuple(entry_of(campaign, trace) for trace in ordered)
    manifest = Manifest(EPOCH, sha256_structure("test"), generation, entries, stub=True)
    write_manifest(campaign.manifest_file, manifest)
    return campaign


@dataclass
class ScriptedLLM:
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


def read_words(texts: Sequence[str]) -> list[frozenset[str]]:
    """Read concepts as a toy extractor does: every word of two or more capitals is one (`FEVER`)."""
    return [frozenset(re.findall(r"\b[A-Z]{2,}\b", text)) for text in texts]
