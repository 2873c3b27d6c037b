"""Checks of what is reported: exports, analyses, comparisons and audits, whole and as their schemas say."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exaid_evals.artifacts.canonical import equal_as_rounded
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.stats.descriptive import finite
from exaid_evals.validation.aggregates import disorder
from exaid_evals.validation.base import FileCheck, Finding, Record, Surroundings


class ExportCheck(FileCheck):
    """Holds aggregates, ranks and the best and worst run against the runs that they are of."""

    schema = "exaid.export"
    remedy = "export again with `exaid-evals export`"

    def record(self, line: int, record: Record) -> None:
        """Take the export's one record, or one of the runs of a large export, which stand in a file of their own."""
        kind = record.get("record_type", "export_summary")  # version 1.0.0 knows no other
        if kind == "run":
            return  # it is held against its summary, where that is checked
        if line > 1:
            self.found(line, "a second record: an export has one")
        if kind == "cv_summary":
            self._folds(line, record)
        elif kind == "hpo_summary":
            self._trials(line, record)
        else:
            self._summary(line, record)

    def _summary(self, line: int, record: Record) -> None:
        if "runs_file" in record:
            runs = self._runs_beside(line, record["runs_file"])
            if runs is None:
                return
            record = {**record, "runs": runs}
        self._whole(line, record)

    def _runs_beside(self, line: int, file: Record) -> list[Record] | None:
        """Return the runs that a large export keeps beside its summary; None where they are not, which is reported."""
        path = self.path.parent / str(file["name"])
        if path.parent != self.path.parent:
            self.found(line, f"runs_file {file['name']!r:.80} is not in this folder")
            return None
        digest = hashlib.sha256()
        runs = [one.value["run"] for one in scan_jsonl(path, digest=digest) if one.value and "run" in one.value]
        if f"sha256:{digest.hexdigest()}" != file["sha256"]:
            self.found(line, f"{path.name} is missing, or not the one of this export")
            return None
        if len(runs) != file["n"]:
            self.found(line, f"{path.name} holds {len(runs)} runs, and should hold {file['n']}")
        return runs

    def _whole(self, line: int, record: Record) -> None:
        runs = {run["run"]: run for run in record["runs"]}
        if len(runs) < len(record["runs"]):
            self.found(line, "two runs of one name")
        for name in {failed["run"] for failed in record.get("failed_runs", ())} & set(runs):
            self.found(line, f"{name:.80} is among the runs, and among those that failed")
        for name, aggregate in record["aggregated"].items():
            values = [run["metrics"].get(name) for run in record["runs"]]
            if any(name in run["metrics"] for run in record["runs"]):
                self._aggregate(line, name, aggregate, values)
            for problem in disorder(aggregate):
                self.found(line, f"{name:.80}: {problem}")
        for of, metrics in record.get("per_class", {}).items():
            having = [run["per_class"] for run in record["runs"] if run.get("per_class")]
            for name, aggregate in metrics.items():
                self._aggregate(
                    line, f"{name:.40} of {of:.40}", aggregate, [one.get(of, {}).get(name) for one in having]
                )
        for field in ("best_run", "worst_run"):
            self._chosen(line, field, record, runs)
        if not record["stub"] and any(run.get("stub") for run in record["runs"]):
            self.found(line, "stub is false, and a run is a stub")

    def _chosen(self, line: int, field: str, record: Record, runs: Mapping[str, Record]) -> None:
        chosen = record[field]
        if chosen is None:
            return
        if chosen["run"] not in runs:
            self.found(line, f"{field} is {chosen['run']:.80}, which is none of the runs")
            return
        metric, direction = record["primary_metric"], record.get("primary_direction")
        if metric is None or direction is None:
            return
        values = [value for run in runs.values() if (value := run["metrics"].get(metric)) is not None]
        extreme = max if (field == "best_run") == (direction == "higher") else min
        if values and not equal_as_rounded(chosen["value"], extreme(values), values):
            self.found(line, f"{field} has {metric:.80} = {chosen['value']}, and another run {extreme(values)}")

    def _aggregate(self, line: int, name: str, aggregate: Record, values: Sequence[float | None]) -> None:
        defined = [value for value in values if value is not None]
        if aggregate["n"] != len(defined):
            self.found(line, f"{name:.80}: n is {aggregate['n']}, and {len(defined)} runs have it")
        elif aggregate.get("n_missing", len(values) - len(defined)) != len(values) - len(defined):
            self.found(line, f"{name:.80}: n_missing is {aggregate['n_missing']}, of {len(values)} runs")
        elif defined and aggregate["mean"] is not None:
            mean = finite(lambda: math.fsum(defined) / len(defined))
            if mean is None or not equal_as_rounded(aggregate["mean"], mean, defined):
                made = "none" if mean is None else f"{mean:.6g}"
                self.found(line, f"{name:.80}: mean is {aggregate['mean']}, and the runs make {made}")

    def _folds(self, line: int, record: Record) -> None:
        for group, held in record["groups"].items():
            numbers = [fold["fold"] for fold in held["folds"]]
            if len(set(numbers)) < len(numbers):
                self.found(line, f"{group:.80}: a fold is a duplicate")
            for name, aggregate in held["metrics"].items():
                if aggregate["n"] + aggregate["n_missing"] != len(numbers):
                    self.found(line, f"{name:.80}: n and n_missing are not the {len(numbers)} folds of {group:.80}")
                for problem in disorder(aggregate):
                    self.found(line, f"{name:.80}: {problem}")

    def _trials(self, line: int, record: Record) -> None:
        for group, held in record["groups"].items():
            ranks = [trial["rank"] for trial in held["trials"] if trial["rank"] is not None]
            if ranks != list(range(1, len(ranks) + 1)):
                self.found(line, f"{group:.80}: the ranks are not 1 to {len(ranks)} in order")
            for trial in held["trials"]:
                if set(trial["config"]) != set(held["varying"]):
                    self.found(line, f"{trial['run']:.80}: its settings are not those that vary")


class _OneRecordCheck(FileCheck):
    """Checks a file that holds one record."""

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        if line > 1:
            self.found(line, "a second record: a report has one")


class AnalysisCheck(_OneRecordCheck):
    """An analysis of a run."""

    schema = "exaid.analysis"
    remedy = "analyse the run again with `exaid-evals analyze`"


class ImpactCheck(_OneRecordCheck):
    """An analysis of hyper-parameters."""

    schema = "exaid.impact"
    remedy = "analyse the runs again with `exaid-evals impact`"


class RunComparisonCheck(_OneRecordCheck):
    """A comparison of runs."""

    schema = "exaid.run_comparison"
    remedy = "compare the runs again with `exaid-evals compare`"


class LogComparisonCheck(_OneRecordCheck):
    """A comparison of two logs."""

    schema = "exaid.log_comparison"
    remedy = "compare the logs again with `exaid-evals compare-logs`"


class CorrectedCheck(FileCheck):
    """Measures that labels have corrected: a record a variant."""

    schema = "exaid.corrected"
    remedy = "compute them again with `exaid-evals compute-metrics --labels`"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        """Begin a file."""
        super().__init__(path, surroundings, add)
        self._variants: set[str] = set()

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        if record["variant_id"] in self._variants:
            self.found(line, f"{record['variant_id']:.80} is a duplicate")
        self._variants.add(record["variant_id"])


class ImageAuditCheck(FileCheck):
    """An audit of images: a record an image, and a summary that ends it."""

    schema = "exaid.image_audit"
    remedy = "audit the images again with `exaid-evals audit-images`"
    _ended = False

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        if self._ended:
            self.found(line, "a record after the summary, which is the last one")
        self._ended = record["record_type"] != "image"

    def end(self, digest: str | None) -> None:
        """Note that the file is over."""
        if not self._ended and not self.incomplete:
            self.found(0, "no summary at the end: it was cut")
