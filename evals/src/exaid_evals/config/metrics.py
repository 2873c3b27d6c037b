"""configs/metrics.yaml: what is measured, at which budgets and thresholds, and how sure we are of the means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from exaid_evals.config.base import Config
from exaid_evals.config.variant import VARIANT_ID_PATTERN


class ExtractorConfig(Config):
    """The concept extractor that measures, by name, and its own settings."""

    name: str = Field(default="lexicon", min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)


class BootstrapConfig(Config):
    """The resamples that all measures and variants share. The level is 95 %: the records' fields are `ci95_…`."""

    resamples: int = Field(default=10_000, ge=100, le=1_000_000)
    seed: int = Field(default=42, ge=0)


class ComparisonsConfig(Config):
    """Which variants are compared in which measures.

    Attributes:
        against: the variant that every other is compared with; None means the primary variant.
        measures: names of measures. `coverage_at_*` stands for all that it matches, which may be none: which
            there are depends on `budget_list` and `tau_list`.
    """

    against: str | None = Field(default=None, pattern=VARIANT_ID_PATTERN)
    measures: tuple[Annotated[str, Field(min_length=1)], ...] = (
        "coverage",
        "coverage_at_*",
        "coverage_auc",
        "compression",
        "restated",
        "unsupported",
        "window_unsupported",
        "concept_delay_ms_p50",
        "concept_delay_rmst",
        "llm_calls",
    )


class MetricsConfig(Config):
    """The whole file.

    Attributes:
        extractor: finds the concepts.
        stop_entities: file of names that are never concepts, in the folder of this configuration.
        budget_list: budgets in CTU at which coverage is reported; the largest bounds the curve and its area.
        budget_policy: `cut` stops the output within an update; `whole_updates` counts only what fits whole.
        tau_list: thresholds of similarity from which two consecutive updates count as redundant.
        curve_step_ctu: distance between points of the coverage curve.
        delay_horizon_ms: up to which waiting counts in the restricted mean of the delay.
        silence_ms: time without an update from which it is a silence.
        bootstrap: the resamples.
        comparisons: which variants are compared in which measures.
        primary_variant: the variant that others are compared with, set in bold in tables.
        measures: further families of measures, by entry point or `module:attribute`.
    """

    extractor: ExtractorConfig = ExtractorConfig()
    stop_entities: str = "stop_entities.txt"
    budget_list: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(250, 500, 1000, 2000), min_length=1)
    budget_policy: Literal["cut", "whole_updates"] = "cut"
    tau_list: tuple[Annotated[float, Field(gt=0, le=1, multiple_of=0.01)], ...] = Field(
        default=(0.85, 0.90, 0.95), min_length=1
    )
    curve_step_ctu: int = Field(default=25, ge=1)
    delay_horizon_ms: int = Field(default=60_000, ge=1)
    silence_ms: int = Field(default=15_000, ge=1)
    bootstrap: BootstrapConfig = BootstrapConfig()
    comparisons: ComparisonsConfig = ComparisonsConfig()
    primary_variant: str = Field(default="V3", pattern=VARIANT_ID_PATTERN)
    measures: tuple[str, ...] = ()

    @field_validator("budget_list", "tau_list")
    @classmethod
    def _ascending(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if list(values) != sorted(set(values)):
            raise ValueError("must ascend, each value once")
        return values

    @property
    def against(self) -> str:
        """Return the variant that every other is compared with."""
        return self.comparisons.against or self.primary_variant

    @property
    def curve_budgets(self) -> tuple[int, ...]:
        """Return the budgets of the coverage curve in CTU: 0, step, 2·step, … and the largest budget."""
        largest = self.budget_list[-1]
        return (*range(0, largest, self.curve_step_ctu), largest)
