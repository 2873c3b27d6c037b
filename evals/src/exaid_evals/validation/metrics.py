"""Metrics files and comparisons of variants: each agrees with itself, and with what it was made from."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from exaid_evals.artifacts.canonical import equal_as_rounded, is_fine, may_be_fine
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.artifacts.storage import is_stored
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.validation.aggregates import curve_problems, disorder
from exaid_evals.validation.base import FileCheck, Finding, Record, Surroundings

Found = Callable[[int, str], None]

_NO_CONVERSATION = "skipped_failed_trace"
_REASONS = {
    (False, True): "undefined_in_variant",
    (True, False): "undefined_in_against",
    (False, False): "undefined_in_both",
}


class Claim(NamedTuple):
    """What a comparison says of its cases."""

    line: int
    variant_id: str
    measure: str
    n: int
    n_zero: int
    left_out: Mapping[str, str]
    mean_difference: float | None


@dataclass(slots=True)
class Comparisons:
    """Checks a file of comparisons, fed record by record."""

    path: Path
    found: Found
    _first: Record = field(default_factory=dict)
    _claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    _p: list[tuple[int, float, float]] = field(default_factory=list)
    _hashes: dict[str, tuple[int, str]] = field(default_factory=dict)

    def record(self, line: int, record: Record) -> None:
        """Take the next comparison."""
        self._first = self._first or record
        for name in ("against", "signature", "stub"):
            if record[name] != self._first[name]:
                self.found(line, f"{name} differs from the first record's: they do not belong in one table")
        for problem in contradictions(record):
            self.found(line, f"{record['measure']:.80}: {problem}")
        key = record["variant_id"], record["measure"]
        if key in self._claims:
            self.found(line, f"{' '.join(key):.120} is a duplicate of line {self._claims[key].line}")
        left_out = {one["case_id"]: one["reason"] for one in record["left_out"]}
        claim = Claim(line, *key, record["n"], record["n_zero"], left_out, record["mean_difference"])
        self._of_all_cases(claim)
        self._claims[key] = claim
        if record["wilcoxon_p"] is not None and record["holm_p"] is not None:
            self._p.append((line, record["wilcoxon_p"], record["holm_p"]))
        for variant, digest in record["made_from"].items():
            if self._hashes.setdefault(variant, (line, digest))[1] != digest:
                self.found(line, f"made from another {variant} than line {self._hashes[variant][0]}")

    def end(self, *, incomplete: bool) -> None:
        """Hold the comparisons against each other and against the metrics beside them."""
        if not self._claims or incomplete:
            return
        for line, message in _holm_problems(self._p):
            self.found(line, message)
        if self.path.parent.name == "metrics":
            self._beside(Campaign(self.path.parent.parent))

    def _of_all_cases(self, claim: Claim) -> None:
        """Check that every comparison is over the same cases."""
        if not self._claims:
            return
        first = next(iter(self._claims.values()))
        if claim.n + len(claim.left_out) != first.n + len(first.left_out):
            n, n_first = (one.n + len(one.left_out) for one in (claim, first))
            self.found(
                claim.line, f"{claim.measure:.80}: n and left_out make {n} cases, and {n_first} in line {first.line}"
            )
        if _failed(claim) != _failed(first):
            self.found(claim.line, f"{claim.measure:.80}: other cases failed than in line {first.line}")

    def _beside(self, campaign: Campaign) -> None:
        """Hold the comparisons against the metrics files beside them, where those are here."""
        against = self._first["against"]
        values: dict[str, dict[str, Record]] = {}
        measures = {claim.measure for claim in self._claims.values()}
        for variant, (line, digest) in self._hashes.items():
            path = campaign.metrics_file(variant)
            if not path.is_file():
                if campaign.runs.is_dir():  # else the comparisons alone were brought here
                    self.found(line, f"made from {path.name}, which is not beside it")
                continue
            try:
                if sha256_file(path) != digest:
                    self.found(line, f"older than {path.name} beside it")
                else:
                    values[variant] = _cases(path, measures)
            except (DataError, KeyError, TypeError, AttributeError):
                continue  # a damaged metrics file is reported where it is checked itself
        for claim in self._claims.values():
            if claim.variant_id in values and against in values:
                for problem in _disproofs(claim, values[claim.variant_id], values[against]):
                    self.found(claim.line, f"{claim.measure:.80}: {problem}")


def contradictions(record: Record) -> Iterator[str]:
    """Yield what a comparison's fields contradict in each other.

    That the interval holds the mean is not asked for: a percentile interval of skewed data need not.
    """
    n, n_zero, mean = record["n"], record["n_zero"], record["mean_difference"]
    low, high = record["ci95_low"], record["ci95_high"]
    left_out = [one["case_id"] for one in record["left_out"]]
    if record["variant_id"] == record["against"]:
        yield "compared with itself"
    if set(record["made_from"]) != {record["variant_id"], record["against"]}:
        yield "made_from names other variants than it compares"
    if len(set(left_out)) != len(left_out):
        yield "left_out names a case twice"
    if n_zero > n:
        yield f"n_zero {n_zero} exceeds n {n}"
    moved = n - n_zero
    yield from _presence(record, ("mean_difference",), "case", exists=n > 0)
    if (low is None) != (high is None) or (low is not None and n < 2):
        yield "an interval of one bound, or of fewer than two cases"
    elif low is not None and low > high:
        yield f"ci95_low {low} exceeds ci95_high {high}"
    yield from _presence(record, ("wilcoxon_p", "holm_p", "rank_biserial"), "difference", exists=moved > 0)
    if record["smallest_detectable_difference"] is not None and n < 2:
        yield "smallest_detectable_difference of fewer than two cases"
    p, adjusted, effect = (record[name] for name in ("wilcoxon_p", "holm_p", "rank_biserial"))
    if p is not None and adjusted is not None and adjusted < p and not equal_as_rounded(adjusted, p):
        yield f"holm_p {adjusted} is below wilcoxon_p {p}"
    if effect is not None and abs(effect) == 1 and mean is not None and effect * mean < 0:
        yield f"rank_biserial {effect} and mean_difference {mean} have different signs"


def _presence(record: Record, names: Sequence[str], of: str, *, exists: bool) -> Iterator[str]:
    for name in names:
        if exists and record[name] is None:
            yield f"no {name}, though there is a {of}"
        elif not exists and record[name] is not None:
            yield f"{name} {record[name]}, though there is no {of}"


def _holm_problems(found: Sequence[tuple[int, float, float]]) -> Iterator[tuple[int, str]]:
    """Adjust anew: the k-th smallest of m times m − k + 1, never below the one before it, at most 1."""
    least = 0.0
    for rank, (line, p, adjusted) in enumerate(sorted(found, key=lambda one: (one[1], one[2]))):
        factor = len(found) - rank
        least = max(least, min(1.0, p * factor))
        if not equal_as_rounded(adjusted, least, [p], times=len(found)):
            yield line, f"holm_p is {adjusted}, and {len(found)} comparisons make {least:.6g}"


def _failed(claim: Claim) -> set[str]:
    return {case_id for case_id, reason in claim.left_out.items() if reason == "failed_trace"}


def _cases(path: Path, measures: Iterable[str]) -> dict[str, Record]:
    """Return case id → its status and some of its measures, of which the file has many more."""
    cases: dict[str, Record] = {}
    for line in scan_jsonl(path):
        one = line.value
        if one and one["record_type"] == "case_metrics":
            values = one["measures"] if one["status"] == "ok" else {}
            kept = {name: values.get(name) for name in measures}
            cases[one["case_id"]] = {"status": one["status"], "measures": kept}
    return cases


def _disproofs(claim: Claim, cases: Mapping[str, Record], others: Mapping[str, Record]) -> Iterator[str]:
    """Yield what the cases say otherwise than a comparison."""
    left_out: dict[str, str] = {}
    differences = []
    for case_id, case in cases.items():
        other = others.get(case_id, {"status": _NO_CONVERSATION})
        if case["status"] != "ok" or other["status"] != "ok":
            left_out[case_id] = (
                "failed_trace" if _NO_CONVERSATION in (case["status"], other["status"]) else "failed_run"
            )
            continue
        one, two = case["measures"].get(claim.measure), other["measures"].get(claim.measure)
        if one is None or two is None:
            left_out[case_id] = _REASONS[one is not None, two is not None]
        else:
            differences.append(round(one - two, 6))
    n_zero = sum(difference == 0 for difference in differences)
    if left_out != claim.left_out:
        yield "left_out differs from what the metrics beside it leave out"
    for name, said, is_so in (("n", claim.n, len(differences)), ("n_zero", claim.n_zero, n_zero)):
        if said != is_so:
            yield f"{name} is {said}, and the metrics beside it have {is_so}"
    if differences and claim.mean_difference is not None:
        mean = sum(differences) / len(differences)
        if not equal_as_rounded(claim.mean_difference, mean, differences):
            yield f"mean_difference is {claim.mean_difference}, and the metrics beside it make {mean:.6g}"


_SUFFIX = ".metrics"
_MANY = 64
"""Cases whose measures are taken at once."""


@dataclass(slots=True)
class _Column:
    """What an aggregate may say of a measure's values, taken from them as they come.

    Attributes:
        fine: a value of more than six decimals, where all are so small that this tells how they were rounded.
    """

    n: int = 0
    n_undefined: int = 0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    fine: float | None = None

    def take(self, values: Sequence[float | None]) -> None:
        defined = [value for value in values if value is not None]
        self.n_undefined += len(values) - len(defined)
        if defined:
            self.n += len(defined)
            self.total += sum(defined)
            self.low, self.high = min(self.low, *defined), max(self.high, *defined)
            if self.fine is None and may_be_fine(max(-self.low, self.high)):
                self.fine = next((value for value in defined if is_fine(value)), None)

    @property
    def terms(self) -> list[float]:
        """The values that say as much as all of them of how far what is made of them may be off."""
        return [self.low, self.high, *([] if self.fine is None else [self.fine])]


class MetricsCheck(FileCheck):
    """Holds a variant's aggregates against its cases: numbers of cases, of undefined values, and the means.

    Attributes:
        beside: whether the traces and runs that lie beside the file are looked at.
    """

    schema = "exaid.metrics"
    remedy = "run `exaid-evals compute-metrics --force`"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        super().__init__(path, surroundings, add)
        self._first: Record = {}
        self._cases: dict[str, int] = {}
        self._n_failed = 0
        self._columns: defaultdict[str, _Column] = defaultdict(_Column)
        self._waiting: list[Record] = []
        self._variant_line = 0
        self._comparisons = Comparisons(path, self.found)
        self.beside = True

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        self.records(line, [record])

    def records(self, first: int, records: Sequence[Record]) -> None:
        """Take the next records of one type; their measures at once, for there are many."""
        for line, record in enumerate(records, first):
            self._one(line, record, record["record_type"])
        if records[0]["record_type"] == "case_metrics":
            self._waiting += [record["measures"] for record in records if record["status"] == "ok"]
            if len(self._waiting) >= _MANY:
                self._take_measures()

    def _one(self, line: int, record: Record, record_type: str) -> None:
        if record_type == "comparison":
            if self.path.name != Campaign(self.path.parent).comparisons_file.name:
                self.found(line, "a comparison, which has a place in comparisons.metrics.jsonl only")
            self._comparisons.record(line, record)
            return
        if not self._first:
            self._first = record
            expected = self.stem.removesuffix(_SUFFIX)
            if self.stem.endswith(_SUFFIX) and record["variant_id"] != expected:
                self.found(line, f"variant {record['variant_id']} in the file of {expected}")
        for key in ("variant_id", "signature", "stub"):
            if record[key] != self._first[key]:
                self.found(line, f"{key} differs from the first record's: they are not comparable")
        if self._variant_line:
            self.found(line, f"{record_type} after the variant_metrics of line {self._variant_line}")
        if record_type == "case_metrics":
            self._case(line, record)
        else:
            self._variant_line = line
            self._variant(line, record)

    def _case(self, line: int, record: Record) -> None:
        case_id = record["case_id"]
        if case_id in self._cases:
            self.found(line, f"the case {case_id} is a duplicate of line {self._cases[case_id]}")
        self._cases[case_id] = line
        self._n_failed += record["status"] != "ok"

    def _take_measures(self) -> None:
        for name in dict.fromkeys(chain.from_iterable(self._waiting)):
            self._columns[name].take([measures[name] for measures in self._waiting if name in measures])
        self._waiting.clear()

    def _variant(self, line: int, record: Record) -> None:
        for name, aggregate in record["measures"].items():
            for problem in disorder(aggregate):
                self.found(line, f"{name:.80}: {problem}")
        for name, curve in record.get("curves", {}).items():
            for problem in curve_problems(curve):
                self.found(line, f"{name:.80}: {problem}")
        if self.incomplete:
            return
        for key, actual in (("n_cases", len(self._cases)), ("n_failed", self._n_failed)):
            if record[key] != actual:
                self.found(line, f"{key} is {record[key]}, and the file has {actual}")
        self._take_measures()
        for name, column in self._columns.items():
            if name in record["measures"]:
                self._aggregate(line, name, record["measures"][name], column)
        if self.beside and "made_from" in record and self.path.parent.name == "metrics":
            self._made_from(line, record, Campaign(self.path.parent.parent))

    def _made_from(self, line: int, record: Record, campaign: Campaign) -> None:
        """Hold the metrics against the traces and runs that lie beside them."""
        frozen = self.surroundings.frozen(campaign.root)
        remedy = "run `exaid-evals compute-metrics`"
        if frozen is not None and frozen.trace_dataset_hash not in (None, record["made_from"]["trace_dataset_hash"]):
            self.found(line, "measures other traces than the manifest's", remedy)
        read = self.surroundings.runs(campaign.runs / record["variant_id"])
        unread = {
            case_id: campaign.run_file(record["variant_id"], case_id) for case_id in self._cases if case_id not in read
        }
        if self._cases and all(map(is_stored, unread.values())):
            try:
                hashes = {case_id: read.get(case_id) or sha256_file(unread[case_id]) for case_id in self._cases}
            except DataError:
                return  # a damaged run log is reported where it is checked itself
            if sha256_structure(hashes) != record["made_from"]["runs_hash"]:
                self.found(line, "older than the run logs beside it", remedy)

    def _aggregate(self, line: int, name: str, aggregate: Record, column: _Column) -> None:
        for key, actual in (("n", column.n), ("n_undefined", column.n_undefined)):
            if aggregate[key] != actual:
                self.found(line, f"{name:.80}: {key} is {aggregate[key]}, and the cases have {actual}")
        if not column.n or column.n != aggregate["n"]:
            return
        for key, expected in (("mean", column.total / column.n), ("min", column.low), ("max", column.high)):
            if aggregate[key] is None or not equal_as_rounded(aggregate[key], expected, column.terms):
                self.found(line, f"{name:.80}: {key} is {aggregate[key]}, and the cases make {expected:.6g}")

    def end(self, digest: str | None) -> None:
        """Ask for the aggregate, and hold comparisons against what lies beside them."""
        self._comparisons.end(incomplete=self.incomplete)
        if self._cases and not self._variant_line and not self.incomplete:
            self.found(0, "has no variant_metrics after its cases: it was cut")


def check_within(path: Path) -> tuple[MetricsCheck, list[Finding]]:
    """Return a check of what the records of a variant's file contradict in each other, and where it puts that.

    What lies beside the file is not looked at.
    """
    found: list[Finding] = []
    check = MetricsCheck(path, Surroundings(), found.append)
    check.beside = False
    return check, found
