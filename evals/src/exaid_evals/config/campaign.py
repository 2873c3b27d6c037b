"""A campaign: one data folder with everything that one evaluation read and wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Campaign:
    """The layout of a data folder. Naming a path creates nothing; writers make their own folders.

    Attributes:
        root: the data folder, `evals/data` by default.
    """

    root: Path

    @property
    def manifests(self) -> Path:
        """Folder of the data set's manifest."""
        return self.root / "manifests"

    @property
    def manifest_file(self) -> Path:
        """The manifest that freezes the traces."""
        return self.manifests / "dataset_manifest.jsonl"

    @property
    def cases(self) -> Path:
        """Folder of synthetic cases."""
        return self.root / "cases"

    @property
    def traces(self) -> Path:
        """Folder of frozen traces, one file per case."""
        return self.root / "traces"

    @property
    def runs(self) -> Path:
        """Folder of run logs, one folder per variant."""
        return self.root / "runs"

    @property
    def metrics(self) -> Path:
        """Folder of metrics, tables and figures."""
        return self.root / "metrics"

    @property
    def tables(self) -> Path:
        """Folder of the paper's tables."""
        return self.metrics / "tables"

    @property
    def figures(self) -> Path:
        """Folder of the paper's figures."""
        return self.metrics / "figures"

    @property
    def exports(self) -> Path:
        """Folder of consolidated exports."""
        return self.root / "exports"

    @property
    def state(self) -> Path:
        """Folder of ledgers: which output was made from which inputs."""
        return self.root / ".state"

    def trace_file(self, case_id: str) -> Path:
        """Return the trace file of a case (`case_id` includes its `case-` prefix)."""
        return self.traces / f"{case_id}.jsonl.gz"

    def run_file(self, variant_id: str, case_id: str) -> Path:
        """Return the run log of a case under a variant."""
        return self.runs / variant_id / f"{case_id}.jsonl.gz"

    def metrics_file(self, variant_id: str) -> Path:
        """Return the metrics file of a variant."""
        return self.metrics / f"{variant_id}.metrics.jsonl"

    def relative(self, path: Path) -> str:
        """Return a path inside the campaign as it is written into records: relative, with `/`."""
        return path.relative_to(self.root).as_posix()
