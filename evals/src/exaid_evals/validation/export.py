"""Export summaries: runs consolidated over seeds, folds or trials."""

from __future__ import annotations

from exaid_evals.validation.base import FileCheck, Record
from exaid_evals.validation.metrics import disorder


class ExportCheck(FileCheck):
    """Holds the aggregates and the best and worst run against the runs that they are of."""

    schema = "exaid.export"
    remedy = "export again with `exaid-evals export`"

    def record(self, line: int, record: Record) -> None:
        """Take the export's one record."""
        if line > 1:
            self.found(line, "a second record: an export has one")
        runs = {run["run"]: run for run in record["runs"]}
        if len(runs) < len(record["runs"]):
            self.found(line, "two runs of one name")
        for name, aggregate in record["aggregated"].items():
            n_defined = sum(run["metrics"].get(name) is not None for run in record["runs"])
            if aggregate["n"] > max(n_defined, 0) and any(name in run["metrics"] for run in record["runs"]):
                self.found(line, f"{name:.80}: n is {aggregate['n']}, and {n_defined} runs have it")
            for problem in disorder(aggregate):
                self.found(line, f"{name:.80}: {problem}")
        for field in ("best_run", "worst_run"):
            chosen = record[field]
            if chosen is not None and chosen["run"] not in runs:
                self.found(line, f"{field} is {chosen['run']:.80}, which is none of the runs")
        if not record["stub"] and any(run.get("stub") for run in record["runs"]):
            self.found(line, "stub is false, and a run is a stub")
