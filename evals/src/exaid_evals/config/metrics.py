"""configs/metrics.yaml: what is measured, at which budgets and thresholds, and how sure we are of the means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from exaid_evals.config.base import Config
from exaid_evals.config.variant import VARIANT_ID_PATTERN


def _called_now(name: object) -> object:
    return "conversation" if name == "talk" else name  # as it was once called


def _ascending(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("must ascend, each value once")
    return values


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
    measures: tuple[Annotated[str, BeforeValidator(_called_now)], ...] = ()

    _ordered = field_validator("budget_list", "tau_list")(_ascending)

    @property
    def against(self) -> str:
        """Return the variant that every other is compared with."""
        return self.comparisons.against or self.primary_variant

    @property
    def curve_budgets(self) -> tuple[int, ...]:
        """Return the budgets of the coverage curve in CTU: 0, step, 2·step, … and the largest budget."""
        largest = self.budget_list[-1]
        return (*range(0, largest, self.curve_step_ctu), largest)


Values = Annotated[tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class GridConfig(Config):
    """The values of each setting; every combination is a policy, but for those with min_words above max_words."""

    min_words: Values = (20, 40, 60, 80, 100)
    max_words: Values = (100, 130, 160, 200, 250)
    silence_ms: Values = (1000, 2000, 4000, 6000, 8000)
    max_wait_ms: Values = (5000, 10000, 15000, 20000, 30000)

    _ordered = field_validator("*")(_ascending)


class ConstraintsConfig(Config):
    """What a policy must keep to; None leaves a measure free. Measures are those of `policies.csv`.

    Attributes:
        worst_wait_ms: at most so long from a chunk's first word to its flush, in any chunk.
        undersized_share: at most this share of flushes is below `undersize_words`.
        timer_share: at most this share of flushes is due to a timer.
        chunk_words_p95: at most so many words at the 95th percentile of chunks.
        time_to_first_flush_ms: at most so long until the first flush, in the mean over cases.
        turn_to_first_flush_ms: at most so long from a turn's first word to its first flush, in the mean over turns.
    """

    worst_wait_ms: Annotated[int, Field(ge=1)] | None = 20000
    undersized_share: Share | None = 0.25
    timer_share: Share | None = 0.25
    chunk_words_p95: Annotated[float, Field(gt=0)] | None = 160
    time_to_first_flush_ms: Annotated[float, Field(gt=0)] | None = None
    turn_to_first_flush_ms: Annotated[float, Field(gt=0)] | None = None

    @property
    def limits(self) -> dict[str, float]:
        """Return measure → its largest value, for those that are limited."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class CalibrationConfig(Config):
    """The whole file.

    Attributes:
        variants: whose gate is calibrated.
        set_by_hand: whose gate is frozen as it stands beside them, and why it is what it is.
        grid: the policies.
        undersize_words: a flush of fewer words is undersized.
        undersize_sensitivity: other thresholds, for which the report says what would have been chosen.
        constraints: what a policy must keep to.
        first_flush: the objective of promptness: the first flush of the `conversation`, or of each `turn`. A
            conversation opens with the case's presentation, which may be pasted at once and is then flushed at once
            under every policy.
        normalise_percentiles: the survivors' percentiles that become 0 and 1 before distances are taken.
    """

    variants: tuple[Annotated[str, Field(pattern=VARIANT_ID_PATTERN)], ...] = Field(default=("V3", "V4"), min_length=1)
    set_by_hand: dict[Annotated[str, Field(pattern=VARIANT_ID_PATTERN)], Annotated[str, Field(min_length=1)]] = Field(
        default={"V1": "the fixed threshold of the evaluation's design, chosen for no data"}
    )
    grid: GridConfig = GridConfig()
    undersize_words: int = Field(default=30, ge=1)
    undersize_sensitivity: Values = (10, 20, 30, 40, 50)
    constraints: ConstraintsConfig = ConstraintsConfig()
    first_flush: Annotated[Literal["conversation", "turn"], BeforeValidator(_called_now)] = "conversation"
    normalise_percentiles: tuple[Annotated[int, Field(ge=0, le=100)], Annotated[int, Field(ge=0, le=100)]] = (5, 95)

    _ordered = field_validator("undersize_sensitivity", "normalise_percentiles")(_ascending)
