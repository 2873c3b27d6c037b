"""The variants that ship: each loads, and the ablations differ from the full one in what they leave out."""

from __future__ import annotations

import pytest

from exaid_evals.config.resources import configs_dir
from exaid_evals.config.summarizer import SummarizerConfig
from exaid_evals.config.variant import VariantConfig, load_variants
from exaid_evals.replay.stage import Settings, check_parts

IDS = {"variants": ["V0", "V1", "V2", "V3", "V4"], "ablation": ["A0", "A1", "A2", "A3", "A4"]}


def differences(one: VariantConfig, other: VariantConfig) -> set[str]:
    """Return the settings in which two variants differ, names and descriptions apart."""
    left, right = (variant.model_dump(exclude={"variant_id", "description"}) for variant in (one, other))
    return {key for key in left if left[key] != right[key]}


@pytest.mark.parametrize("folder", IDS)
def test_every_shipped_variant_can_be_built(folder: str) -> None:
    """The folder holds the variants that the handbook names, and every part of each can be built."""
    variants = load_variants(configs_dir() / folder)
    assert [variant.variant_id for variant in variants] == IDS[folder]
    check_parts(Settings(variants, SummarizerConfig(), frozenset()))


def test_each_ablation_leaves_out_one_thing() -> None:
    """A1 and A3 change the gate alone, A2 and A4 the trigger alone; A0 has the parts of V3."""
    full, *others = load_variants(configs_dir() / "ablation")
    assert [differences(full, other) for other in others] == [{"gate"}, {"trigger"}, {"gate"}, {"trigger"}]
    [primary] = load_variants(configs_dir() / "variants", ["V3"])
    assert differences(full, primary) <= {"gate", "frozen"}
