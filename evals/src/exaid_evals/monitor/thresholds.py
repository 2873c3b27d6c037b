"""Absolute thresholds of metrics: what a user will not have, whatever came before."""

from __future__ import annotations

import math
from collections.abc import Mapping

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.config.base import load_config
from exaid_evals.config.request import Override
from exaid_evals.monitor.settings import AnomalyDetectionConfig, MonitoringConfig
from exaid_evals.runs.metric_names import direction_of


class Thresholds:
    """Tells of each value that is worse than its metric may be."""

    def __init__(self, config: AnomalyDetectionConfig) -> None:
        self._limits = {
            name: (limit, 1.0 if direction_of(name, config.directions) == "lower" else -1.0)
            for name, limit in config.alert_thresholds.items()
        }

    def beyond(self, step: float, row: Mapping[str, float]) -> list[Anomaly]:
        """Return an anomaly for each value beyond its threshold; what is not finite is told of elsewhere."""
        found = []
        for name, (limit, sign) in self._limits.items():
            value = row.get(name)
            if value is not None and math.isfinite(value) and sign * value > sign * limit:
                evidence = {"value": value, "threshold": limit}
                found.append(Anomaly(name, "threshold", step, value - limit, "high", "alert_threshold", evidence))
        return found


def with_thresholds(config: MonitoringConfig, thresholds: Mapping[str, float]) -> MonitoringConfig:
    """Return a configuration with further thresholds.

    Raises:
        ConfigError: one is no number, or it is not known how its metric improves.
    """
    detection = config.anomaly_detection
    every = {**detection.alert_thresholds, **{str(name): limit for name, limit in thresholds.items()}}
    given = {**detection.model_dump(exclude_defaults=True), "alert_thresholds": every}
    where = "TrainingMonitor"
    checked = load_config(AnomalyDetectionConfig, None, {key: Override(value, where) for key, value in given.items()})
    return config.model_copy(update={"anomaly_detection": checked.value})
