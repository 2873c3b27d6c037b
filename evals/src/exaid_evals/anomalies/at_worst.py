"""Scores that never leave the worst value there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction, is_validation, metric_named

_OF_RIGHT = frozenset({"accuracy", "f1", "recall", "precision", "average_precision", "iou", "dice", "success_rate"})
_OF_WRONG = frozenset({"error", "word_error_rate", "character_error_rate"})
_FEWEST = 10
_NOTHING = 1e-6


class AtWorst:
    """Finds scores of the validation that are all 0, or error rates that are all 1 and above, at ten and more of them.

    Whatever the losses do, such a model gets nothing right: it says nothing, or nothing that the evaluation can read.
    Where one score is better, others may well be of a rare class.
    """

    name = "at_worst"

    def find_in(self, series: Mapping[str, Series], directions: Mapping[str, Direction]) -> Sequence[Anomaly]:
        """Return the first of the scores, where all are at their worst."""
        scores = [part for name, part in series.items() if directions.get(name) and _is_score(name) and len(part.clean)]
        judged = [part for part in scores if is_validation(part.metric)]
        if not judged or not all(map(_is_at_worst, scores)) or max(len(part.clean) for part in judged) < _FEWEST:
            return []
        one = max(judged, key=lambda part: len(part.clean))
        start, end = float(one.clean.steps[0]), float(one.clean.steps[-1])
        last = float(one.clean.values[-1])
        evidence = {"first": float(one.clean.values[0]), "last": last, "noise": 0.0, "at_chance": True}
        return [Anomaly(one.metric, "no_progress", start, None, "high", self.name, evidence, end_step=end)]


def _is_score(metric: str) -> bool:
    entry = metric_named(metric)
    return entry is not None and entry.name in _OF_RIGHT | _OF_WRONG


def _is_at_worst(part: Series) -> bool:
    entry, values = metric_named(part.metric), part.clean.values
    if entry is not None and entry.name in _OF_WRONG:
        return float(values.min()) >= 1 - _NOTHING and float(values.max()) - float(values.min()) < _NOTHING
    return float(abs(values).max()) <= _NOTHING
