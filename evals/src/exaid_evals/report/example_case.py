"""The one case that the timeline shows, and what happened in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exaid_evals.config.campaign import Campaign
from exaid_evals.metrics.records import read_variant_and_cases
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
    return {
        case.case_id: length
        for case in read_variant_and_cases(campaign.metrics_file(variant))[1]
        if (length := case.measures.get("trace_ctu")) is not None
    }


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
