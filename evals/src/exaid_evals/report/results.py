"""What a report is made from: the variants of a campaign, what was compared, and one case to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.files import natural_order
from exaid_evals.metrics.records import (
    CaseMetrics,
    Comparison,
    VariantMetrics,
    read_cases,
    read_comparisons,
    read_variant,
)
from exaid_evals.replay.clock import arrivals
from exaid_evals.replay.run_log import RunLog, read_run
from exaid_evals.traces.model import Trace, read_trace

RULE = "the case of median length: of the measured cases in order of their CTU, then of their ids, the middle one"
"""What chooses it: the input alone, never how any variant fared. Of an even number it is the lower middle one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of the conversation: who said it, and when its text arrived, in ms of virtual time."""

    agent_id: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Emitted:
    """An update: when it reached the clinician, in ms of virtual time, and how long it is."""

    t_ms: int
    ctu: int


@dataclass(frozen=True, slots=True)
class Lane:
    """What one variant did.

    Attributes:
        updates: in order of emission.
        held: when the trigger decided against an update, in ms.
        stub: whether conversation or model were simulated.
    """

    variant_id: str
    updates: tuple[Emitted, ...]
    held: tuple[int, ...]
    stub: bool


@dataclass(frozen=True, slots=True)
class ExampleCase:
    """The case.

    Attributes:
        turns: the conversation, in order.
        lanes: the variants, in order.
        n_cases: among how many it was chosen.
    """

    case_id: str
    turns: tuple[Turn, ...]
    lanes: tuple[Lane, ...]
    n_cases: int


def choose(lengths: dict[str, float]) -> str:
    """Return the case of median length.

    Args:
        lengths: case id → CTU of its conversation; at least one.

    >>> choose({"case-b": 5, "case-a": 5, "case-c": 9, "case-d": 100})
    'case-b'
    """
    ordered = sorted(lengths, key=lambda case_id: (lengths[case_id], case_id))
    return ordered[(len(ordered) - 1) // 2]


def chosen_case(campaign: Campaign, variants: Sequence[str]) -> tuple[str, int] | None:
    """Return the case that the rule chooses among those measured under every variant, and how many there are.

    None where no case has a conversation.
    """
    by_variant = [_lengths(campaign, variant) for variant in variants]
    common = set.intersection(*map(set, by_variant)) if by_variant else set()
    if not common:
        return None
    return choose({case_id: by_variant[0][case_id] for case_id in common}), len(common)


def _lengths(campaign: Campaign, variant: str) -> dict[str, float]:
    lengths: dict[str, float] = {}

    def take(case: CaseMetrics) -> None:
        if (length := case.measures.get("trace_ctu")) is not None:
            lengths[case.case_id] = length

    read_cases(campaign.metrics_file(variant), take)
    return lengths


def read_example(campaign: Campaign, case_id: str, variants: Sequence[str], n_cases: int) -> ExampleCase:
    """Read the case's conversation and its run logs.

    Raises:
        DataError: a file is missing or damaged.
    """
    trace = read_trace(campaign.trace_file(case_id))
    logs = [read_run(campaign.run_file(variant, case_id)) for variant in variants]
    speed = float(logs[0].meta["config"]["stream"]["chars_per_second"])
    return ExampleCase(case_id, _turns(trace, speed), tuple(map(_lane, logs)), n_cases)


def _turns(trace: Trace, chars_per_second: float) -> tuple[Turn, ...]:
    return tuple(
        Turn(message.agent_id, arrival.start_ms, arrival.end_ms)
        for message, arrival in zip(trace.messages, arrivals(trace, chars_per_second), strict=True)
    )


def _lane(log: RunLog) -> Lane:
    return Lane(
        log.meta["variant_id"],
        tuple(sorted((Emitted(one.t_ms, one.summary_ctu) for one in log.summaries), key=lambda one: one.t_ms)),
        tuple(one.t_ms for one in log.decisions if one.decision != "summarize"),
        bool(log.meta["stub"]),
    )


@dataclass(frozen=True, slots=True)
class Results(Sequence[VariantMetrics]):
    """Variants in the order in which they are shown; a sequence of them, for most tables need no more.

    Attributes:
        variants: their means.
        comparisons: of pairs of these variants, in the order of the file.
        example: the case of the timeline; None where no run logs are here.
        n_tests: over how many tests their p-values were adjusted.
    """

    variants: tuple[VariantMetrics, ...]
    comparisons: tuple[Comparison, ...] = ()
    example: ExampleCase | None = None
    n_tests: int = 0

    def __len__(self) -> int:
        """Return the number of variants."""
        return len(self.variants)

    @overload
    def __getitem__(self, index: int) -> VariantMetrics: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[VariantMetrics, ...]: ...
    def __getitem__(self, index: int | slice) -> VariantMetrics | tuple[VariantMetrics, ...]:
        """Return variants by their place."""
        return self.variants[index]

    def __iter__(self) -> Iterator[VariantMetrics]:
        """Iterate over the variants."""
        return iter(self.variants)


def read_results(campaign: Campaign, variants: Sequence[str]) -> Results:
    """Read what stage 03 has written.

    Args:
        campaign: where it lies.
        variants: those to show, in order; each has a metrics file.

    Raises:
        DataError: a metrics file is damaged.
    """
    path = campaign.comparisons_file
    found = read_comparisons(path) if path.is_file() else []
    measured = tuple(read_variant(campaign.metrics_file(variant)) for variant in variants)
    shown = tuple(one for one in found if one.variant_id in variants and one.against in variants)
    n_tests = sum(one.wilcoxon_p is not None for one in found)
    return Results(measured, shown, None, n_tests)


def measured_variants(campaign: Campaign) -> tuple[list[str], str]:
    """Return the variants that have metrics, in natural order, and the primary one among them as their records say.

    Raises:
        DataError: none has, or a file is damaged.
    """
    files = set(campaign.metrics.glob("*.metrics.jsonl")) - {campaign.comparisons_file}
    names = sorted((path.name.removesuffix(".metrics.jsonl") for path in files), key=natural_order)
    if not names:
        raise DataError(
            "nothing has been measured here",
            where=str(campaign.metrics),
            remedy=f"run {campaign.call('compute-metrics')}",
        )
    made_from = [read_variant(campaign.metrics_file(name)).made_from for name in names]
    return names, next((one.primary_variant for one in made_from if one is not None), "")
