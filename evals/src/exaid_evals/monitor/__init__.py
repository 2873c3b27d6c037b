"""During training: `TrainingMonitor` reports anomalies as they happen, `AutoRecoverySystem` acts on them.

Importing this loads neither NumPy nor PyTorch; see docs/monitoring.md.
"""

from __future__ import annotations

from exaid_evals.monitor.recovery.system import AutoRecoverySystem
from exaid_evals.monitor.settings import ExperimentConfig, MonitoringConfig, load_experiment_config
from exaid_evals.monitor.training_monitor import TrainingMonitor

__all__ = ["AutoRecoverySystem", "ExperimentConfig", "MonitoringConfig", "TrainingMonitor", "load_experiment_config"]
