"""The analysis of the history that a monitor wrote."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.monitor.settings import MonitoringConfig


def write_run_report(history: Path, config: MonitoringConfig) -> Path:
    """Analyse a history with the monitor's directions and thresholds, and return the folder of the report.

    Raises:
        DataError: the history holds no step, or no finite number.
        MissingDependencyError: the extra `analysis` is not installed.
    """
    from exaid_evals.analysis.report.write import write_report
    from exaid_evals.analysis.settings import AnalysisConfig
    from exaid_evals.analysis.stage import analyse
    from exaid_evals.anomalies.settings import DetectionSettings
    from exaid_evals.runs.formats.jsonl_file import JsonlFormat
    from exaid_evals.runs.registry import read_history

    shared = config.anomaly_detection.model_dump(include=set(DetectionSettings.model_fields))
    detection = DetectionSettings.model_validate(shared)
    settings = AnalysisConfig(anomaly_detection=detection)
    return write_report(analyse(read_history(JsonlFormat(), history.parent), settings), config.reporting.output_dir)
