"""What a run's `run_meta` says: what was simulated, its settings, and whether it keeps to its calibration."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from conversations import PROVENANCE, ScriptedLLM, conversation
from exaid_evals.config.variant import Basis, FrozenConfig, PartConfig, StreamConfig, SummarizerConfig, VariantConfig
from exaid_evals.replay.eval_run import calibration_note, eval_run, failed_case, gate_hash, remarks, run_case

GATE = PartConfig(kind="token_gate", min_words=10, max_words=20)
DATA_SET = "sha256:" + "0" * 64


def variant(**changes: Any) -> VariantConfig:
    """Return a variant that passes messages on, changed."""
    parts = {name: PartConfig(kind=kind) for name, kind in (("gate", "message"), ("trigger", "always"))}
    return VariantConfig(
        **{"variant_id": "V8", **parts, "summarizer": PartConfig(kind="passthrough"), "history_k": 0, **changes}
    )


@pytest.mark.parametrize("of_trace", [False, True])
@pytest.mark.parametrize("of_model", [False, True])
def test_a_run_is_stub_where_conversation_or_model_is(of_trace: bool, of_model: bool) -> None:
    """Either alone makes its numbers simulated ones."""
    client = ScriptedLLM([], stub=of_model)
    trace = replace(conversation("Fever."), provenance=replace(PROVENANCE, stub=of_trace))
    run = eval_run(variant(), SummarizerConfig(), client, DATA_SET)
    assert run_case(run, trace, DATA_SET, client).meta["stub"] is (of_trace or of_model)


def test_settings_of_any_yaml_type_reach_the_record() -> None:
    """A date is a type of YAML, and none of JSON."""
    dated = {
        name: PartConfig(kind=kind, since=date(2024, 12, 19))
        for name, kind in (("gate", "message"), ("trigger", "always"), ("summarizer", "passthrough"))
    }
    run = eval_run(variant(**dated), SummarizerConfig(), ScriptedLLM([]), DATA_SET)
    assert json.loads(json.dumps(run.config))["variant"]["gate"] == {"kind": "message", "since": "2024-12-19"}
    meta = failed_case(run, conversation("Fever."), DATA_SET, "no reason").meta
    assert json.loads(json.dumps(meta))["summarizer"] == {"kind": "passthrough", "since": "2024-12-19"}
    frozen = calibrated(gate=dated["gate"])
    assert calibration_note(variant(**dated, frozen=frozen), "case-1")["as_calibrated"]  # type: ignore[index]
    note = calibration_note(variant(gate=PartConfig(kind="message"), frozen=frozen), "case-1")
    assert json.loads(json.dumps(note))["differences"] == {"since": {"calibrated": "2024-12-19", "used": None}}
    assert gate_hash(dated["gate"]) == gate_hash(PartConfig(kind="message", since="2024-12-19"))


def test_the_speed_of_text_reaches_the_record() -> None:
    """Times that are assumed depend on it."""
    settings = SummarizerConfig(stream=StreamConfig(chars_per_second=345))
    run = eval_run(variant(), settings, ScriptedLLM([]), DATA_SET)
    assert run.config["stream"]["chars_per_second"] == 345


def calibrated(**changes: Any) -> FrozenConfig:
    """Return what a calibration on two live cases recorded, changed."""
    return FrozenConfig(
        **{
            "gate": GATE,
            "calibration_hash": DATA_SET,
            "version": "0.2.0",
            "trace_dataset_hash": DATA_SET,
            "cases": ("case-1", "case-2"),
            "date": "2024-12-19",
            "stub": False,
            **changes,
        }
    )


def said(one: VariantConfig, *cases: str, stub: bool = False) -> list[str]:
    """Return the remarks about a variant."""
    return list(remarks([variant(), one], cases, stub_conversation=stub))


def test_a_run_that_keeps_to_its_calibration_has_no_remark() -> None:
    """Other cases, the gate as it was frozen, conversation of the same kind."""
    kept = variant(gate=GATE, frozen=calibrated())
    assert said(kept, "case-3") == []
    assert calibration_note(variant(), "case-1") is None
    assert calibration_note(kept, "case-3") == {
        "calibration_hash": DATA_SET,
        "as_calibrated": True,
        "differences": {},
        "calibrated_on_this_case": False,
    }


def test_another_gate_is_named_with_both_values() -> None:
    """In the order of the settings' names."""
    edited = variant(gate=PartConfig(kind="token_gate", min_words=15, silence_ms=5), frozen=calibrated())
    assert said(edited) == [
        "V8 differs from its recorded calibration: max_words is null, and 20 was recorded, "
        "min_words is 15, and 10 was recorded, silence_ms is 5, and null was recorded; run_meta says so"
    ]


@pytest.mark.parametrize(
    ("n_shared", "named"),
    [
        (1, "1 of these cases (case-1)"),
        (3, "3 of these cases (case-1, case-2, case-3)"),
        (4, "4 of these cases (case-1, case-2, case-3, …)"),
    ],
)
def test_cases_of_the_calibration_evaluate_nothing(n_shared: int, named: str) -> None:
    """Three are named, and a run of such a case says so of itself."""
    cases = [f"case-{number + 1}" for number in range(n_shared)]
    own = variant(gate=GATE, frozen=calibrated(cases=tuple(cases)))
    assert said(own, *reversed(cases), "case-9") == [
        f"V8 was calibrated on {named}, which evaluates nothing; run_meta says so"
    ]
    assert calibration_note(own, "case-1")["calibrated_on_this_case"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("calibrated_on_stub", "stub", "n_remarks"), [(True, False, 1), (True, True, 0), (False, True, 0)]
)
def test_a_calibration_on_simulated_conversation_is_none_of_others(
    calibrated_on_stub: bool, stub: bool, n_remarks: int
) -> None:
    """The other way round nothing is said: whatever is simulated is marked already."""
    own = variant(gate=GATE, frozen=calibrated(stub=calibrated_on_stub))
    remarked = said(own, "case-3", stub=stub)
    assert len(remarked) == n_remarks
    assert all(line.startswith("V8 was calibrated on simulated conversations") for line in remarked)


def test_a_gate_that_was_set_is_held_against_its_hash() -> None:
    """Whoever edits gate and record alike is reported by the record's own hash."""
    by_hand: dict[str, Any] = {"basis": Basis.SET, "reason": "by hand", "version": "0.2.0", "gate": GATE}
    kept = variant(gate=GATE, frozen=FrozenConfig(**by_hand, calibration_hash=gate_hash(GATE)))
    assert said(kept) == []
    edited = variant(gate=GATE, frozen=FrozenConfig(**by_hand, calibration_hash=DATA_SET))
    assert calibration_note(edited, "case-1")["differences"] == {  # type: ignore[index]
        "calibration_hash": {"calibrated": DATA_SET, "used": gate_hash(GATE)}
    }
