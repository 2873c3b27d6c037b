"""The detectors that watch each metric. One is added by adding a file and its line here."""

from __future__ import annotations

import math
from typing import NamedTuple

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.monitor.detectors.base import StreamDetector
from exaid_evals.monitor.detectors.divergence import Divergence
from exaid_evals.monitor.detectors.not_finite import NotFinite
from exaid_evals.monitor.detectors.outlier import Outlier
from exaid_evals.monitor.detectors.plateau import Plateau
from exaid_evals.monitor.detectors.stream import Stream
from exaid_evals.monitor.detectors.sudden_drop import SuddenDrop
from exaid_evals.monitor.settings import AnomalyDetectionConfig
from exaid_evals.runs.metric_names import direction_of


def detectors(config: AnomalyDetectionConfig) -> tuple[StreamDetector, ...]:
    """Return new detectors of finite values, for one metric; a drop goes before the outlier that it would be."""
    return (SuddenDrop(config), Outlier(config), Divergence(config), Plateau(config))


class Watch(NamedTuple):
    """One metric and those who watch it."""

    stream: Stream
    not_finite: NotFinite
    detectors: tuple[StreamDetector, ...]

    def update(self, step: float, value: float) -> list[Anomaly]:
        """Take the next value, finite or not, and return what it makes certain."""
        found = self.look(step, value)
        self.take(step, value)
        return found

    def look(self, step: float, value: float) -> list[Anomaly]:
        """Return what the next value makes certain, before it is taken."""
        stream = self.stream
        found = self.not_finite.update(stream, step, value)
        if not math.isfinite(value):
            return [found] if found is not None else []
        worse = stream.sign * value
        anomalies: list[Anomaly] = []
        for detector in self.detectors:
            one = detector.update(stream, step, worse)
            if one is not None and not (one.kind == "outlier" and anomalies):
                anomalies.append(one)
                if one.kind == "sudden_drop":
                    # From here on the metric has another level, from which its outliers are told.
                    stream.around.clear()
        return anomalies

    def take(self, step: float, value: float) -> None:
        """Take a value that was looked at."""
        if math.isfinite(value):
            self.stream.add(step, self.stream.sign * value)


def watch(metric: str, config: AnomalyDetectionConfig) -> Watch:
    """Begin to watch a metric."""
    stream = Stream(metric, direction_of(metric, config.directions), config)
    return Watch(stream, NotFinite(), detectors(config))
