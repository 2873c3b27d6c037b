"""Bounds: what a stage could not work with is refused before any work."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from exaid_evals.config.base import Config
from exaid_evals.config.mas_generation import MasGenerationConfig
from exaid_evals.config.variant import SummarizerConfig
from exaid_evals.middleware.gates import TokenGateSettings

LONG = {"median": 1e10, "sigma": 0, "low": 1e10, "high": 1e10}


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (MasGenerationConfig, {"epoch": "1969-12-31T23:59:59Z"}),
        (MasGenerationConfig, {"epoch": "9999-12-31T23:59:59Z"}),
        (MasGenerationConfig, {"stub": {"timing": {"presentation_speed": 1e-9}}}),
        (MasGenerationConfig, {"stub": {"timing": {"pause_ms": LONG}}}),
        (MasGenerationConfig, {"stub": {"timing": {"typing_speed": LONG}}}),
        (SummarizerConfig, {"stream": {"chars_per_second": 1e-300}}),
        (SummarizerConfig, {"stream": {"chars_per_second": 1e7}}),
        (SummarizerConfig, {"stub": {"latency": {"base_ms": 1e300}}}),
        (TokenGateSettings, {"silence_ms": 10**30}),
    ],
)
def test_what_nobody_can_work_with_is_refused(model: type[Config], value: dict[str, Any]) -> None:
    """Times beyond eleven days, speeds that make them, and years that a calendar does not have room behind."""
    with pytest.raises(ValidationError):
        model.model_validate(value)
