"""`summary.json`: the analysis as data (`exaid.analysis`)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from exaid_evals import __version__
from exaid_evals.analysis.causes.base import Hypothesis
from exaid_evals.analysis.incidents import Incident
from exaid_evals.analysis.report.sentences import key_finding, recommendation, sentence
from exaid_evals.analysis.stage import Analysis, BatchFindings
from exaid_evals.anomalies.base import Anomaly
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.runs.files.values import plain
from exaid_evals.runs.metric_names import is_validation

SCHEMA = "exaid.analysis"
_PHASE = re.compile(r"^(?:val|valid|validation|eval|test|dev)[_-]")
_DROPS = ("sudden_drop", "divergence", "overfitting_gap")


def signature(analysis: Analysis) -> str:
    """Return the line that says how the numbers were made."""
    digest = short(sha256_structure(analysis.config.model_dump(mode="json")))
    return f"exaid-evals/{__version__}|analysis:{digest}|source:{analysis.history.source}"


def summary_record(analysis: Analysis) -> dict[str, Any]:
    """Return the record of an analysis; it is valid under its schema.

    Raises:
        DataError: it is not, which is a mistake of ours and not of the user's.
    """
    history, diagnosis = analysis.history, analysis.diagnosis
    metrics = {
        one.metric: {key: value for key, value in asdict(one).items() if key != "metric"}
        for one in analysis.performance
    }
    record = {
        **header(SCHEMA),
        "record_type": "run_analysis",
        "run_name": history.run_name,
        "source": history.source,
        "signature": signature(analysis),
        "key_finding": key_finding(analysis),
        "recommendation": recommendation(analysis),
        "model_config": numbers_in(dict(history.config)),
        "performance_metrics": {
            **published_performance(metrics),
            "performance_drop_step": _drop_step(analysis),
            **metrics,
        },
        "data_insights": {
            "n_steps": max((len(one.points) for one in history.series.values()), default=0),
            "irregularities": [asdict(one) for one in history.irregularities],
            "warnings": list(history.warnings),
            "batches": _batches(analysis.batches) if analysis.batches else None,
            **_images(analysis),
        },
        "anomalies": [_anomaly(one, _cause_of(one, analysis)) for one in analysis.anomalies],
        "incidents": [_incident(one) for one in analysis.incidents],
        "root_cause": None
        if diagnosis is None
        else {
            "metric": diagnosis.onset.anomaly.metric,
            "interval": list(diagnosis.onset.interval),
            "named": diagnosis.named,
            "hypotheses": [
                _hypothesis(one, share) for one, share in zip(diagnosis.hypotheses, diagnosis.shares, strict=True)
            ],
        },
        "settings": analysis.config.model_dump(mode="json"),
    }
    found: dict[str, Any] = numbers_in(record)
    require_valid(found, "summary.json")
    return found


def short_name(metric: str) -> str:
    """Return a metric's name without what comes before it: a group, a phase.

    >>> [short_name(name) for name in ("val/recall", "val_hmean", "metrics/mAP50(B)", "loss")]
    ['recall', 'hmean', 'mAP50(B)', 'loss']
    """
    return _PHASE.sub("", metric.rsplit("/", 1)[-1]) or metric


def published_performance(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """Return `best_<metric>`, `final_<metric>` and `<metric>_drop` by short names; validation goes before training."""
    found: dict[str, float | None] = {}
    for metric in sorted(metrics, key=lambda one: not is_validation(one)):
        name, one = short_name(metric), metrics[metric]
        for key, value in (
            (f"best_{name}", one["best"]),
            (f"final_{name}", one["final"]),
            (f"{name}_drop", one["drop"]),
        ):
            if key not in metrics:
                found.setdefault(key, value)
    return found


def _anomaly(one: Anomaly, cause: str | None) -> dict[str, Any]:
    return {
        **asdict(one),
        "evidence": dict(one.evidence),
        "interval": list(one.interval) if one.interval else None,
        "drop_magnitude": one["drop_magnitude"] if one.kind in _DROPS else None,
        "suspected_cause": cause,
    }


def _drop_step(analysis: Analysis) -> float | None:
    """Return the first step at which the drop of the diagnosis shows, else that of the first grave incident."""
    if analysis.diagnosis is not None:
        return analysis.diagnosis.onset.anomaly.step
    return next((one.lead.step for one in analysis.incidents if one.lead.kind in _DROPS), None)


def _cause_of(one: Anomaly, analysis: Analysis) -> str | None:
    """Return the cause that is named of the incident that an anomaly belongs to; None where none is."""
    diagnosis = analysis.diagnosis
    if diagnosis is None or diagnosis.named == "unknown":
        return None
    incident = next((each for each in analysis.incidents if diagnosis.onset.anomaly in each.anomalies), None)
    own = one == diagnosis.onset.anomaly or (incident is not None and one in incident.anomalies)
    return f"{diagnosis.named}: {diagnosis.first.claim}" if own else None


def _images(analysis: Analysis) -> dict[str, int | None]:
    if analysis.images is not None:
        bad: int | None = sum(bool(found) for found in analysis.images.findings)
        return {"total_images": len(analysis.images.images), "suspected_bad_images": bad}
    batches = analysis.batches
    if batches is None or batches.bad_items is None:
        return {"total_images": None, "suspected_bad_images": None}
    return {"total_images": batches.n_images, "suspected_bad_images": len(batches.bad_items)}


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "severity": one.severity,
        "metrics": list(one.metrics),
        "onset": list(one.onset),
        "course": one.course,
        "recovered_at": one.recovered_at,
        "times": one.times,
        "n_anomalies": len(one.anomalies),
        "text": sentence(one),
    }


def _hypothesis(one: Hypothesis, share: float) -> dict[str, Any]:
    return {
        "family": one.family,
        "claim": one.claim,
        "remedy": one.remedy,
        "score": one.score,
        "share": share,
        "evidence": [
            {"text": part.text, "weight": part.weight, "step": part.step, "numbers": dict(part.numbers)}
            for part in one.evidence
        ],
        "unseen": list(one.unseen),
    }


def _batches(found: BatchFindings) -> dict[str, Any]:
    held = found.concentration
    return {
        "n": found.n,
        "worst": [
            {"step": row.step, "batch_idx": row.batch_idx, "metrics": dict(row.metrics), "items": list(row.items)}
            for row in found.worst
        ],
        "items": []
        if held is None
        else [{"item": item, "n_bad_batches": bad, "n_batches": n} for item, bad, n in held.items],
        "concentration": None
        if held is None
        else {"p": held.p, "odds_ratio": held.odds_ratio, "n_batches": held.n_batches},
        "correlations": [asdict(one) for one in found.correlations],
        "bad_items": None if found.bad_items is None else dict(found.bad_items),
        "n_images": found.n_images,
    }


def with_leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a structure of mappings and lists whose leaves are changed."""
    if isinstance(value, Mapping):
        return {str(key): with_leaves(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_leaves(item, change) for item in value]
    return change(value)


def numbers_in(value: Any) -> Any:
    """Return a structure as JSON has it: NumPy's numbers as Python's, NaN and infinities as None, the rest as text."""
    return with_leaves(value, _as_json)


def _as_json(value: Any) -> Any:
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return plain(value)
