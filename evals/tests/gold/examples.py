"""Metrics written by hand: three variants with round numbers, a failed case, something undefined, a case to look at."""

from __future__ import annotations

from exaid_evals.metrics.records import (
    COVERAGE_CURVE,
    FAILED_TRACE,
    UNDEFINED_IN_VARIANT,
    Comparison,
    Curve,
    Estimate,
    LeftOut,
    VariantMetrics,
)
from exaid_evals.report.results import Emitted, ExampleCase, Lane, Results, Turn

SIGNATURE = (
    "exaid-evals/1.0|traces:aaaaaaaa|cfg:bbbbbbbb|concepts:lexicon-1:cccccccc|llm:stub/s_1|boot:10000/42|stub:yes"
)
BUDGETS = (0, 250, 500, 1000, 2000)


def estimate(mean: float | None, width: float = 0.02, *, n: int = 39, n_undefined: int = 0) -> Estimate:
    """Return an estimate of a given mean, with an interval around it."""
    if mean is None:
        return Estimate(None, None, None, None, None, None, None, 0, 39)
    low, high = round(mean - width, 6), round(mean + width, 6)
    return Estimate(mean, round(width * 3, 6), mean, low, high, low, high, n, n_undefined)


def around(values: tuple[float, ...], width: float) -> tuple[list[float], list[float]]:
    """Return a band around values, within 0 and 1."""
    return [round(max(0, v - width), 6) for v in values], [round(min(1, v + width), 6) for v in values]


def variant(
    name: str, coverages: tuple[float, ...], *, stub: bool = True, signature: str = SIGNATURE
) -> VariantMetrics:
    """Return a variant whose coverage at 0, 250, 500, 1000 and 2000 CTU is given."""
    measures = {
        f"coverage_at_{budget}": estimate(value) for budget, value in zip(BUDGETS[1:], coverages[1:], strict=True)
    }
    measures |= {
        "coverage": estimate(coverages[-1]),
        "coverage_auc": estimate(round(sum(coverages) / 5, 6)),
        "update_count": estimate(9.25, 1),
        "output_ctu": estimate(1234.5, 100),
        "compression": estimate(0.25),
        "time_to_first_update_ms": estimate(2345.678, 120),
        "trace_messages": estimate(11.25, 1),
        "trace_ctu": estimate(3450.5, 100),
        "trace_concepts": estimate(24, 2),
        "extractor_precision": estimate(0.975),
        "extractor_recall": estimate(0.925),
        "extractor_f1": estimate(0.95),
        "extractor_precision_synonym": estimate(0.95, n=36, n_undefined=3),
        "extractor_recall_synonym": estimate(0.875, n=37, n_undefined=2),
        "extractor_f1_synonym": estimate(0.9, n=37, n_undefined=2),
        "extractor_specificity_negated": estimate(0.99),
        "gold_mentions_synonym": estimate(9.5, 1),
        "gold_mentions_negated": estimate(16, 1),
        "coverage_gold": estimate(coverages[-1]),
        "coverage_error": estimate(-0.025),
        "coverage_gold_at_500": estimate(coverages[2], n=38, n_undefined=1),
        "redundancy_0.85": estimate(0.5),
        "redundancy_0.90": estimate(0.125, n=36, n_undefined=3) if name == "V3" else estimate(None),
        "unsupported": estimate(0.0, 0),
        "redundancy_text_0.85": estimate(0.25),
        "concept_delay_ms_p50": estimate(1.0, 1500),
        "concept_delay_ms_p95": estimate(9000, 1500),
        "concept_delay_km_p50": estimate(None) if name == "V10_b" else estimate(7000, 500),
        "concept_delay_rmst": estimate(12_000, 1500),
        "concepts_told": estimate(18.5, 1),
        "concepts_never_told": estimate(5.5, 1),
        "anticipated": estimate(0.0125),
        "restated": estimate(0.5, n=36, n_undefined=3) if name == "V3" else estimate(None),
        "lag_al": estimate(3.25, 0.5),
        "lag_laal": estimate(3.25, 0.5),
        "lag_dal": estimate(4.5, 0.5),
        "silence_count": estimate(2.5, 0.5),
        "silence_ms_max": estimate(30_000, 1000),
        "llm_calls": estimate(0.0 if name == "V0" else 12, 0),
        "schema_failure_rate": estimate(0.0, 0),
    }
    curve = Curve(BUDGETS, coverages, *around(coverages, 0.05), *around(coverages, 0.1))
    return VariantMetrics(name, 40, 1, stub, signature, measures, {COVERAGE_CURVE: curve})


VARIANTS = [
    variant("V0", (0.0, 0.1, 0.2, 0.4, 0.7)),
    variant("V3", (0.0, 0.5, 0.75, 0.8, 0.825)),
    variant("V10_b", (0.0, 0.5, 0.7, 0.8, 0.825)),
]


def comparison(name: str, measure: str, difference: float | None, p: float | None, *, stub: bool = True) -> Comparison:
    """Return a comparison with V3: a failed case, and for V10_b one for which the measure is undefined."""
    left_out = (LeftOut("case-a", FAILED_TRACE),)
    if name == "V10_b":
        left_out += (LeftOut("case-b", UNDEFINED_IN_VARIANT),)
    known = difference is not None and p is not None
    return Comparison(
        variant_id=name,
        against="V3",
        measure=measure,
        better="lower" if measure == "compression" else "higher",
        n=40 - len(left_out),
        n_zero=3 if known else 40 - len(left_out),
        left_out=left_out,
        mean_difference=difference,
        ci95_low=None if difference is None else round(difference - 0.01, 6),
        ci95_high=None if difference is None else round(difference + 0.01, 6),
        wilcoxon_p=p,
        holm_p=None if p is None else min(1.0, 4 * p),
        rank_biserial=-0.5 if known else None,
        smallest_detectable_difference=0.0125 if known else None,
        stub=stub,
        signature=SIGNATURE,
        made_from=dict.fromkeys((name, "V3"), f"sha256:{64 * '0'}"),
    )


EXAMPLE = ExampleCase(
    case_id="case-m_1",
    turns=(Turn("supervisor", 0, 0), Turn("doctor0", 1000, 9000), Turn("doctor1", 12000, 20000)),
    lanes=(
        Lane("V0", (Emitted(0, 300), Emitted(9000, 250), Emitted(20000, 240)), (), stub=True),
        Lane("V3", (Emitted(2500, 40),), (9000, 20000), stub=True),
        Lane("V10_b", (), (), stub=True),
    ),
    n_cases=39,
)
RESULTS = Results(
    tuple(VARIANTS),
    (
        comparison("V0", "coverage", -0.125, 0.0004),
        comparison("V10_b", "coverage", 0.0, None),
        comparison("V0", "compression", 0.75, 0.0412),
        comparison("V10_b", "compression", None, None),
        comparison("V10_b", "llm_calls", -0.25, 0.9999),
    ),
    EXAMPLE,
    n_tests=3,
)
