"""Metrics and comparisons of variants in memory and on disk (`exaid.metrics`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.atomic import atomic_file
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import require_record, scan_jsonl, write_jsonl
from exaid_evals.artifacts.ledger import require_as_written
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.validation.metrics import check_within

COMPARISON = "comparison"

FAILED_TRACE = "failed_trace"
LEFT_OUT_FAILED_RUN = "failed_run"
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
    require_as_measured(path, f"sha256:{digest.hexdigest()}", "compare-variants")
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


SCHEMA = "exaid.metrics"
OK = "ok"
SKIPPED_FAILED_TRACE = "skipped_failed_trace"
FAILED_RUN = "failed"
COVERAGE_CURVE = "coverage_vs_budget"
_REMEDY = "run `exaid-evals compute-metrics --force`"


@dataclass(frozen=True, slots=True)
class CaseMetrics:
    """The measures of one case under one variant.

    Attributes:
        status: `ok`; `skipped_failed_trace` for a case without a conversation, `failed` for one whose replay failed:
            both have no measures at all.
        measures: name → number, None where undefined for this case.
        curves: name → values on the grid of the variant's curve; all None where undefined.
        failure_reason: why the replay failed; None where it did not.
        time_basis: whether the times of the text were recorded: `recorded`, `partly`, `assumed`; None without a
            conversation, and in files before version 1.2.0.
    """

    case_id: str
    variant_id: str
    status: str = OK
    measures: Mapping[str, float | None] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    failure_reason: str | None = None
    time_basis: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure over cases. Statistics are None where too few cases define the measure.

    Attributes:
        sd: of the sample (ddof 1).
        ci95_low: bootstrap percentile interval of the mean over cases.
        n: cases for which the measure is defined.
        n_undefined: measured cases for which it is not. n + n_undefined + failed cases = all cases.
    """

    mean: float | None
    sd: float | None
    median: float | None
    min: float | None
    max: float | None
    ci95_low: float | None
    ci95_high: float | None
    n: int
    n_undefined: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A measure as a function of x, over cases.

    Attributes:
        mean: over the cases that define it.
        ci95_low: pointwise interval of the mean: each point's holds with 95 %, all of them at once do with less.
        ci95_high: see `ci95_low`.
        band_low: simultaneous band: with 95 % the whole curve lies within it. None of fewer than four cases; empty in
            files before version 1.1.0.
        band_high: see `band_low`.
    """

    x: Sequence[float]
    mean: Sequence[float | None]
    ci95_low: Sequence[float | None]
    ci95_high: Sequence[float | None]
    band_low: Sequence[float | None] = ()
    band_high: Sequence[float | None] = ()

    @property
    def has_band(self) -> bool:
        """Whether there is a simultaneous band at any point."""
        return any(low is not None for low in self.band_low)

    @property
    def drawn(self) -> tuple[Sequence[float | None], Sequence[float | None]]:
        """Lower and upper bounds as they are drawn: the band, or pointwise intervals where there is none."""
        return (self.band_low, self.band_high) if self.has_band else (self.ci95_low, self.ci95_high)


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What a variant's numbers were made from, so that a later reader knows whether that has changed since.

    Attributes:
        trace_dataset_hash: of the frozen traces.
        case_source: where the cases came from, as the manifest says; None where it does not.
        runs_hash: of the run logs, case by case; see `metrics.runs.hash_of_runs`.
        primary_variant: the variant that others are compared with.
        better: measure → `higher`, `lower` or `neither`.
        generation_seed: of the stub generator; None for a live or imported conversation.
        extractor_held_out: whether conversations of that seed were kept from sight while the concept extractor was
            built; None where there is no such seed, or the extractor does not say.
        llm: client and model of the runs, as signatures show them; empty in files before version 1.2.0.
        definitions: measure → version of its definition, of those whose definition has changed since the first.
    """

    trace_dataset_hash: str
    case_source: str | None
    runs_hash: str
    primary_variant: str
    better: Mapping[str, str]
    generation_seed: int | None = None
    extractor_held_out: bool | None = None
    llm: str = ""
    definitions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VariantMetrics:
    """The measures of one variant over its cases.

    Attributes:
        n_cases: all cases, with the failed ones.
        n_failed: cases without a conversation, and those whose replay failed.
        failed_runs: the latter, with the reason.
        time_basis: whether the times of the text were recorded, over all cases, as of a case.
        made_from: None before it is known, in the midst of aggregation.
    """

    variant_id: str
    n_cases: int
    n_failed: int
    stub: bool
    signature: str
    measures: Mapping[str, Estimate]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    made_from: MadeFrom | None = None
    failed_runs: Mapping[str, str] = field(default_factory=dict)
    time_basis: str | None = None

    @property
    def case_source(self) -> str | None:
        """Where the cases came from; None where that is not known."""
        return self.made_from.case_source if self.made_from else None


def case_line(case: CaseMetrics, *, stub: bool, signature: str) -> bytes:
    """Return a case's line of a variant's file."""
    # Not `asdict`, which copies every number.
    of_case = {one.name: value for one in fields(case) if (value := getattr(case, one.name)) is not None}
    common = {"record_type": "case_metrics", "stub": stub, "signature": signature}
    return canonical_bytes({**header(SCHEMA), **common, **of_case}) + b"\n"


def case_of_record(record: Mapping[str, Any]) -> CaseMetrics:
    """Return the case that a line holds."""
    return CaseMetrics(**{name: record[name] for name in _OF_A_CASE if name in record})


_OF_A_CASE = tuple(one.name for one in fields(CaseMetrics))


def write_metrics(path: Path, variant: VariantMetrics, cases: Iterable[bytes]) -> None:
    """Write a variant's file whole.

    Args:
        path: the file.
        variant: its last record.
        cases: the lines before it, by case id, as `case_line` makes them.
    """
    of_variant = {name: value for name, value in asdict(variant).items() if value is not None}
    if not variant.failed_runs:
        del of_variant["failed_runs"]
    last = canonical_bytes({**header(SCHEMA), "record_type": "variant_metrics", **of_variant}) + b"\n"
    with atomic_file(path) as stream:
        stream.writelines(chain(cases, [last]))


_right: dict[tuple[str, str], VariantMetrics] = {}
"""Name and hash of a file that this process has read and found right → its means: a stage reads the same ones again."""

_MOST_RIGHT = 64


def read_variant(path: Path) -> VariantMetrics:
    """Read a variant's means from its file.

    Raises:
        DataError: a record breaks its schema, or the file does not end in one `variant_metrics`.
    """
    digest = sha256_file(path)
    known = _right.get((path.name, digest))
    if known is None:
        return read_cases(path, lambda _: None)
    require_as_measured(path, digest)
    return known


def read_variant_and_cases(path: Path) -> tuple[VariantMetrics, list[CaseMetrics]]:
    """Read a variant's means, and its cases by id.

    Raises:
        DataError: as `read_variant`.
    """
    cases: list[CaseMetrics] = []
    return read_cases(path, cases.append), cases


def read_cases(path: Path, take: Callable[[CaseMetrics], None]) -> VariantMetrics:
    """Read a variant's means, and give its cases by id to whoever takes them; they are not kept here.

    Raises:
        DataError: as `read_variant`.
    """
    hasher = hashlib.sha256()
    check, found = check_within(path)
    known = _right.get((path.name, sha256_file(path)))
    record: dict[str, Any] = {}
    ordered = True
    for number, line in enumerate(scan_jsonl(path, digest=hasher), start=1):
        ordered = ordered and record.get("record_type", "case_metrics") == "case_metrics"
        record = require_record(line, path)
        if known is None:
            require_valid(record, f"{path}:{number}", SCHEMA)
            if ordered and record["record_type"] != "comparison":
                check.record(number, record)
        if record["record_type"] == "case_metrics":
            take(case_of_record(record))
    if not ordered or record.get("record_type") != "variant_metrics":
        raise DataError("must end in variant_metrics", where=str(path), remedy=_REMEDY)
    digest = f"sha256:{hasher.hexdigest()}"
    require_as_measured(path, digest)
    for finding in found:
        raise DataError(finding.what, where=f"{path}:{finding.line}", remedy=finding.remedy)
    if known is None:
        if len(_right) >= _MOST_RIGHT:
            _right.clear()
        known = _right[path.name, digest] = _variant(record)
    elif (path.name, digest) not in _right:
        raise DataError("is not what was written: it has been changed since", where=str(path), remedy=_REMEDY)
    return known


def require_as_measured(path: Path, digest: str, stage: str = "compute-metrics") -> None:
    """Make sure that a file of metrics is what its stage wrote, where the ledger says.

    Args:
        path: in the folder of metrics of a campaign.
        digest: hash of its content.
        stage: whose ledger is asked.

    Raises:
        DataError: it was changed since.
    """
    ledger = path.parent.parent / ".state" / f"{stage}.jsonl"
    require_as_written(path, digest, ledger, path.name.removesuffix(".metrics.jsonl"), _REMEDY)


def _variant(record: Mapping[str, Any]) -> VariantMetrics:
    return VariantMetrics(
        variant_id=record["variant_id"],
        n_cases=record["n_cases"],
        n_failed=record["n_failed"],
        stub=record["stub"],
        signature=record["signature"],
        measures={name: Estimate(**value) for name, value in record["measures"].items()},
        curves={name: Curve(**value) for name, value in record.get("curves", {}).items()},
        made_from=MadeFrom(**record["made_from"]) if "made_from" in record else None,
        failed_runs=record.get("failed_runs", {}),
        time_basis=record.get("time_basis"),
    )


def failed_runs(campaign: Campaign, variants: Sequence[str]) -> dict[str, list[str]]:
    """Return variant → cases whose replay failed, for variants where any did."""
    found = {variant: sorted(read_variant(campaign.metrics_file(variant)).failed_runs) for variant in variants}
    return {variant: cases for variant, cases in found.items() if cases}


def read_case_ids(path: Path) -> list[str]:
    """Return the cases that a variant's file covers, by id."""
    records = (require_record(line, path) for line in scan_jsonl(path))  # one after the other: they are long, and many
    return sorted(record["case_id"] for record in records if record.get("record_type") == "case_metrics")
