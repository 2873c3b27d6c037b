"""Variants compared case by case: paired differences, how sure they are, and what they could have shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exaid_evals.config.metrics import BootstrapConfig
from exaid_evals.metrics.aggregate import SCALE, number, shared_resamples
from exaid_evals.metrics.comparison_records import (
    FAILED_RUN,
    FAILED_TRACE,
    UNDEFINED_IN_AGAINST,
    UNDEFINED_IN_BOTH,
    UNDEFINED_IN_VARIANT,
    Comparison,
    LeftOut,
)
from exaid_evals.metrics.records import OK, SKIPPED_FAILED_TRACE, CaseMetrics
from exaid_evals.stats.bootstrap import percentile_intervals
from exaid_evals.stats.descriptive import describe, holm
from exaid_evals.stats.paired import rank_biserial, smallest_detectable_difference, wilcoxon_p

Floats = NDArray[np.float64]

# Whether a measure is (defined under the variant, defined under the other) → why a case is left out.
_UNDEFINED = {
    (False, True): UNDEFINED_IN_VARIANT,
    (True, False): UNDEFINED_IN_AGAINST,
    (False, False): UNDEFINED_IN_BOTH,
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One variant's side of a comparison.

    Attributes:
        variant_id: the variant.
        cases: id and status of all of its cases, by id.
        values: of the measures to compare, rounded to 6 decimals, shape (cases, measures); NaN where a measure is
            undefined, and in the whole row of a failed case.
        file_hash: of the file that holds them.
    """

    variant_id: str
    cases: Sequence[tuple[str, str]]
    values: Floats
    file_hash: str


class Side:
    """Takes a variant's cases one after the other, and keeps of each what is compared.

    Args:
        measures: names of the measures to compare.
        cases: the first ones, by id.
    """

    def __init__(self, measures: Iterable[str], cases: Iterable[CaseMetrics] = ()) -> None:
        self._measures = list(measures)
        self._cases: list[tuple[str, str]] = []
        self._rows: list[Floats] = []
        for case in cases:
            self.take(case)

    def take(self, case: CaseMetrics) -> None:
        """Take the next case."""
        self._cases.append((case.case_id, case.status))
        self._rows.append(np.array([case.measures.get(name) for name in self._measures], dtype=np.float64))

    def of(self, variant_id: str, file_hash: str) -> Compared:
        """Return what was taken as the side of a variant."""
        values = np.array(self._rows).reshape(len(self._rows), len(self._measures))
        return Compared(variant_id, self._cases, values, file_hash)


def compare(
    variants: Sequence[Compared],
    against: Compared,
    better: Mapping[str, str],
    bootstrap: BootstrapConfig,
    *,
    stub: bool,
    signature: str,
) -> list[Comparison]:
    """Compare each variant with one, in each measure.

    A case counts in a comparison where the measure is defined under both variants. The resamples are those of the
    aggregates: of all cases with a conversation. A case that does not count is left out of each resample that drew it,
        on
    both sides at once; so resample b holds the same cases in every comparison, up to the undefined ones.

    Args:
        variants: those to compare; all have the cases of `against`.
        against: the variant that they are compared with.
        better: measure → direction, for each measure to compare, in order.
        bootstrap: the resamples.
        stub: whether any part of the data is simulated.
        signature: how the numbers were made.

    Returns:
        A comparison per variant and measure, by variant; p values are adjusted over all of them.
    """
    found = []
    for variant in variants:
        # Millionths are integers: equal differences are equal to the last bit, so that ties and zeros are seen.
        differences = np.rint(variant.values * SCALE) - np.rint(against.values * SCALE)
        for column, (measure, direction) in enumerate(better.items()):
            empty = Comparison(
                variant_id=variant.variant_id,
                against=against.variant_id,
                measure=measure,
                better=direction,
                n=0,
                n_zero=0,
                left_out=_left_out(variant, against, column),
                mean_difference=None,
                ci95_low=None,
                ci95_high=None,
                wilcoxon_p=None,
                holm_p=None,
                rank_biserial=None,
                smallest_detectable_difference=None,
                stub=stub,
                signature=signature,
                made_from={variant.variant_id: variant.file_hash, against.variant_id: against.file_hash},
            )
            found.append((empty, differences[:, column]))
    with_conversation = [status != SKIPPED_FAILED_TRACE for _, status in against.cases]
    columns = np.array([column[with_conversation] for _, column in found]).reshape(len(found), -1).T
    return _adjusted(_estimated([empty for empty, _ in found], columns, bootstrap))


def _left_out(variant: Compared, against: Compared, column: int) -> tuple[LeftOut, ...]:
    defined = zip(*((~np.isnan(side.values[:, column])).tolist() for side in (variant, against)), strict=True)
    return tuple(
        LeftOut(case_id, _reason(status, beside, pair))
        for (case_id, status), (_, beside), pair in zip(variant.cases, against.cases, defined, strict=True)
        if pair != (True, True)
    )


def _reason(status: str, beside: str, defined: tuple[bool, bool]) -> str:
    if status == SKIPPED_FAILED_TRACE:
        return FAILED_TRACE
    return _UNDEFINED[defined] if status == beside == OK else FAILED_RUN


def _estimated(comparisons: Sequence[Comparison], differences: Floats, bootstrap: BootstrapConfig) -> list[Comparison]:
    """Fill in what the differences say.

    Args:
        comparisons: one per column.
        differences: in millionths, shape (cases with a conversation, columns); NaN where undefined.
        bootstrap: the resamples.
    """
    described = describe(differences)
    bounds = percentile_intervals(differences, shared_resamples(len(differences), bootstrap)) / SCALE
    estimated = []
    for index, comparison in enumerate(comparisons):
        column = differences[:, index]
        column = column[~np.isnan(column)]
        detectable = smallest_detectable_difference(described.sd[index], len(column))
        estimated.append(
            replace(
                comparison,
                n=len(column),
                n_zero=int(np.count_nonzero(column == 0)),
                mean_difference=number(described.mean[index] / SCALE),
                ci95_low=number(bounds[0, index]),
                ci95_high=number(bounds[1, index]),
                wilcoxon_p=wilcoxon_p(column),
                rank_biserial=rank_biserial(column),
                smallest_detectable_difference=None if detectable is None else detectable / SCALE,
            )
        )
    return estimated


def _adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Fill in Holm's adjustment, over every comparison that has a p."""
    adjusted = iter(holm([one.wilcoxon_p for one in comparisons if one.wilcoxon_p is not None]))
    return [one if one.wilcoxon_p is None else replace(one, holm_p=next(adjusted)) for one in comparisons]
