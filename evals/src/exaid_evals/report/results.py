"""What a report is made from: the variants of a campaign, what was compared, and one case to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.metrics.comparison_records import Comparison, read_comparisons
from exaid_evals.metrics.records import VariantMetrics, read_variant
from exaid_evals.metrics.runs import natural_order
from exaid_evals.report.example_case import ExampleCase


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


def read_results(campaign: Campaign, variants: Sequence[str], *, example: ExampleCase | None = None) -> Results:
    """Read what stage 03 has written.

    Args:
        campaign: where it lies.
        variants: those to show, in order; each has a metrics file.
        example: the case of the timeline, where figures are wanted.

    Raises:
        DataError: a metrics file is damaged.
    """
    path = campaign.comparisons_file
    found = read_comparisons(path) if path.is_file() else []
    measured = tuple(read_variant(campaign.metrics_file(variant)) for variant in variants)
    shown = tuple(one for one in found if one.variant_id in variants and one.against in variants)
    n_tests = sum(one.wilcoxon_p is not None for one in found)
    return Results(measured, shown, example, n_tests)


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
