"""Which cases the agents talk about: the data set and the selection from it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from exaid_evals.config.base import Config


class SelectionMode(StrEnum):
    """How many of the available cases are selected."""

    FIXED_SUBSET = "fixed_subset"
    ALL = "all"


class OnFailure(StrEnum):
    """What a case that fails does to the others."""

    LOG_STUB = "log_stub"
    RAISE = "raise"


class DatasetConfig(Config):
    """configs/dataset.yaml.

    Attributes:
        source: `auto` (MAC's cases where they are present, else synthetic ones), `mac`, `synthetic`, the name of
            an entry point, or `module:attribute`.
        mode: a seeded subset of fixed size, or every case.
        seed: of the selection.
        n_cases: size of the subset; ignored when all cases are taken.
        on_failure: `log_stub` freezes a failure trace in the case's place and goes on; `raise` stops at the
            first failure and freezes nothing.
        synthetic_seed: of the synthetic cases themselves.
    """

    source: str = Field(default="auto", min_length=1)
    mode: SelectionMode = SelectionMode.FIXED_SUBSET
    seed: int = 42
    n_cases: int = Field(default=40, ge=1)
    on_failure: OnFailure = OnFailure.LOG_STUB
    synthetic_seed: int = Field(default=42, ge=0)
