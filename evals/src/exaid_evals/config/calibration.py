"""configs/calibration.yaml: which policies of the token gate are tried, what they must keep to, how one is chosen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from exaid_evals.config.base import Config
from exaid_evals.config.variant import VARIANT_ID_PATTERN

Values = Annotated[tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def _ascending(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("must ascend, each value once")
    return values


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
        first_flush: the objective of promptness: the first flush of the `talk`, or of each `turn`. A conversation opens
            with the case's presentation, which may be pasted at once and is then flushed at once under every policy.
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
    first_flush: Literal["talk", "turn"] = "talk"
    normalise_percentiles: tuple[Annotated[int, Field(ge=0, le=100)], Annotated[int, Field(ge=0, le=100)]] = (5, 95)

    _ordered = field_validator("undersize_sensitivity", "normalise_percentiles")(_ascending)
