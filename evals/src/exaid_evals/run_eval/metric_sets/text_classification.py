"""Metrics of classified texts: those of classified images, for a text is an example too."""

from __future__ import annotations

from exaid_evals.run_eval.metric_sets.vision import build

REFINES = frozenset({"text"})
TASK_TYPES = frozenset(
    {
        "natural_language_inference",
        "sentiment_analysis",
        "sentiment_classification",
        "sequence_classification",
        "text_classification",
        "topic_classification",
    }
)

__all__ = ["REFINES", "TASK_TYPES", "build"]
