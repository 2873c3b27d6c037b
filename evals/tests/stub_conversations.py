"""Simulated conversations about the small source's cases, for tests of what the generator says and of its labels."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.cases.base import Case
from exaid_evals.config.mas_generation import MasGenerationConfig
from exaid_evals.traces.model import Provenance, Trace
from exaid_evals.traces.stub.generator import StubSource
from small_cases import load

PROVENANCE = Provenance("mas-" + "0" * 16, "8" * 40, "stub-groupchat-2", stub=True)
CASES = load()


def generated(seed: int = 42, cases: Sequence[Case] = CASES, **stub: float) -> list[Trace]:
    """Return the conversations about some cases."""
    config = MasGenerationConfig.model_validate({"seed": seed, "stub": stub})
    source = StubSource(config, PROVENANCE, CASES)
    return [source.generate(case) for case in cases]


CONVERSATIONS = [trace for seed in range(8) for trace in generated(seed)]
