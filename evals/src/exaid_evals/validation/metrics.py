"""Metrics files: the cases of one variant, then what they amount to; or the comparisons of variants."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from exaid_evals.artifacts.canonical import equal_as_rounded
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.storage import is_stored
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.validation.base import FileCheck, Finding, Record, Surroundings
from exaid_evals.validation.comparisons import Comparisons

_SUFFIX = ".metrics"


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
        self._values: dict[str, array[float]] = {}
        self._n_undefined: dict[str, int] = {}
        self._variant_line = 0
        self._comparisons = Comparisons(path, self.found)
        self.beside = True

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        record_type = record["record_type"]
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
        for field in ("variant_id", "signature", "stub"):
            if record[field] != self._first[field]:
                self.found(line, f"{field} differs from the first record's: they are not comparable")
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
            self.found(line, f"the case {case_id} stands already in line {self._cases[case_id]}")
        self._cases[case_id] = line
        if record["status"] != "ok":
            self._n_failed += 1
            return
        for name, value in record["measures"].items():
            if value is None:
                self._n_undefined[name] = self._n_undefined.get(name, 0) + 1
            else:
                self._values.setdefault(name, array("d")).append(value)

    def _variant(self, line: int, record: Record) -> None:
        for name, aggregate in record["measures"].items():
            for problem in disorder(aggregate):
                self.found(line, f"{name:.80}: {problem}")
        for name, curve in record.get("curves", {}).items():
            for problem in _curve_problems(curve):
                self.found(line, f"{name:.80}: {problem}")
        if self.incomplete:
            return
        for field, actual in (("n_cases", len(self._cases)), ("n_failed", self._n_failed)):
            if record[field] != actual:
                self.found(line, f"{field} is {record[field]}, and the file has {actual}")
        for name in self._values.keys() | self._n_undefined.keys():
            if name in record["measures"]:
                self._aggregate(line, name, record["measures"][name])
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

    def _aggregate(self, line: int, name: str, aggregate: Record) -> None:
        values = self._values.get(name, array("d"))
        for field, actual in (("n", len(values)), ("n_undefined", self._n_undefined.get(name, 0))):
            if aggregate[field] != actual:
                self.found(line, f"{name:.80}: {field} is {aggregate[field]}, and the cases have {actual}")
        if not values or len(values) != aggregate["n"]:
            return
        for field, expected in (("mean", sum(values) / len(values)), ("min", min(values)), ("max", max(values))):
            if aggregate[field] is None or not equal_as_rounded(aggregate[field], expected, values):
                self.found(line, f"{name:.80}: {field} is {aggregate[field]}, and the cases make {expected:.6g}")

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


_ORDER = (("min", "median"), ("median", "max"), ("min", "mean"), ("mean", "max"), ("ci95_low", "ci95_high"))


def disorder(aggregate: Record) -> Iterator[str]:
    """Yield what an aggregate's numbers contradict in each other."""
    defined = {name: aggregate.get(name) for pair in _ORDER for name in pair}
    for low, high in _ORDER:
        below, above = defined[low], defined[high]
        if below is not None and above is not None and below > above and not equal_as_rounded(below, above):
            yield f"{low} {below} exceeds {high} {above}"
    if aggregate["n"] == 0 and any(value is not None for value in defined.values()):
        yield "numbers over no defined value"
    if aggregate["n"] > 0 and defined["mean"] is None:
        yield f"no mean over {aggregate['n']} values"


def _curve_problems(curve: Record) -> Iterator[str]:
    """Yield what the parts of a curve contradict in each other; bands may be absent (before version 1.1.0)."""
    parts = {name: values for name, values in curve.items() if values or not name.startswith("band_")}
    lengths = {name: len(values) for name, values in parts.items()}
    if len(set(lengths.values())) > 1 or len({"band_low", "band_high"} & set(parts)) == 1:
        yield f"parts of different length: {', '.join(f'{name} {n}' for name, n in sorted(lengths.items()))}"
        return
    for low, high in (("ci95_low", "ci95_high"), ("band_low", "mean"), ("mean", "band_high")):
        for x, below, above in zip(curve["x"], parts.get(low, ()), parts.get(high, ()), strict=False):
            if below is not None and above is not None and below > above and not equal_as_rounded(below, above):
                yield f"at {x}, {low} {below} exceeds {high} {above}"
