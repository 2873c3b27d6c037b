"""The data behind figures that show means with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.formats.csv_table import write_csv

_STATISTICS = ("mean", "ci95_low", "ci95_high", "n", "n_undefined")


def estimates_csv(variants: Sequence[VariantMetrics], measures: Iterable[str]) -> str:
    """Return a row per variant and measure that it has; values in the records' units, empty where undefined."""
    rows = [
        [
            one.variant_id,
            measure,
            *(getattr(one.measures[measure], statistic) for statistic in _STATISTICS),
            one.stub,
            one.signature,
        ]
        for measure in measures
        for one in variants
        if measure in one.measures
    ]
    return write_csv(["variant", "measure", *_STATISTICS, "stub", "signature"], rows)
