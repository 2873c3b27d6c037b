"""Whether a run keeps to the calibration that its variant's file records."""

from __future__ import annotations

from typing import Any

from exaid_evals.config.variant import VariantConfig


def calibration_note(variant: VariantConfig, case_id: str) -> dict[str, Any] | None:
    """Return what a run's `run_meta` says about the calibration; None where none is recorded.

    Returns:
        The calibration's hash; whether the gate is `as_calibrated`; each setting that is not, with both values; and
        whether the gate was `calibrated_on_this_case`, which makes the run no evaluation.
    """
    frozen = variant.frozen
    if frozen is None:
        return None
    calibrated, used = frozen.gate.model_dump(mode="json"), variant.gate.model_dump(mode="json")
    differences = {
        name: {"calibrated": calibrated.get(name), "used": used.get(name)}
        for name in sorted({*calibrated, *used})
        if calibrated.get(name) != used.get(name)
    }
    return {
        "calibration_hash": frozen.calibration_hash,
        "as_calibrated": not differences,
        "differences": differences,
        "calibrated_on_this_case": case_id in frozen.cases,
    }
