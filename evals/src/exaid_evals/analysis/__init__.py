"""Experiments: what is wrong with a run and why, several runs compared, images audited."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exaid_evals.analysis.batches.log import log_batch_metrics as log_batch_metrics
    from exaid_evals.analysis.batches.log import profile_validation_batches as profile_validation_batches
    from exaid_evals.analysis.compare.recommend import ExperimentComparator as ExperimentComparator
    from exaid_evals.analysis.images.audit import audit_image_quality as audit_image_quality
    from exaid_evals.analysis.images.quality_filter import ImageQualityFilter as ImageQualityFilter
    from exaid_evals.analysis.impact.stage import HyperparameterAnalyzer as HyperparameterAnalyzer
    from exaid_evals.analysis.report.write import generate_comprehensive_report as generate_comprehensive_report
    from exaid_evals.anomalies.change_point import detect_statistical_anomalies as detect_statistical_anomalies

_WHERE = {
    "ExperimentComparator": "analysis.compare.recommend",
    "HyperparameterAnalyzer": "analysis.impact.stage",
    "ImageQualityFilter": "analysis.images.quality_filter",
    "audit_image_quality": "analysis.images.audit",
    "detect_statistical_anomalies": "anomalies.change_point",
    "generate_comprehensive_report": "analysis.report.write",
    "log_batch_metrics": "analysis.batches.log",
    "profile_validation_batches": "analysis.batches.log",
}
__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: `--help` loads no NumPy."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"exaid_evals.{_WHERE[name]}"), name)
