"""The detectors, and all anomalies of a history. A detector is added by adding a file and its line here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exaid_evals.analysis.anomalies.base import SEVERITIES, Anomaly, Detector, HistoryDetector
from exaid_evals.analysis.anomalies.change_point import ChangePoint
from exaid_evals.analysis.anomalies.divergence import Divergence
from exaid_evals.analysis.anomalies.not_finite import NotFinite
from exaid_evals.analysis.anomalies.oscillation import Oscillation
from exaid_evals.analysis.anomalies.overfitting_gap import OverfittingGap
from exaid_evals.analysis.anomalies.plateau import Plateau
from exaid_evals.analysis.anomalies.robust_z import RobustZ
from exaid_evals.analysis.anomalies.sudden_drop import SuddenDrop
from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.runs.history import History
from exaid_evals.runs.metric_names import Direction, direction_of


def detectors(config: AnalysisConfig) -> list[Detector]:
    """Return the detectors that look at one metric each."""
    return [
        NotFinite(),
        SuddenDrop(config.sudden_drop),
        ChangePoint(config.change_point),
        Divergence(config.divergence),
        RobustZ(config.robust_z),
        Plateau(config.plateau),
        Oscillation(config.oscillation),
    ]


def history_detectors(config: AnalysisConfig) -> list[HistoryDetector]:
    """Return the detectors that look at several metrics together."""
    return [OverfittingGap(config.overfitting)]


def directions_in(history: History, config: AnalysisConfig) -> dict[str, Direction]:
    """Return metric → direction of those metrics whose direction the user, the source or the name tells."""
    known = {**history.directions, **config.directions}
    found = {metric: direction_of(metric, known) for metric in history.series}
    return {metric: direction for metric, direction in found.items() if direction is not None}


def find_anomalies(
    history: History, config: AnalysisConfig, directions: Mapping[str, Direction] | None = None
) -> Sequence[Anomaly]:
    """Return all anomalies of a history's metrics, the worst first, then by step and metric.

    The steps of a campaign are cases, whose order means nothing: there only single cases that stand out are looked for.
    """
    ways = directions_in(history, config) if directions is None else directions
    ordered = history.steps_are == "step"
    asked: list[Detector] = detectors(config) if ordered else [NotFinite(), RobustZ(config.robust_z)]
    found = [
        anomaly
        for metric, series in history.series.items()
        for detector in asked
        for anomaly in detector.find(series, ways.get(metric))
    ]
    for one in history_detectors(config) if ordered else ():
        found += one.find_in(history, ways)
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.step, one.metric, one.kind))
