"""Differences between variants, case by case: how large, how sure, and how small a one could have been seen."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.metrics.records import FAILED_TRACE, LEFT_OUT_FAILED_RUN, Comparison
from exaid_evals.report.base import STUB_NOTE, Column, Row, Table, column, nearest_parameter
from exaid_evals.report.cells import Digits, Number, PValue, WithInterval
from exaid_evals.report.notes import rests_on_time, time_note
from exaid_evals.report.results import Results

NAME = "comparisons"
WHY_NOT = "no variant has been compared with another"
_COLUMNS = (
    Column("mean_difference", "Difference", holds=WithInterval),
    Column("n", "n", decimals=0, holds=Number),
    Column("n_zero", "zeros", decimals=0, holds=Number),
    Column("wilcoxon_p", "p", holds=PValue),
    Column("holm_p", "p Holm", holds=PValue),
    Column("rank_biserial", "r", decimals=2, holds=Number),
    Column("smallest_detectable_difference", "SDD", holds=Number),
)
_BETTER = {"higher": "higher is better", "lower": "lower is better"}


def build(results: Results, _primary: str) -> Table | None:
    """Build the table of the measures that answer the paper's questions; None where nothing was compared."""
    order = _measures(results)
    shown = sorted(
        (one for one in results.comparisons if one.measure in order),
        key=lambda one: order.index(one.measure),
    )
    if not shown:
        return None
    rows = tuple(_row(one) for one in shown)
    return Table(
        NAME,
        "Differences between variants",
        _COLUMNS,
        rows,
        tuple(_notes(results, shown)),
        key_names=("measure", "variant", "against"),
        row_heading="Pair",
    )


def _measures(results: Results) -> list[str]:
    return [
        "compression",
        "coverage",
        f"coverage_at_{nearest_parameter(results, 'coverage_at_', 500)}",
        "coverage_auc",
        "concept_delay_ms_p50",
        "concept_delay_rmst",
        "restated",
        "unsupported",
        "llm_calls",
    ]


def _row(one: Comparison) -> Row:
    own = column(one.measure)
    unit = f" ({own.unit})" if own.unit else ""
    better = _BETTER.get(one.better)
    # Differences are smaller than what they are taken of.
    digits = Digits(max(2, own.decimals), own.scale)
    return Row(
        (one.measure, one.variant_id, one.against),
        (
            WithInterval(one.mean_difference, one.ci95_low, one.ci95_high, digits),
            Number(one.n),
            Number(one.n_zero),
            PValue(one.wilcoxon_p),
            PValue(one.holm_p),
            Number(one.rank_biserial),
            Number(one.smallest_detectable_difference, digits),
        ),
        one.stub,
        one.signature,
        label=f"{one.variant_id} − {one.against}",
        group=f"{own.heading}{unit}" + (f", {better}" if better else ""),
    )


def _notes(results: Results, shown: Sequence[Comparison]) -> list[str]:
    notes = [
        "Mean paired difference over n cases with its 95 % bootstrap percentile interval (resamples shared by all "
        "measures and variants); zeros: cases without a difference; p: two-sided Wilcoxon signed-rank test; "
        f"p Holm: adjusted over all {results.n_tests} tests of comparisons.metrics.jsonl; r: matched-pairs "
        "rank-biserial correlation, positive where the first variant has the greater values; SDD: smallest "
        "difference that a paired t test at 5 % detects with 80 % power. A dash: no case differs, or too few cases.",
        _left_out(shown),
    ]
    timed = any(rests_on_time(one.measure) for one in shown)
    notes += [time_note(results)] if timed else []
    return [*filter(None, notes), *([STUB_NOTE] if any(one.stub for one in shown) else [])]


def _left_out(shown: Sequence[Comparison]) -> str:
    failed = {case.case_id for one in shown for case in one.left_out if case.reason == FAILED_TRACE}
    in_replay = sorted({case.case_id for one in shown for case in one.left_out if case.reason == LEFT_OUT_FAILED_RUN})
    undefined = [
        f"{column(one.measure).heading}, {one.variant_id} − {one.against}: {count}"
        for one in shown
        if (count := sum(case.reason not in (FAILED_TRACE, LEFT_OUT_FAILED_RUN) for case in one.left_out))
    ]
    parts = []
    if failed:
        parts.append(f"{len(failed)} case{'' if len(failed) == 1 else 's'} without a conversation")
    if in_replay:
        parts.append(f"on both sides where the replay failed under either variant: {', '.join(in_replay)}")
    if undefined:
        parts.append(f"cases for which the measure is undefined under either variant ({'; '.join(undefined)})")
    return f"Left out: {'; '.join(parts)}." if parts else ""
