"""The published calibration of the token gate: its numbers by its definitions, and what our `calibrate` chooses.

Grid, constraints and rule of choice are those of upstream's evals/configs/calibration_sweep.yaml, in numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from exaid_evals.calibration.simulate import TIMERS, Flushes, Policy, Simulator, WordStream, policies
from exaid_evals.calibration.sweep import CaseWorker, choose, joined_counts, normalised, pareto_front
from exaid_evals.config.metrics import CalibrationConfig, ConstraintsConfig, GridConfig
from exaid_evals.errors import DataError
from exaid_evals.middleware.gates import TokenGateSettings
from exaid_evals.replication.campaign import to_trace
from exaid_evals.replication.conclusions import Cell, leaves
from exaid_evals.replication.gate import SPEED_OF_UNRECORDED, ends_at_published_cue, heard
from exaid_evals.replication.published import PublishedRun, PublishedTrace
from exaid_evals.replication.records import REMEDY, Record
from exaid_evals.traces.model import Trace

Floats = NDArray[np.float64]
Measures = Mapping[str, Floats]
"""Measure → (p,) values."""

GRID = GridConfig(
    min_words=(30, 40, 50, 60, 70),
    max_words=(80, 100, 120, 140, 160),
    silence_ms=(1000, 1500, 2000, 2500, 3000),
    max_wait_ms=(4000, 5000, 6000, 7000, 8000),
)
SMALL_SHARE = 0.7
"""A flush of fewer words than this share of min_words is small (upstream's spam)."""
MOST = {"spam_pct_mean": 10.0, "timer_under_min_pct_mean": 20.0, "chunk_size_p95": 180.0, "flush_count_mean": 100.0}
MEDIAN_AT_LEAST, MEDIAN_SHARE_AT_LEAST = 50.0, 0.6
"""The median chunk: in words, and as a share of min_words."""
FIRST_FLUSH_FACTOR, WAIT_FACTOR = 3.0, 1.5
"""The first flush may take so often the 95th percentile of the time to min_words; a wait, the longest max_wait_ms."""
OBJECTIVES = ("ttff_content_p50_ms", "flush_count_mean", "chunk_size_p50")
_LAST = ("end_of_trace", "turn_end")
_CASE_MEASURES = ("ttff", "n", "p50", "p95", "wait", "spam", "timer")
_NEVER = 10**9
_TAIL = 64
"""Code points; no more brackets and quotes than that close a sentence."""


class _OurConstraints(ConstraintsConfig):
    """The published constraints in our measures, with two that no configuration of ours has."""

    flushes_per_case: float | None = MOST["flush_count_mean"]
    words_short_of_median: float | None = 0.0


@dataclass(frozen=True, slots=True)
class OurCalibration:
    """What our `calibrate` finds over the published grid and constraints.

    Attributes:
        chosen: the policy; None where none keeps the constraints.
        n_survivors: policies that keep them.
        small_share: the smallest share of small flushes that any policy has.
        measures: measure → value of the chosen policy, value of the published one.
    """

    chosen: Policy | None
    n_survivors: int
    small_share: float
    measures: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class CalibrationFound:
    """The published calibration, recomputed.

    Attributes:
        cells: each published number beside the recomputed one.
        chosen: by the published definitions; None where no policy keeps the constraints.
        n_same: policies that cannot be distinguished from the chosen one by any measure.
        n_timed: flushes of any policy that a timer let go.
        ours: by our definitions, over all that was said.
        ours_heard: likewise, without the turns that the published gate does not hear.
    """

    cells: tuple[Cell, ...]
    chosen: Policy | None
    n_same: int
    n_timed: int
    ours: OurCalibration | None
    ours_heard: OurCalibration | None


def recalibrate(
    published: Mapping[str, Any],
    traces: Mapping[str, PublishedTrace],
    *,
    on_case: Callable[[str], None] = lambda _: None,
) -> CalibrationFound:
    """Try the published grid over the published conversations.

    Args:
        published: calibration_summary.json.
        traces: case id → conversation.
        on_case: called with each finished case.
    """
    tried, _ = policies(GRID)
    # The published gate measures waiting in an agent's first chunk alone; whether one waits too long is counted.
    simulator = Simulator([replace(policy, max_wait_ms=_NEVER) for policy in tried])
    cases = []
    for case_id, trace in traces.items():
        cases.append(_case_measures(trace, simulator, tried))
        on_case(case_id)
    measures = _over_cases([values for values, _ in cases])
    derived = _derived(traces.values())
    found, index = _choice(measures, tried, derived)
    cells = tuple(Cell("calibration", name, value, found[name]) for name, value in leaves(published) if name in found)
    n_timed = sum(timed for _, timed in cases)
    if index is None:
        return CalibrationFound(cells, None, 0, n_timed, None, None)
    alike = [np.isclose(values, values[index], equal_nan=True) for values in measures.values()]
    said = [to_trace(trace) for trace in traces.values()]
    listened = [_heard_of(trace, imported) for trace, imported in zip(traces.values(), said, strict=True)]
    ours, ours_heard = (_ours(texts, tried, tried[index], derived) for texts in (said, listened))
    return CalibrationFound(cells, tried[index], int(np.all(alike, axis=0).sum()), n_timed, ours, ours_heard)


def _heard_of(trace: PublishedTrace, imported: Trace) -> Trace:
    turn_ids = {turn.turn_id for turn in heard(trace)}
    messages = [
        message for message in imported.messages if message.upstream and message.upstream["turn_id"] in turn_ids
    ]
    return replace(imported, messages=tuple(messages))


def chunk_size_cells(published: Mapping[str, Any], runs: Mapping[str, Mapping[str, PublishedRun]]) -> tuple[Cell, ...]:
    """Return the numbers of the report on fixed chunks: the median over cases of the median flush of the full pipeline.

    Flushes at the end of a turn or of the conversation are left out, as published; the size is rounded up.

    Args:
        published: v3_calibration_report.json.
        runs: variant → case id → run.
    """
    medians = {
        case_id: median(sizes)
        for logs in runs.values()
        for case_id, run in logs.items()
        if run.meta["trigger_policy"] == "full_exaid"
        if (sizes := [one["accumulated_ctu"] for one in run.flushes if one["trigger_reason"] not in _LAST])
    }
    if not medians:
        return ()
    overall = float(median(medians.values()))
    found: dict[str, float] = {f"per_case_median_ctu.{case_id}": float(size) for case_id, size in medians.items()}
    found |= {"overall_median_ctu": overall, "chunk_size_ctu": float(math.ceil(overall))}
    return tuple(Cell("chunk size", name, value, found[name]) for name, value in leaves(published) if name in found)


def published_limits(published: Mapping[str, Any]) -> TokenGateSettings | None:
    """Return the frozen limits of the published gate; None where they were not published.

    Raises:
        DataError: they are no limits of a gate.
    """
    names = {"min_words": "min_words", "max_words": "max_words",
             "silence_timer_ms": "silence_ms", "max_wait_timeout_ms": "max_wait_ms"}  # fmt: skip
    limits = dict(leaves(published.get("selection", {}))) if isinstance(published.get("selection"), Mapping) else {}
    values = {ours: limits.get(f"selected_parameters.{theirs}") for theirs, ours in names.items()}
    if None in values.values():
        return None
    try:
        return TokenGateSettings.model_validate(values)
    except ValidationError as error:
        what = f"selection.selected_parameters: {error.errors()[0]['msg']}"
        raise DataError(what, where="calibration/calibration_summary.json", remedy=REMEDY) from None


def _segments(trace: PublishedTrace) -> Iterator[list[Record]]:
    """Yield what an agent says up to an end of a turn of its own; what comes after it goes into the next."""
    waiting: dict[str, list[Record]] = {}
    turn_ids = {turn.turn_id: turn for turn in heard(trace)}
    deltas = [delta for delta in trace.deltas if delta["turn_id"] in turn_ids and delta["delta_text"]]
    ends = [(turn.end_seq, turn.agent_id) for turn in turn_ids.values()]
    events = sorted([(delta["seq"], delta["agent_id"], delta) for delta in deltas]
                    + [(seq, agent_id, None) for seq, agent_id in ends], key=lambda event: event[0])  # fmt: skip
    for _, agent_id, delta in events:
        if delta is not None:
            waiting.setdefault(agent_id, []).append(delta)
        elif said := waiting.pop(agent_id, None):
            yield said
    # What no end of a turn follows is let go at the end of the conversation, and enters no published measure.


def _stream(deltas: Sequence[Record]) -> WordStream:
    """Return deltas as places of a stream; the end of the turn comes with the last of them."""
    texts = [delta["delta_text"] for delta in deltas]
    times = [delta["t_rel_ms"] for delta in deltas]
    follows = [not before[-1].isspace() and not text[0].isspace() for before, text in pairwise(texts)]
    goes_on = np.array([0, *follows, 0], dtype=np.int64)
    # A cue and what closes it may be several deltas, so the end of what was said so far is looked at.
    tails = accumulate(texts, lambda said, text: (said + text)[-_TAIL:])
    words = np.array([*(len(text.split()) for text in texts), 0], dtype=np.int64)
    return WordStream(
        deltas[0]["agent_id"],
        np.array([*times, times[-1]], dtype=np.int64),
        np.array([*map(ends_at_published_cue, tails), False], dtype=np.bool_),
        np.array([0]),
        np.array([len(texts)]),
        words - goes_on,
        goes_on,
    )


def _case_measures(
    trace: PublishedTrace, simulator: Simulator, tried: Sequence[Policy]
) -> tuple[dict[str, Floats], int]:
    """Return measure → (p,) values of one case, NaN where undefined, and how many flushes are a timer's upstream."""
    streams = [_stream(deltas) for deltas in _segments(trace)]
    if not streams:
        nothing = np.full(len(tried), math.nan)
        return {**dict.fromkeys(_CASE_MEASURES, nothing), "n": np.zeros(len(tried))}, 0
    found = [simulator.flushes(stream) for stream in streams]
    flushes = Flushes(*(np.concatenate(column) for column in zip(*found, strict=True)))
    order = np.argsort(flushes.policy, kind="stable")
    each = np.split(order, np.searchsorted(flushes.policy[order], np.arange(1, len(tried))))
    first_ms = min(int(stream.times[0]) for stream in streams)
    timed = np.isin(flushes.reason, TIMERS)
    rows = []
    for policy, places in zip(tried, each, strict=True):
        words, t_ms, by_timer = np.sort(flushes.words[places]), np.sort(flushes.t_ms[places]), timed[places]
        small = flushes.words[places[by_timer]] < policy.min_words
        rows.append(
            (
                float(t_ms[0] - first_ms),
                float(len(words)),
                _ranked(words, 0.5),
                _ranked(words, 0.95),
                _ranked(np.sort(np.diff(t_ms)), 0.95),
                100 * float(np.mean(words < SMALL_SHARE * policy.min_words)),
                100 * float(np.mean(small)) if len(small) else math.nan,
            )
        )
    max_wait_ms = np.array([policy.max_wait_ms for policy in tried])
    firsts = {stream.case_id: one for stream, one in reversed(list(zip(streams, found, strict=True)))}
    n_waited = sum(
        int(np.sum((one.start == 0) & (one.t_ms - one.begun_ms >= max_wait_ms[one.policy]))) for one in firsts.values()
    )
    return dict(zip(_CASE_MEASURES, np.array(rows).T, strict=True)), int(timed.sum()) + n_waited


def _ranked(ascending: Sequence[float] | NDArray[Any], q: float) -> float:
    """Return the order statistic that upstream takes for a quantile; NaN of nothing."""
    n = len(ascending)
    return float(ascending[min(int(n * q), n - 1)]) if n else math.nan


def _over_cases(cases: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Return measure → (p,) values by their published names."""
    stacked = {name: np.stack([case[name] for case in cases]).T for name in cases[0]}
    known = {name: [sorted(row[~np.isnan(row)]) for row in rows] for name, rows in stacked.items()}

    def ranked(name: str, q: float) -> Floats:
        return np.array([_ranked(row, q) for row in known[name]])

    def mean(name: str) -> Floats:
        # As Python adds, in order of the cases: published numbers are compared digit by digit.
        rows = [row[~np.isnan(row)].tolist() for row in stacked[name]]
        return np.array([sum(row) / len(row) if row else math.nan for row in rows])

    return {
        "ttff_content_p50_ms": ranked("ttff", 0.5),
        "ttff_content_p95_ms": ranked("ttff", 0.95),
        "flush_count_mean": mean("n"),
        "chunk_size_p50": ranked("p50", 0.5),
        "chunk_size_p95": ranked("p95", 1.0),
        "worst_wait_p95_ms": ranked("wait", 0.95),
        "spam_pct_mean": mean("spam"),
        "timer_under_min_pct_mean": mean("timer"),
    }


def _derived(traces: Iterable[PublishedTrace]) -> dict[str, float]:
    """Return the two limits that follow from the conversations and the grid."""
    reached: dict[int, list[int]] = {words: [] for words in GRID.min_words}
    for trace in traces:
        for deltas in _segments(trace):
            # Words are counted within each delta, so that a torn one counts for each of its pieces.
            counted = np.cumsum([len(delta["delta_text"].split()) for delta in deltas])
            for words, durations in reached.items():
                place = int(np.searchsorted(counted, words))
                if place < len(deltas):
                    durations.append(deltas[place]["t_rel_ms"] - deltas[0]["t_rel_ms"])
    slowest = max((_ranked(sorted(durations), 0.95) for durations in reached.values() if durations), default=math.inf)
    return {
        "ttff_content_p95_ms": math.inf if slowest == math.inf else float(math.ceil(slowest * FIRST_FLUSH_FACTOR)),
        "worst_wait_p95_ms": float(math.ceil(max(GRID.max_wait_ms) * WAIT_FACTOR)),
    }


def _choice(
    measures: Measures, tried: Sequence[Policy], derived: Mapping[str, float]
) -> tuple[dict[str, float], int | None]:
    """Return the numbers by their published names, and the chosen policy's index."""
    typical = measures["chunk_size_p50"]
    broken = [measures[name] > limit for name, limit in {**MOST, **derived}.items()]
    broken += [typical < MEDIAN_AT_LEAST, typical < MEDIAN_SHARE_AT_LEAST * np.array([one.min_words for one in tried])]
    survivors = ~np.any(broken, axis=0)
    found: dict[str, float] = {
        "policy_validity.valid_policies_count": len(tried),
        "constraint_filtering.total_policies": len(tried),
        "constraint_filtering.survivor_count": int(survivors.sum()),
        "constraint_filtering.rejected_count": int((~survivors).sum()),
    }
    if not survivors.any():
        return found, None
    values = np.stack([measures[name][survivors] for name in OBJECTIVES], axis=1)
    low, high = (np.array([_ranked(sorted(column), q) for column in values.T]) for q in (0.05, 0.95))
    for name, lo, hi in zip(OBJECTIVES, low, high, strict=True):
        unit = "_ms" if name.endswith("_ms") else ""
        found |= {f"normalization_bounds.{name}.{end}{unit}": float(value) for end, value in (("lo", lo), ("hi", hi))}
    sign = np.array([1.0, 1.0, -1.0])
    bounds = np.sort(np.stack([low, high]) * sign, axis=0)
    costs = normalised(values * sign, bounds)
    distance = np.sqrt(np.mean(costs**2, axis=1))
    front = np.flatnonzero(pareto_front(costs))
    nearest = min(
        front.tolist(),
        key=lambda i: (round(float(distance[i]), 10), values[i, 1], -values[i, 2], values[i, 0], i),
    )
    index = int(np.flatnonzero(survivors)[nearest])
    chosen = "selection.selected_parameters"
    limits = tried[index]
    found |= {
        f"{chosen}.min_words": limits.min_words,
        f"{chosen}.max_words": limits.max_words,
        f"{chosen}.silence_timer_ms": limits.silence_ms,
        f"{chosen}.max_wait_timeout_ms": limits.max_wait_ms,
        "selection.metadata.utopia_distance": float(distance[nearest]),
    }
    return found, index


def _ours(
    traces: Sequence[Trace], tried: tuple[Policy, ...], published: Policy, derived: Mapping[str, float]
) -> OurCalibration:
    """Run our calibration: words at their ends, a buffer for each turn, measures and distances of ours."""
    constraints = _OurConstraints(
        worst_wait_ms=int(derived["worst_wait_p95_ms"]),
        undersized_share=MOST["spam_pct_mean"] / 100,
        timer_share=None,
        chunk_words_p95=MOST["chunk_size_p95"],
        time_to_first_flush_ms=derived["ttff_content_p95_ms"],
    )
    worker = CaseWorker(Path(), tried, SPEED_OF_UNRECORDED)
    tried_ours = joined_counts(tried, map(worker.count, traces))
    measures = tried_ours.measures(1)
    min_words = np.array([policy.min_words for policy in tried])
    for words in GRID.min_words:  # small is relative to min_words, as published
        share = tried_ours.measures(math.ceil(SMALL_SHARE * words))["undersized_share"]
        measures["undersized_share"] = np.where(min_words == words, share, measures["undersized_share"])
    measures["words_short_of_median"] = np.maximum(0.0, MEDIAN_AT_LEAST - measures["chunk_words_p50"])
    config = CalibrationConfig(grid=GRID, constraints=constraints)
    at = tried.index(published)
    best_share = float(measures["undersized_share"].min())
    try:
        choice = choose(tried, measures, config, undersize_words=0)
    except DataError:
        return OurCalibration(None, 0, best_share, {})
    pairs = {name: (float(values[choice.index]), float(values[at])) for name, values in measures.items()}
    return OurCalibration(tried[choice.index], int(choice.survivors.sum()), best_share, pairs)
