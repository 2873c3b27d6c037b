"""What training scripts import as `experiment_analyzer`: the monitor, and the analysis of a finished run."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.analysis.report.write import write_report
from exaid_evals.analysis.stage import Analysis, analyse
from exaid_evals.monitor import TrainingMonitor
from exaid_evals.runs.registry import USUAL_PLACES, find_run

__all__ = ["ExperimentAnalyzer", "TrainingMonitor"]


class ExperimentAnalyzer:
    """One run by its name, file or folder; `entity/project/run` where W&B has it and the key is in the environment."""

    def __init__(self, run_name: str, source: str | None = None) -> None:
        self.history = find_run(run_name, [Path(place) for place in USUAL_PLACES], source)

    def extract_metrics(self) -> dict[str, list[tuple[float, float]]]:
        """Return metric → (step, value) of each finite point."""
        return {
            name: list(zip(one.clean.steps.tolist(), one.clean.values.tolist(), strict=True))
            for name, one in self.history.series.items()
        }

    def analyze(self, data_dir: Path | None = None) -> Analysis:
        """Find anomalies and rank the causes of the worst drop."""
        return analyse(self.history, image_dir=data_dir)

    def write_report(self, output_dir: Path, data_dir: Path | None = None) -> Path:
        """Write report.md, report.html, analysis_request.md and summary.json, and return their folder."""
        return write_report(self.analyze(data_dir), output_dir)
