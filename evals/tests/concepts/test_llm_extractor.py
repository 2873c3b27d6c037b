"""The example that asks a language model for concepts records its answers, and believes only what the text says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import LLMRequest, LLMResponse, PlainClient, StoppedError, Usage
from scripts import script_module

TEXT = "He had seizures, no fever and a cough."
SAID = [
    {"phrase": "seizures", "id": "HP:0001250", "negated": False},
    {"phrase": "fever", "id": "HP:0001945", "negated": True},
    {"phrase": "cough", "id": "HP:9999999", "negated": False},
    {"phrase": "ataxia", "id": "HP:0001251", "negated": False},
]


class Scripted(PlainClient):
    """Answers once; a second question finds no answer left."""

    name, model, stub = "scripted", "script", False
    parameters: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.answers = [json.dumps({"concepts": SAID})]

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Give the next answer."""
        text = self.answers.pop()
        return LLMResponse(text, Usage(1, request.prompt_ctu, ctu(text)), latency_ms=1)


def test_answers_are_recorded_and_held_to_the_text(tmp_path: Path) -> None:
    """A phrase that is not there and an id that HPO lacks are refused; later the recordings alone give the same."""
    module = script_module("examples/llm_extractor.py")
    asked = module.LLMExtractor(Scripted(), tmp_path, None)
    found = asked.annotate([TEXT])
    assert [(one.concept_id, TEXT[one.start : one.end], one.negated) for one in found[0]] == [
        ("HP:0001250", "seizures", False),
        ("HP:0001945", "fever", True),
    ]
    assert asked.refused == 2
    assert [one.concept_id for one in asked.mentions([TEXT])[0]] == ["HP:0001250"]
    recorded = module.LLMExtractor(Scripted(), tmp_path, 0)
    assert recorded.annotate([TEXT]) == found
    assert recorded.id == asked.id
    with pytest.raises(StoppedError):
        recorded.annotate(["Another text."])
