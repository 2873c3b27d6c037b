"""A language model as second judge: asked once a note, recorded, replayed, and held against the offline one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exaid_evals.clients.base import LLMRequest, LLMResponse, PlainClient, Usage
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.variant import LLMConfig, SummarizerConfig
from exaid_evals.errors import CaseFailedError, ConfigError, LLMError
from exaid_evals.factuality.judge import judges_agreement, model_judge
from exaid_evals.factuality.notes import MeasuredNote, Note, measure_note
from exaid_evals.factuality.reference import Comparison

NOTE = Note("a", "No fever. Right ear pain. Lisinopril.", ("Any fever? No. My left ear hurts.",))
ASKED: list[str] = []


class Scripted(PlainClient):
    """Says what its model's name is, and counts how often it is asked."""

    name, stub = "scripted", False
    parameters: dict[str, Any] = {}  # noqa: RUF012 - as a client has it

    def __init__(self, model: str) -> None:
        self.model = model

    def complete(self, request: LLMRequest) -> LLMResponse:
        ASKED.append(request.messages[1].content)
        verdicts = [{"number": n, "verdict": verdict} for n, verdict in enumerate(self.model.split("+"), 1)]
        text = json.dumps({"verdicts": verdicts})
        return LLMResponse(text, Usage(1, request.prompt_ctu, 10), latency_ms=5)


def build(config: SummarizerConfig, **_: object) -> Scripted:
    """Build the scripted client."""
    return Scripted(config.llm.model)


def judged(folder: Path, comparison: Comparison, model: str, client: str = "judge_client:build") -> MeasuredNote:
    """Measure the note with a judge."""
    llm = LLMConfig(client=client, recorded="judge_client:build", model=model)
    with model_judge(SummarizerConfig(llm=llm), Campaign(folder), max_calls=None) as judge:
        return measure_note(NOTE, comparison, judge_too=judge)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let configurations name the client above."""
    monkeypatch.setitem(sys.modules, "judge_client", SimpleNamespace(build=build))  # type: ignore[misc]
    ASKED.clear()


def test_the_model_is_asked_once_and_then_replayed(tmp_path: Path, comparison: Comparison) -> None:
    """Its verdicts stand beside the offline ones; the recording answers without it, and refuses what it has not."""
    model = "supported+contradicted+supported"
    live = judged(tmp_path, comparison, model)
    record = live.to_record()
    assert [one["verdict"] for one in record["statements"]] == ["supported", "contradicted", "not_found"]
    assert [one["verdict_of_model"] for one in record["statements"]] == model.split("+")
    assert live.measures["supported_by_model"] == pytest.approx(2 / 3, abs=1e-6)
    assert "1. No fever\n2. Right ear pain\n3. Lisinopril" in ASKED[0]
    again = judged(tmp_path, comparison, model)
    replayed = judged(tmp_path, comparison, model, client="replay")
    assert again.to_record() == replayed.to_record() == record
    assert len(ASKED) == 1
    with pytest.raises(LLMError, match="not recorded"):
        judged(tmp_path, comparison, "supported+supported+supported", client="replay")


def test_an_answer_that_is_no_verdict_fails(tmp_path: Path, comparison: Comparison) -> None:
    """One verdict too few, a word that is none, and a judge that is simulated are errors with a remedy."""
    for model in ("supported", "supported+maybe+supported"):
        with pytest.raises(CaseFailedError, match="3 statements"):
            judged(tmp_path, comparison, model)
    with pytest.raises(ConfigError, match="judges nothing"):
        judged(tmp_path, comparison, "x", client="stub")


def test_agreement_of_both_judges(tmp_path: Path, comparison: Comparison) -> None:
    """κ is 1 where they agree on every statement, and its n is that of the statements."""
    note = judged(tmp_path, comparison, "supported+contradicted+not_found")
    pairs = list(zip(note.statements, note.by_model, strict=True)) * 4
    found = judges_agreement(pairs, np.random.default_rng(1))
    assert (found.value, found.n) == (1.0, 12)
