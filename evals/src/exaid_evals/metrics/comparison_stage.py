"""Variants compared case by case, from the metrics files alone, and only when those have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import BootstrapConfig, MetricsConfig
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.metrics.records import (
    FAILED_TRACE,
    LEFT_OUT_FAILED_RUN,
    OK,
    SKIPPED_FAILED_TRACE,
    UNDEFINED_IN_AGAINST,
    UNDEFINED_IN_BOTH,
    UNDEFINED_IN_VARIANT,
    CaseMetrics,
    Comparison,
    LeftOut,
    read_cases,
    write_comparisons,
)
from exaid_evals.metrics.registry import load_measures
from exaid_evals.stats.descriptive import describe, holm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# NumPy, and what needs it, is imported only when there is something to compare: a run with nothing to do stays quick,
# and its threads would keep workers from being copies of a process that measures.

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
        import numpy as np

        self._cases.append((case.case_id, case.status))
        self._rows.append(np.array([case.measures.get(name) for name in self._measures], dtype=np.float64))

    def of(self, variant_id: str, file_hash: str) -> Compared:
        """Return what was taken as the side of a variant."""
        import numpy as np

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
    import numpy as np

    from exaid_evals.metrics.aggregate import SCALE

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
    import numpy as np

    defined = zip(*((~np.isnan(side.values[:, column])).tolist() for side in (variant, against)), strict=True)
    return tuple(
        LeftOut(case_id, _reason(status, beside, pair))
        for (case_id, status), (_, beside), pair in zip(variant.cases, against.cases, defined, strict=True)
        if pair != (True, True)
    )


def _reason(status: str, beside: str, defined: tuple[bool, bool]) -> str:
    if status == SKIPPED_FAILED_TRACE:
        return FAILED_TRACE
    return _UNDEFINED[defined] if status == beside == OK else LEFT_OUT_FAILED_RUN


def _estimated(comparisons: Sequence[Comparison], differences: Floats, bootstrap: BootstrapConfig) -> list[Comparison]:
    """Fill in what the differences say.

    Args:
        comparisons: one per column.
        differences: in millionths, shape (cases with a conversation, columns); NaN where undefined.
        bootstrap: the resamples.
    """
    import numpy as np

    from exaid_evals.metrics.aggregate import SCALE, number, shared_resamples
    from exaid_evals.stats.bootstrap import percentile_intervals
    from exaid_evals.stats.paired import rank_biserial, smallest_detectable_difference, wilcoxon_p

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


_KEY = "comparisons"


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """What was compared.

    Attributes:
        against: the variant that the others are compared with.
        compared: the others, in order; empty where there is no file.
        measures: what they are compared in.
        otherwise_made: variants whose metrics bear another signature, and are not compared.
        against_measured: whether `against` has metrics of this signature.
        written: whether the file is new.
    """

    against: str
    compared: tuple[str, ...]
    measures: tuple[str, ...]
    otherwise_made: tuple[str, ...]
    against_measured: bool
    written: bool


def check_comparisons(campaign: Campaign, config: MetricsConfig, present: Sequence[str]) -> None:
    """Check, before any work, that what is to be compared can be.

    Raises:
        ConfigError: a variant or a measure is not here, or a variant has the name of the comparisons' file.
    """
    problems = []
    against = config.comparisons.against
    if against is not None and against not in present:
        problems.append(
            ConfigError(
                f"no runs of {against}",
                where="comparisons.against",
                remedy=f"run {campaign.call(f'run-variants {against}')}; there are runs of {', '.join(present)}",
            )
        )
    if any(campaign.metrics_file(variant) == campaign.comparisons_file for variant in present):
        problems.append(
            ConfigError(
                f"a variant cannot be called {_KEY}: its metrics would lie where the comparisons do",
                where=str(campaign.runs / _KEY),
                remedy="give it another name",
            )
        )
    try:
        compared_measures(config)
    except ConfigError as error:
        problems.append(error)
    if problems:
        raise ConfigError.of(problems)


def compared_measures(config: MetricsConfig) -> dict[str, str]:
    """Return measure → direction for each measure to compare, in the order of the measures.

    Raises:
        ConfigError: names every name that no measure has. A pattern may match none.
    """
    better = {measure.name: measure.better for measure in load_measures(config)}
    wanted = config.comparisons.measures
    unknown = [name for name in wanted if name not in better and not set(name) & set("*?[")]
    if unknown:
        raise ConfigError(
            f"no measure is called {', '.join(unknown)}",
            where="comparisons.measures",
            remedy=f"there are {', '.join(better)}",
        )
    return {
        name: direction for name, direction in better.items() if any(fnmatchcase(name, pattern) for pattern in wanted)
    }


def compare_variants(
    campaign: Campaign,
    config: MetricsConfig,
    present: Sequence[str],
    *,
    stub: bool,
    signature: str,
    force: bool = False,
) -> ComparisonReport:
    """Write the campaign's comparisons where they are not current; remove them where there is nothing to compare.

    Only metrics with the given signature are compared: others were made from something else.

    Args:
        campaign: where the metrics lie.
        config: what to compare.
        present: variants that have runs, in order.
        stub: whether any part of the data is simulated.
        signature: of the metrics.
        force: write also what is current.

    Raises:
        DataError: a metrics file is damaged, or two of one signature hold other cases.
    """
    measured = [variant for variant in present if campaign.metrics_file(variant).is_file()]
    alike = [variant for variant in measured if _signature_of(campaign, variant) == signature]
    better = compared_measures(config)
    against = config.against
    others = [variant for variant in alike if variant != against] if against in alike and better else []
    with Ledger(campaign.state / "compare-variants.jsonl") as ledger:
        written = False
        if others:
            hashes = {variant: sha256_file(campaign.metrics_file(variant)) for variant in (*others, against)}
            inputs = fingerprint(
                metrics=hashes, order=others, against=against, better=list(better.items()), signature=signature
            )
            if force or not ledger.is_current(_KEY, inputs, campaign.comparisons_file):
                _write(campaign, config, others, hashes, better, stub=stub, signature=signature)
                ledger.record(_KEY, inputs, campaign.comparisons_file)
                written = True
        elif ledger.recorded():
            campaign.comparisons_file.unlink(missing_ok=True)
            ledger.keep_only([])
    return ComparisonReport(
        against=against,
        compared=tuple(others),
        measures=tuple(better),
        otherwise_made=tuple(variant for variant in measured if variant not in alike),
        against_measured=against in alike,
        written=written,
    )


def _write(
    campaign: Campaign,
    config: MetricsConfig,
    others: Sequence[str],
    hashes: Mapping[str, str],
    better: Mapping[str, str],
    *,
    stub: bool,
    signature: str,
) -> None:
    sides = {}
    for variant, file_hash in hashes.items():
        side = Side(better)
        read_cases(campaign.metrics_file(variant), side.take)
        sides[variant] = side.of(variant, file_hash)
    base = sides[config.against]
    for variant, compared in sides.items():
        if _outline(compared.cases) != _outline(base.cases):
            raise DataError(
                f"holds other cases than {campaign.metrics_file(base.variant_id).name}, under the same signature",
                where=str(campaign.metrics_file(variant)),
                remedy=f"run {campaign.call('compute-metrics --force')}",
            )
    write_comparisons(
        campaign.comparisons_file,
        compare([sides[variant] for variant in others], base, better, config.bootstrap, stub=stub, signature=signature),
    )


def _outline(cases: Sequence[tuple[str, str]]) -> list[tuple[str, bool]]:
    return [(case_id, status == SKIPPED_FAILED_TRACE) for case_id, status in cases]


def _signature_of(campaign: Campaign, variant: str) -> str | None:
    """Return the signature in a metrics file's first record; None where that is not a record."""
    for line in scan_jsonl(campaign.metrics_file(variant)):
        return line.value.get("signature") if line.value is not None else None
    return None
