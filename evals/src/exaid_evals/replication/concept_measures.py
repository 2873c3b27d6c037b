"""M3 to M7b: the published measures that rest on concepts, by the published definitions and an extractor of ours.

They are computed over two texts of the same conversation. Upstream joins the deltas, which are pieces of words, with
blanks (`torn`): its own extractor read that, and so a share of what its summaries state is nowhere in its traces. As
they were said (`said`) the same deltas make whole words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from exaid_evals.concepts.base import CachedExtractor
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.observe import observe_case
from exaid_evals.metrics.registry import load_measures
from exaid_evals.replication.campaign import to_run_log, to_trace
from exaid_evals.replication.measures import Values, joined_by_blanks, mean
from exaid_evals.replication.published import PublishedRun, PublishedTrace
from exaid_evals.replication.records import Record

TextBasis = Literal["said", "torn"]
Concepts = Callable[[str], frozenset[str]]
BUDGETS = (250, 500, 1000, 2000)
TAUS = ("0.85", "0.90", "0.95")


def ids_of(extractor: CachedExtractor) -> Concepts:
    """Return what reads a text as a set of concept ids."""
    return extractor.concepts


def candidates_of(extractor: CachedExtractor, k: int) -> Concepts:
    """Return what reads a text as upstream's linker might: for each mention its concept and k − 1 wrong candidates.

    The wrong ones are drawn by the mention's words, so that the same words have the same candidates everywhere. What
    this can inflate is the share of words that a summary puts otherwise than the conversation.
    """

    def read(text: str) -> frozenset[str]:
        [mentions] = extractor.mentions([text])
        found: set[str] = set()
        for mention in mentions:
            words = " ".join(text[mention.start : mention.end].casefold().split())
            seed = hashlib.sha256(words.encode()).hexdigest()[:16]
            found.add(mention.concept_id)
            found.update(f"candidate:{seed}:{number}" for number in range(1, k))
        return frozenset(found)

    return read


@dataclass(frozen=True, slots=True)
class ConceptCase:
    """Measures of a case that rest on concepts.

    Attributes:
        values: by the names of per_case.metrics.jsonl.
        jaccards: of consecutive summaries; the published aggregate pools them over cases.
    """

    values: Values
    jaccards: list[float]


def concept_measures(trace: PublishedTrace, run: PublishedRun, concepts: Concepts, basis: TextBasis) -> ConceptCase:
    """Return M3, M4, M5, M6a, M6b and M7b of a case by the published definitions.

    A summary that broke its schema counts as an empty set in M3, adds nothing to M4 and M5, and is left out of M6; a
    valid one without a concept counts as 0 in M6 and is left out of M5's mean over summaries.

    Args:
        trace: the conversation.
        run: the case under one variant.
        concepts: reads a text as a set of concepts.
        basis: as which text the conversation is read.
    """
    text_of = _torn if basis == "torn" else _said
    stated = [concepts(event["summary_semantics_text"]) if event["schema_ok"] else None for event in run.summaries]
    known = concepts(text_of(trace.deltas))
    reported = frozenset[str]().union(*(found for found in stated if found))
    jaccards = [_jaccard(one or frozenset(), other or frozenset()) for one, other in pairwise(stated)]
    m6a, m6b = _grounding(trace, run, stated, concepts, text_of)
    values = {
        "m3_redundancy_jaccard_mean": mean(jaccards),
        "m3_redundancy_threshold_rates": _rates(jaccards),
        "m4_trace_coverage": len(reported & known) / len(known) if known else 0.0,
        "m5_unsupported_global_rate": len(reported - known) / len(reported) if reported else 0.0,
        "m5_unsupported_per_summary_mean": mean([len(found - known) / len(found) for found in stated if found]),
        "m6a_mean": mean(m6a),
        "m6b_mean": mean(m6b),
        "m7b_coverage_by_budget": _by_budget(run.summaries, stated, known),
    }
    return ConceptCase(values, jaccards)


def _rates(jaccards: Sequence[float]) -> dict[str, float | None]:
    return {f"tau_{tau}": mean([float(value >= float(tau)) for value in jaccards]) for tau in TAUS}


def aggregate_concepts(of_cases: Sequence[ConceptCase]) -> dict[str, float | None]:
    """Return the measures of a variant by the names of aggregate.metrics.json.

    M3 is over all pairs of consecutive summaries, whatever their case; the others are means over cases.
    """
    cases = [case.values for case in of_cases]
    jaccards = [value for case in of_cases for value in case.jaccards]
    names = {
        "m4_trace_coverage.mean": "m4_trace_coverage",
        "m5_unsupported.global_rate_mean": "m5_unsupported_global_rate",
        "m5_unsupported.per_summary_mean": "m5_unsupported_per_summary_mean",
        "m6a.mean": "m6a_mean",
        "m6b.mean": "m6b_mean",
    }
    found = {"m3_redundancy.jaccard_mean": mean(jaccards)}
    found |= {f"m3_redundancy.threshold_rates.{tau}": rate for tau, rate in _rates(jaccards).items()}
    found |= {name: mean([case[key] for case in cases if case[key] is not None]) for name, key in names.items()}
    for budget in BUDGETS:
        key = f"ctu_{budget}"
        found[f"m7b_coverage_by_budget_mean.{key}"] = mean([case["m7b_coverage_by_budget"][key] for case in cases])
    return found


# Published name → our measure of the same kind.
OURS = {
    "m3_redundancy.jaccard_mean": "jaccard_mean",
    **{f"m3_redundancy.threshold_rates.tau_{tau}": f"redundancy_{tau}" for tau in TAUS},
    "m4_trace_coverage.mean": "coverage",
    "m5_unsupported.global_rate_mean": "unsupported",
    "m5_unsupported.per_summary_mean": "unsupported_per_update",
    "m6a.mean": "window_unsupported",
    "m6b.mean": "contract_unsupported",
    **{f"m7b_coverage_by_budget_mean.ctu_{budget}": f"coverage_at_{budget}" for budget in BUDGETS},
}


def our_measures(
    trace: PublishedTrace, runs: Mapping[str, PublishedRun], extractor: CachedExtractor
) -> dict[str, dict[str, float | None]]:
    """Return variant → published name → our measure of the same kind, by our definitions, of one case.

    Args:
        trace: the conversation.
        runs: variant → the case under it.
        extractor: reads concepts.
    """
    config = MetricsConfig(budget_list=BUDGETS, tau_list=tuple(map(float, TAUS)))
    measures = {measure.name: measure for measure in load_measures(config)}
    observed = observe_case(to_trace(trace), [to_run_log(trace, run) for run in runs.values()], extractor)
    return {
        variant: {name: measures[ours].compute(seen) for name, ours in OURS.items()}
        for variant, seen in zip(runs, observed, strict=True)
    }


def _said(deltas: Sequence[Record]) -> str:
    """Return the text as it was said: deltas one after another, a line for each turn, in order of the turns' starts."""
    turns: dict[int, list[str]] = {}
    for delta in deltas:
        turns.setdefault(delta["turn_id"], []).append(delta["delta_text"])
    return "\n".join("".join(texts) for texts in turns.values())


def _torn(deltas: Sequence[Record]) -> str:
    return joined_by_blanks(deltas)


def _grounding(
    trace: PublishedTrace,
    run: PublishedRun,
    stated: Sequence[frozenset[str] | None],
    concepts: Concepts,
    text_of: Callable[[Sequence[Record]], str],
) -> tuple[list[float], list[float]]:
    """Return M6a and M6b of each valid summary: unsupported by its window; by its window and the last summary."""
    of_event: Mapping[str, Record] = {event["event_id"]: event for event in run.summaries}
    in_window, in_contract = [], []
    for event, found in zip(run.summaries, stated, strict=True):
        if found is None:
            continue
        deltas = [delta for delta in trace.deltas if event["start_seq"] <= delta["seq"] <= event["end_seq"]]
        window = text_of(deltas)
        latest = of_event.get(event.get("latest_summary_event_id") or "")
        support = f"{window} {latest['summary_semantics_text']}" if latest else window
        in_window.append(len(found - concepts(window)) / len(found) if found else 0.0)
        in_contract.append(len(found - concepts(support)) / len(found) if found else 0.0)
    return in_window, in_contract


def _by_budget(
    events: Sequence[Record], stated: Sequence[frozenset[str] | None], known: frozenset[str]
) -> dict[str, float]:
    """Return coverage by the summaries that fit whole into each budget, in CTU; the first that does not ends it."""
    found = {}
    for budget in BUDGETS:
        spent, reported = 0, frozenset[str]()
        for event, concepts in zip(events, stated, strict=True):
            if spent + event["summary_ctu"] > budget:
                break
            spent += event["summary_ctu"]
            reported |= concepts or frozenset()
        found[f"ctu_{budget}"] = len(reported & known) / len(known) if known else 0.0
    return found


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
