"""One case's work: what its updates broke, who reads concepts, and what is said when nothing went wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conversations import ScriptedLLM, WordExtractor, conversation, freeze
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.config.campaign import configs_dir
from exaid_evals.config.variant import LLMConfig, StubLLMConfig, SummarizerConfig, load_variants
from exaid_evals.middleware.summarizers import FIELDS
from exaid_evals.replay import working
from exaid_evals.replay.working import Broken, CaseDone, CaseWork, Places, Worker, make_client

TOY = SummarizerConfig(stub=StubLLMConfig(concepts="conversations:build_words"))


def test_what_is_broken_adds_up() -> None:
    """Counts add; the first error stays the first, whoever has one."""
    one, other, none = Broken(1, 3, "case-1: a"), Broken(2, 2, "case-2: b"), Broken(of=4)
    assert one + other == Broken(3, 5, "case-1: a")
    assert none + other == Broken(2, 6, "case-2: b")
    assert one + none == Broken(1, 7, "case-1: a")
    assert Broken() + Broken() == Broken(0, 0, "")
    assert CaseDone({}) == CaseDone({}, (), (), {}, stopped=False)


def test_the_first_broken_update_is_shown(tmp_path: Path) -> None:
    """With its case; the second is counted."""
    campaign = freeze(tmp_path, [conversation("Fever.", "Rash.", "Cough.")])
    fields = dict.fromkeys(FIELDS, "fine")
    first, second = ({**fields, name: ""} for name in ("key_findings", "uncertainty_confidence"))
    answers = [json.dumps(one) for one in (first, first, fields, second, second)]  # what is broken is asked for again
    [v1] = load_variants(configs_dir() / "variants", ["V1"])
    variant = v1.model_copy(update={"gate": v1.gate.model_validate({"kind": "message"})})
    client = ScriptedLLM(list(answers))
    manifest = read_manifest(campaign.manifest_file)
    done = Worker(Places(campaign.root, campaign.root), TOY, frozenset(), manifest.trace_dataset_hash, client)(
        CaseWork(manifest.entries[0], (variant,))
    )
    broken = done.broken["V1"]
    assert (broken.n, broken.of) == (2, 3)
    assert broken.first.startswith("case-1: ")
    assert "key_findings" in broken.first


@pytest.mark.parametrize(("client", "n_loaded"), [("stub", 1), ("openai", 0)])
def test_only_a_client_that_reads_concepts_loads_an_extractor(
    client: str, n_loaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vocabulary takes seconds to load, and a live model has no use for it."""
    loaded: list[str] = []

    def load(kind: str, *_: Any, **__: Any) -> WordExtractor:
        loaded.append(kind)
        return WordExtractor()

    read: list[Sequence[frozenset[str]]] = []

    def build(_: SummarizerConfig, *, read_concepts: Any, reader_id: str) -> ScriptedLLM:
        read.append(read_concepts(["A boy with FEVER."]))
        return ScriptedLLM([], name=reader_id)

    monkeypatch.setenv("OPENAI_API_KEY", "test-key-0123456789")
    monkeypatch.setattr(working, "load_extractor", load)
    monkeypatch.setattr(working, "build_client", build)
    made = make_client(SummarizerConfig(llm=LLMConfig(client=client), stub=TOY.stub), frozenset())
    assert loaded == ["conversations:build_words"] * n_loaded
    assert read == [[frozenset({"FEVER"})] if n_loaded else [frozenset()]]
    assert made.name == ("words-1" if n_loaded else "")
