"""The variants that ship: each loads, and the ablations differ from the full one in what they leave out."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from exaid_evals.config.campaign import configs_dir
from exaid_evals.config.variant import FrozenConfig, SummarizerConfig, VariantConfig, load_variants
from exaid_evals.replay.eval_run import calibration_note
from exaid_evals.replay.stage import part_problems

IDS = {"variants": ["V0", "V1", "V2", "V3", "V4"], "ablation": ["A0", "A1", "A2", "A3", "A4"]}


def differences(one: VariantConfig, other: VariantConfig) -> set[str]:
    """Return the settings in which two variants differ, names and descriptions apart."""
    left, right = (variant.model_dump(exclude={"variant_id", "description", "frozen"}) for variant in (one, other))
    return {key for key in left if left[key] != right[key]}


@pytest.mark.parametrize("folder", IDS)
def test_every_shipped_variant_can_be_built(folder: str) -> None:
    """The folder holds the variants that the handbook names, and every part of each can be built."""
    variants = load_variants(configs_dir() / folder)
    assert [variant.variant_id for variant in variants] == IDS[folder]
    assert part_problems(SummarizerConfig(), variants) == []


def test_each_ablation_leaves_out_one_thing() -> None:
    """A1 and A3 change the gate alone, A2 and A4 the trigger alone; A0 has the parts of V3."""
    full, *others = load_variants(configs_dir() / "ablation")
    assert [differences(full, other) for other in others] == [{"gate"}, {"trigger"}, {"gate"}, {"trigger"}]
    [primary] = load_variants(configs_dir() / "variants", ["V3"])
    assert differences(full, primary) == set()


def test_what_is_calibrated_and_frozen_says_so() -> None:
    """V1, V3, V4 and the ablations' gates are as recorded; V3's record says that it is of stub data, and its cases."""
    variants = [variant for folder in IDS for variant in load_variants(configs_dir() / folder)]
    frozen = {variant.variant_id: variant.frozen for variant in variants if variant.frozen is not None}
    assert sorted(frozen) == ["A0", "A2", "A3", "A4", "V1", "V3", "V4"]
    notes = {one.variant_id: calibration_note(one, "case-1") for one in variants if one.frozen is not None}
    assert all(note is not None and note["as_calibrated"] for note in notes.values())
    primary = frozen["V3"]
    assert (primary.basis.value, primary.stub, len(primary.cases)) == ("calibrated", True, 40)
    assert {one.calibration_hash for name, one in frozen.items() if name != "V1"} == {primary.calibration_hash}
    assert (frozen["V1"].basis.value, frozen["V1"].gate.settings) == ("set", {"threshold_ctu": 500})


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"basis": "calibrated"}, "trace_dataset_hash, date, stub, cases is missing"),
        ({"basis": "set"}, "what was set has a reason"),
        ({"basis": "set", "reason": "so", "stub": True}, "comes from no traces"),
    ],
)
def test_a_record_without_its_provenance_is_refused(block: dict[str, object], problem: str) -> None:
    """What was calibrated says on what; what was set says why."""
    known = {"gate": {"kind": "message"}, "calibration_hash": "sha256:" + "a" * 64, "version": "1"}
    with pytest.raises(ValidationError, match=problem):
        FrozenConfig.model_validate(known | block)
