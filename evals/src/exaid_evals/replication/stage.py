"""A whole replication: published numbers beside ours, concepts by an extractor of ours, and what survives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exaid_evals.concepts.base import CachedExtractor, Extractor
from exaid_evals.errors import DataError
from exaid_evals.replication.calibration import CalibrationFound, chunk_size_cells, published_limits, recalibrate
from exaid_evals.replication.concept_measures import (
    OURS,
    TextBasis,
    aggregate_concepts,
    candidates_of,
    concept_measures,
    ids_of,
    our_measures,
)
from exaid_evals.replication.conclusions import (
    Bounds,
    Cell,
    Ordering,
    Recomputed,
    Validity,
    extractor_validity,
    leaves,
    orderings,
    recompute,
    unsupported_bounds,
)
from exaid_evals.replication.gate import STEPS, GateStep, gate_steps
from exaid_evals.replication.published import (
    Publication,
    PublishedRun,
    PublishedTrace,
    read_published_run,
    read_published_trace,
)

CANDIDATES = 10
"""As in the published run_meta: linker_max_entities_per_mention."""

# Published mean of a variant → the measure of a case whose mean it is.
CONCLUSIONS = {
    "m1_update_count_mean": "m1_update_count",
    "m2_output_ctu_mean": "m2_output_ctu",
    "m9_usage_ctu_mean.total": "m9_total_llm_ctu",
    "m8_latency_ms_mean.summary": "m8_summary_latency_ms_mean",
    "m3_redundancy.jaccard_mean": "m3_redundancy_jaccard_mean",
    "m4_trace_coverage.mean": "m4_trace_coverage",
    "m5_unsupported.global_rate_mean": "m5_unsupported_global_rate",
    "m6b.mean": "m6b_mean",
}


@dataclass(frozen=True, slots=True)
class ConceptTable:
    """Measures that rest on concepts, by one way of reading.

    Attributes:
        basis: the conversation's text, as it was said or torn by blanks as upstream builds it.
        candidates: concepts per mention: 1, or the simulated candidates of a linker.
        means: variant → published name → mean over cases.
    """

    basis: TextBasis
    candidates: int
    means: Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class Replication:
    """All that was found.

    Attributes:
        recomputed: numbers that need no extractor.
        extractor: id of ours; None where concepts were left out.
        concepts: measures by ours, a table for each way of reading.
        by_our_definitions: variant → published name → mean over cases of our measure of the same kind.
        orderings: the published orderings of variants, each tested.
        gate: the published token gate, replayed by one rule after another; empty where its limits are not here.
        calibration: its calibration, recomputed; None where it is not here.
        chunk_size: numbers of the report on the fixed chunks that stand in for the gate.
        validity: of the extractor on annotated texts; None where none were named.
        bounds: variant → what its share of unsupported concepts may be by that recall.
    """

    recomputed: Recomputed
    extractor: str | None
    concepts: tuple[ConceptTable, ...]
    by_our_definitions: Mapping[str, Mapping[str, float | None]]
    orderings: tuple[Ordering, ...]
    gate: tuple[GateStep, ...]
    calibration: CalibrationFound | None
    chunk_size: tuple[Cell, ...]
    validity: Validity | None
    bounds: Mapping[str, Bounds | None]


def replicate(
    publication: Publication,
    extractor: Extractor | None,
    *,
    annotated: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Replication:
    """Read a publication and recompute it.

    Args:
        publication: the folder.
        extractor: reads concepts; None leaves them out.
        annotated: texts that people annotated, on which the extractor's recall is measured.
        on_step: called with what has been done: each trace, each variant's logs, each variant's concepts.

    Raises:
        DataError: a file is damaged, or a run has no trace; names file and line.
    """
    traces, runs = read_all(publication, on_step)
    found = recompute(publication, traces, runs)
    per_case: dict[str, Mapping[str, Mapping[str, float | None]]] = dict(found.per_case)
    tables: list[ConceptTable] = []
    if extractor is not None:
        cached = CachedExtractor(extractor)
        ways: tuple[tuple[TextBasis, int], ...] = (("said", 1), ("torn", 1), ("said", CANDIDATES), ("torn", CANDIDATES))
        for basis, k in ways:
            read = ids_of(cached) if k == 1 else candidates_of(cached, k)
            means = {}
            for variant, logs in runs.items():
                cases = {case_id: concept_measures(traces[case_id], run, read, basis) for case_id, run in logs.items()}
                means[variant] = aggregate_concepts(list(cases.values()))
                if (basis, k) == ("said", 1):
                    for case_id, case in cases.items():
                        for measure, value in leaves(case.values):
                            of_measure: dict[str, Any] = per_case.setdefault(measure, {})  # type: ignore[assignment]
                            of_measure.setdefault(variant, {})[case_id] = value
                on_step(f"concepts of {variant}")
            tables.append(ConceptTable(basis, k, means))
    ours = _by_our_definitions(traces, runs, CachedExtractor(extractor), on_step) if extractor else {}
    tested = []
    for name, measure in CONCLUSIONS.items():
        published = {variant: dict(leaves(values)).get(name) for variant, values in publication.aggregate.items()}
        if measure in per_case:
            tested += orderings(name, published, per_case[measure])
    limits = published_limits(publication.calibration)
    gate = gate_steps(traces, runs, limits, on_rule=on_step) if limits else ()
    calibration = recalibrate(publication.calibration, traces, on_case=on_step) if publication.calibration else None
    chunk_size = chunk_size_cells(publication.chunk_size_report, runs)
    extractor_id = extractor.id if extractor else None
    validity = extractor_validity(extractor, annotated) if extractor and annotated else None
    shares = per_case.get("m5_unsupported_global_rate", {})
    bounds = {variant: unsupported_bounds(cases, validity) for variant, cases in shares.items()} if validity else {}
    return Replication(
        found, extractor_id, tuple(tables), ours, tuple(tested), gate, calibration, chunk_size, validity, bounds
    )


def _by_our_definitions(
    traces: Mapping[str, PublishedTrace],
    runs: Mapping[str, Mapping[str, PublishedRun]],
    extractor: CachedExtractor,
    on_step: Callable[[str], None],
) -> dict[str, dict[str, float | None]]:
    values: dict[str, dict[str, list[float]]] = {variant: {name: [] for name in OURS} for variant in runs}
    for case_id, trace in traces.items():
        of_case = {variant: logs[case_id] for variant, logs in runs.items() if case_id in logs}
        for variant, measures in our_measures(trace, of_case, extractor).items():
            for name, value in measures.items():
                if value is not None:
                    values[variant][name].append(value)
        on_step(case_id)
    return {
        variant: {name: float(np.mean(known)) if known else None for name, known in measures.items()}
        for variant, measures in values.items()
    }


def concept_cells(published: Mapping[str, Any], found: Replication) -> list[dict[str, Any]]:
    """Return each published number that rests on concepts beside ours, with what both are.

    The extractor is ours, so that the two are not expected to be equal; nor are the definitions where they are ours.
    """
    by_ours = [
        {
            "variant": variant,
            "measure": measure,
            "published": dict(leaves(published.get(variant, {}))).get(measure),
            "ours": value,
            "definition": f"ours: {OURS[measure]}",
            "extractor": found.extractor,
            "text": "said",
            "candidates": 1,
        }
        for variant, means in found.by_our_definitions.items()
        for measure, value in means.items()
    ]
    return by_ours + [
        {
            "variant": variant,
            "measure": measure,
            "published": dict(leaves(published.get(variant, {}))).get(measure),
            "ours": value,
            "definition": "upstream",
            "extractor": found.extractor,
            "text": table.basis,
            "candidates": table.candidates,
        }
        for table in found.concepts
        for variant, means in table.means.items()
        for measure, value in means.items()
    ]


def read_all(
    publication: Publication, on_step: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, PublishedTrace], dict[str, dict[str, PublishedRun]]]:
    """Read every trace and run log: case id → trace; variant → case id → run."""
    traces = {}
    for case_id, path in publication.trace_files.items():
        traces[case_id] = read_published_trace(path)
        on_step(case_id)
    runs: dict[str, dict[str, PublishedRun]] = {}
    for variant in publication.variants:
        runs[variant] = {}
        for case_id, path in publication.run_files(variant).items():
            if case_id not in traces:
                raise DataError("no trace of this case", where=str(path), remedy="add the trace, or remove the run log")
            runs[variant][case_id] = read_published_run(path)
        on_step(variant)
    return traces, runs


def n_steps(publication: Publication, *, concepts: bool) -> int:
    """Return how often `on_step` is called."""
    n_variants = len(publication.variants)
    n_gate = len(STEPS) if published_limits(publication.calibration) else 0
    n_calibration = len(publication.trace_files) if publication.calibration else 0
    n_traces = len(publication.trace_files) * (2 if concepts else 1)
    return n_traces + n_variants * (5 if concepts else 1) + n_gate + n_calibration
