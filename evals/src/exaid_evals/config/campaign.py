"""A campaign: one data folder with everything that one evaluation read and wrote; and where what ships with it lies.

Schemas and default configurations lie in a checkout's evals/ folder, or inside the wheel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def checkout_root() -> Path | None:
    """Return the checkout's evals/ folder when the package runs from one, else None."""
    evals = _PACKAGE.parent.parent
    return evals if (evals / "schemas").is_dir() and (evals / "configs").is_dir() else None


def schemas_dir() -> Path:
    """Return the folder of JSON Schemas."""
    return (checkout_root() or _PACKAGE / "_resources") / "schemas"


def configs_dir() -> Path:
    """Return the folder of default configurations."""
    return (checkout_root() or _PACKAGE / "_resources") / "configs"


def default_data_dir() -> Path:
    """Return the campaign folder used when none is named: evals/data, or ./data outside a checkout."""
    root = checkout_root()
    return root / "data" if root else Path.cwd() / "data"


def default_mac_dir() -> Path | None:
    """Return the MAC submodule's folder of a checkout, which a plain clone leaves empty; None elsewhere."""
    root = checkout_root()
    return root.parent / "third_party" / "mac" if root else None


EXPORTED_AS = "campaign"
"""What its own export calls a campaign: a name that does not depend on where it lies, for its bytes must not either."""


class _Below:
    """A path below a campaign's root."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __get__(self, campaign: Campaign | None, _owner: type[Campaign]) -> Path:
        return Path(self._path) if campaign is None else campaign.root / self._path


@dataclass(frozen=True, slots=True)
class Campaign:
    """The layout of a data folder. Naming a path creates nothing; writers make their own folders.

    Attributes:
        root: the data folder, `evals/data` by default.
        manifests, manifest_file: the manifest freezes the traces.
        cases: synthetic ones.
        references: clinicians' notes of cases, where somebody has put them there.
        traces: frozen, one file per case.
        runs: run logs, one folder per variant.
        cassettes: recorded calls of language models, one file per run of a variant.
        metrics, comparisons_file: of each variant, and of variants with each other.
        tables, figures: of the paper.
        exports: what stage 04 writes.
        of_seeds: whole campaigns, one a seed, where there are several.
        state: ledgers, which say which output was made from which inputs.
    """

    root: Path

    manifests = _Below("manifests")
    manifest_file = _Below("manifests/dataset_manifest.jsonl")
    cases = _Below("cases")
    references = _Below("references.jsonl")
    traces = _Below("traces")
    runs = _Below("runs")
    cassettes = _Below("cassettes")
    metrics = _Below("metrics")
    comparisons_file = _Below("metrics/comparisons.metrics.jsonl")
    tables = _Below("metrics/tables")
    figures = _Below("metrics/figures")
    exports = _Below("exports")
    of_seeds = _Below("campaigns")
    state = _Below(".state")

    def trace_file(self, case_id: str) -> Path:
        """Return the trace file of a case (`case_id` includes its `case-` prefix)."""
        return self.traces / f"{case_id}.jsonl.gz"

    def run_file(self, variant_id: str, case_id: str) -> Path:
        """Return the run log of a case under a variant."""
        return self.runs / variant_id / f"{case_id}.jsonl.gz"

    def cassette_file(self, eval_run_id: str) -> Path:
        """Return the recording of a run."""
        return self.cassettes / f"{eval_run_id}.jsonl.gz"

    def metrics_file(self, variant_id: str) -> Path:
        """Return the metrics file of a variant."""
        return self.metrics / f"{variant_id}.metrics.jsonl"

    def call(self, arguments: str) -> str:
        """Return a command as a remedy names it; where the campaign is not the default one, it says so."""
        command = f"`exaid-evals {arguments}`"
        return command if self.root == default_data_dir().resolve() else f"{command} for this --data-dir"

    def relative(self, path: Path) -> str:
        """Return a path inside the campaign as it is written into records: relative, with `/`."""
        return path.relative_to(self.root).as_posix()
