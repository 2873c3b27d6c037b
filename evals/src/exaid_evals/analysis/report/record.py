"""`summary.json`: the analysis as data (`exaid.analysis`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from exaid_evals import __version__
from exaid_evals.analysis.causes.base import Hypothesis
from exaid_evals.analysis.incidents import Incident
from exaid_evals.analysis.report.sentences import key_finding, recommendation, sentence
from exaid_evals.analysis.stage import Analysis, BatchFindings
from exaid_evals.anomalies.base import Anomaly
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.runs.files.tracked import plain

SCHEMA = "exaid.analysis"


def signature(analysis: Analysis) -> str:
    """Return the line that says how the numbers were made."""
    digest = sha256_structure(analysis.config.model_dump(mode="json")).removeprefix("sha256:")[:8]
    return f"exaid-evals/{__version__}|analysis:{digest}|source:{analysis.history.source}"


def summary_record(analysis: Analysis) -> dict[str, Any]:
    """Return the record of an analysis; it is valid under its schema.

    Raises:
        DataError: it is not, which is a mistake of ours and not of the user's.
    """
    history, diagnosis = analysis.history, analysis.diagnosis
    record = {
        **header(SCHEMA),
        "record_type": "run_analysis",
        "run_name": history.run_name,
        "source": history.source,
        "signature": signature(analysis),
        "key_finding": key_finding(analysis),
        "recommendation": recommendation(analysis),
        "model_config": numbers_in(dict(history.config)),
        "performance_metrics": {one.metric: _without(asdict(one), "metric") for one in analysis.performance},
        "data_insights": {
            "n_steps": max((len(one.points) for one in history.series.values()), default=0),
            "irregularities": [asdict(one) for one in history.irregularities],
            "warnings": list(history.warnings),
            "batches": _batches(analysis.batches) if analysis.batches else None,
        },
        "anomalies": [_anomaly(one) for one in analysis.anomalies],
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


def _anomaly(one: Anomaly) -> dict[str, Any]:
    return {**asdict(one), "evidence": dict(one.evidence), "interval": list(one.interval) if one.interval else None}


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


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def numbers_in(value: Any) -> Any:
    """Return a structure as JSON has it: NumPy's numbers as Python's, NaN and infinities as None, the rest as text."""
    if isinstance(value, Mapping):
        return {str(key): numbers_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [numbers_in(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return plain(value)
