"""Comparisons of variants: each agrees with itself, all with each other, and with the metrics that lie beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from exaid_evals.artifacts.canonical import equal_as_rounded
from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.validation.base import Record

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
            self.found(line, f"{' '.join(key):.120} stands already in line {self._claims[key].line}")
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
        for variant, (line, digest) in self._hashes.items():
            path = campaign.metrics_file(variant)
            if not path.is_file():
                continue
            try:
                if sha256_file(path) != digest:
                    self.found(line, f"older than {path.name} beside it")
                else:
                    values[variant] = _cases(path)
            except (DataError, KeyError, TypeError):
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
    yield from _presence(record, ("mean_difference",), "a case", exists=n > 0)
    if (low is None) != (high is None) or (low is not None and n < 2):
        yield "an interval of one bound, or of fewer than two cases"
    elif low is not None and low > high:
        yield f"ci95_low {low} exceeds ci95_high {high}"
    yield from _presence(record, ("wilcoxon_p", "holm_p", "rank_biserial"), "a difference", exists=moved > 0)
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
            yield f"no {name}, though there is {of}"
        elif not exists and record[name] is not None:
            yield f"{name} {record[name]}, though there is not {of}"


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


def _cases(path: Path) -> dict[str, Record]:
    """Return case id → its record."""
    records = [line.value for line in scan_jsonl(path) if line.value and line.value["record_type"] == "case_metrics"]
    return {one["case_id"]: one for one in records}


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
