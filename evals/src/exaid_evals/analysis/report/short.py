"""A short report in Markdown from plain data: an analysis' summary, or values by their published names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from exaid_evals.analysis.report.record import published_performance
from exaid_evals.analysis.report.sentences import number
from exaid_evals.report.document import Block, Document, Grid, Items, Section
from exaid_evals.report.render import to_markdown

_UNKNOWN = "not given"


def generate_comprehensive_report(data: Mapping[str, Any]) -> str:
    """Return a report of one run in Markdown.

    Args:
        data: what summary.json holds; or `run_name`, `key_finding`, `recommendation`, `root_cause`, `evidence`, and for
            each metric `best_<name>`, `final_<name>`, `<name>_drop`. What is missing is said to be not given.
    """
    flat = _flat(data)
    parts = [
        Section("Executive Summary", [Items([
            f"Key Finding: {flat.get('key_finding', _UNKNOWN)}",
            f"Recommendation: {flat.get('recommendation', _UNKNOWN)}",
        ])]),
        Section("Performance Analysis", [_performance(flat)]),
        Section("Root Cause Analysis", [Items([
            f"Primary Cause: {flat.get('root_cause', _UNKNOWN)}", f"Evidence: {flat.get('evidence', _UNKNOWN)}",
        ])]),
    ]  # fmt: skip
    return to_markdown(Document(f"Experiment Analysis: {flat.get('run_name', _UNKNOWN)}", parts))


def _performance(flat: Mapping[str, Any]) -> Block:
    named = dict.fromkeys(
        match[1] or match[2]
        for key in flat
        if (match := re.fullmatch(r"(?:best|final)_(.+)|(.+)_drop", key)) and match[2] != "performance"
    )
    rows = [
        [name, *(_cell(flat.get(key)) for key in (f"best_{name}", f"final_{name}", f"{name}_drop"))] for name in named
    ]
    return Grid([["Metric", "Best", "Final", "Drop"], *rows]) if rows else "No metric is given."


def _cell(value: Any) -> str:
    if value is None:
        return number(None)
    return number(float(value)) if isinstance(value, int | float) else str(value)


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a summary by their published names; data that has these already as it is."""
    flat = {str(key): value for key, value in data.items()}
    metrics = flat.pop("performance_metrics", None)
    if isinstance(metrics, Mapping):
        full = {name: one for name, one in metrics.items() if isinstance(one, Mapping)}
        flat |= published_performance(full) | {name: one for name, one in metrics.items() if name not in full}
    cause = flat.get("root_cause")
    if isinstance(cause, Mapping):
        best = cause["hypotheses"][0]
        known = cause["named"] != "unknown"
        flat["root_cause"] = best["claim"] if known else "not determined"
        texts = [part["text"] for part in best["evidence"] if part["weight"] > 0]
        flat["evidence"] = "; ".join(texts) if known and texts else "none of what was logged speaks for a known cause"
    elif cause is None and "root_cause" in flat:
        flat["root_cause"], flat["evidence"] = "no drop that needs one", "none"
    return flat
