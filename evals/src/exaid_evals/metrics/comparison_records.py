"""Comparisons of variants in memory and on disk (`exaid.metrics`, record type `comparison`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import require_record, scan_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.errors import DataError
from exaid_evals.metrics.records import SCHEMA, require_as_measured

COMPARISON = "comparison"

FAILED_TRACE = "failed_trace"
FAILED_RUN = "failed_run"
UNDEFINED_IN_VARIANT = "undefined_in_variant"
UNDEFINED_IN_AGAINST = "undefined_in_against"
UNDEFINED_IN_BOTH = "undefined_in_both"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A case that a comparison does not count.

    Attributes:
        reason: `failed_trace` (no conversation), `failed_run` (the replay failed under one of the variants), or the
            measure is `undefined_in_variant`, `undefined_in_against` or `undefined_in_both`.
    """

    case_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure under one variant, less the same under another, case by case. Statistics that do not exist are None.

    Attributes:
        variant_id: the variant.
        against: the variant that it is compared with.
        measure: name of the measure.
        better: `higher`, `lower` or `neither`: the direction in which a middleware improves.
        n: cases for which the measure is defined under both. n + left out = all cases.
        n_zero: those of them that show no difference.
        left_out: the others, by case id, with the reason.
        mean_difference: mean over the n cases of variant − against.
        ci95_low: its bootstrap percentile interval over cases; None below two cases.
        ci95_high: see `ci95_low`.
        wilcoxon_p: two-sided p of the signed-rank test; None where no case shows a difference.
        holm_p: the same, adjusted over every p of the file.
        rank_biserial: matched-pairs rank-biserial correlation, in −1 … 1, positive where the variant has the
            greater values; None where no case shows a difference.
        smallest_detectable_difference: what a two-sided paired t test at 5 % finds with 80 % power, given n and the
            differences' spread; None where they have none.
        stub: whether any part of the data is simulated.
        signature: how the numbers were made.
        made_from: variant → hash of its metrics file, for both variants.
    """

    variant_id: str
    against: str
    measure: str
    better: str
    n: int
    n_zero: int
    left_out: Sequence[LeftOut]
    mean_difference: float | None
    ci95_low: float | None
    ci95_high: float | None
    wilcoxon_p: float | None
    holm_p: float | None
    rank_biserial: float | None
    smallest_detectable_difference: float | None
    stub: bool
    signature: str
    made_from: Mapping[str, str]


def write_comparisons(path: Path, comparisons: Sequence[Comparison]) -> None:
    """Write a campaign's comparisons whole, in the order given."""
    write_jsonl(path, [{**header(SCHEMA), "record_type": COMPARISON, **asdict(one)} for one in comparisons])


def read_comparisons(path: Path) -> list[Comparison]:
    """Read a campaign's comparisons.

    Raises:
        DataError: a record breaks its schema, or is of another type.
    """
    found = []
    digest = hashlib.sha256()
    records = [require_record(line, path) for line in scan_jsonl(path, digest=digest)]
    require_as_measured(path, digest.hexdigest(), "compare-variants")
    for number, record in enumerate(records, start=1):
        where = f"{path}:{number}"
        require_valid(record, where)
        if record.get("record_type") != COMPARISON:
            remedy = "run `exaid-evals compute-metrics --force`"
            raise DataError("must be a comparison", where=where, remedy=remedy)
        found.append(_comparison(record))
    return found


def _comparison(record: Mapping[str, Any]) -> Comparison:
    fields = {name: value for name, value in record.items() if name in Comparison.__dataclass_fields__}
    return Comparison(**{**fields, "left_out": tuple(LeftOut(**one) for one in record["left_out"])})
