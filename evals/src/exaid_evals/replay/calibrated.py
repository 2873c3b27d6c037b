"""Whether a run keeps to the calibration that its variant's file records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.config.variant import Basis, FrozenConfig, PartConfig, VariantConfig


def gate_hash(gate: PartConfig) -> str:
    """Return what stands as `calibration_hash` of a gate that was set by hand: nothing but the gate decides it."""
    return sha256_structure({"gate": gate.model_dump(mode="json")})


def calibration_note(variant: VariantConfig, case_id: str) -> dict[str, Any] | None:
    """Return what a run's `run_meta` says about the calibration; None where none is recorded.

    Returns:
        The calibration's hash; whether the gate is `as_calibrated`; each setting that is not, with both values; and
        whether the gate was `calibrated_on_this_case`, which makes the run no evaluation.
    """
    frozen = variant.frozen
    if frozen is None:
        return None
    differences = _differences(variant, frozen)
    return {
        "calibration_hash": frozen.calibration_hash,
        "as_calibrated": not differences,
        "differences": differences,
        "calibrated_on_this_case": case_id in frozen.cases,
    }


def remarks(variants: Sequence[VariantConfig], case_ids: Iterable[str], *, stub_conversation: bool) -> Iterator[str]:
    """Yield what a user must know, before a run, about variants that do not keep to their calibration.

    Args:
        variants: about to be run.
        case_ids: the cases about to be run.
        stub_conversation: whether their conversation is simulated.
    """
    wanted = sorted(case_ids)
    for variant in variants:
        frozen = variant.frozen
        if frozen is None:
            continue
        differences = _differences(variant, frozen)
        if differences:
            told = ", ".join(
                f"{name} is {canonical_json(both['used'])}, and {canonical_json(both['calibrated'])} was recorded"
                for name, both in differences.items()
            )
            yield f"{variant.variant_id} differs from its recorded calibration: {told}; run_meta says so"
        shared = [case_id for case_id in wanted if case_id in set(frozen.cases)]
        if shared:
            more = ", …" if len(shared) > 3 else ""
            told = f"{len(shared)} of these cases ({', '.join(shared[:3])}{more})"
            yield f"{variant.variant_id} was calibrated on {told}, which evaluates nothing; run_meta says so"
        if frozen.stub and not stub_conversation:
            yield (
                f"{variant.variant_id} was calibrated on simulated conversations, and this conversation is not; "
                "calibrate it on conversation of the same kind, of other cases"
            )


def _differences(variant: VariantConfig, frozen: FrozenConfig) -> dict[str, dict[str, Any]]:
    calibrated, used = frozen.gate.model_dump(mode="json"), variant.gate.model_dump(mode="json")
    differences = {
        name: {"calibrated": calibrated.get(name), "used": used.get(name)}
        for name in sorted({*calibrated, *used})
        if calibrated.get(name) != used.get(name)
    }
    if frozen.basis is Basis.SET and frozen.calibration_hash != gate_hash(frozen.gate):
        # Whoever edits gate and record alike is told by the record's own hash.
        differences["calibration_hash"] = {"calibrated": frozen.calibration_hash, "used": gate_hash(frozen.gate)}
    return differences
