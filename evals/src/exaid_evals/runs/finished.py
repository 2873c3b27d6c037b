"""A finished run from the history that it left: the value of each metric, its settings, how its training went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals.runs.base import Run, Settings, Source, Training
from exaid_evals.runs.files.position import position_of
from exaid_evals.runs.files.standard_names import is_no_metric
from exaid_evals.runs.files.summary import flat_settings, is_incidental
from exaid_evals.runs.files.tracked import plain, seed_in, undefined_warning
from exaid_evals.runs.files.training_history import divergence_of, training_of
from exaid_evals.runs.history import History, Series
from exaid_evals.runs.metric_names import direction_of, is_validation, role_of_column

_EPOCHS = ("epoch", "epochs")


def run_of(history: History, form: str, name: str, source: Source, settings: Settings) -> Run:
    """Return the run that a history is of.

    Args:
        history: of the run.
        form: name of its format.
        name: of the run, as the export calls it.
        source: where it lies.
        settings: which of a metric's values counts.
    """
    values = {metric: value_of(series, settings.metric_value, history) for metric, series in history.series.items()}
    metrics = {metric: value for metric, value in values.items() if not is_beside(metric)}
    others = {metric: value for metric, value in values.items() if metric not in metrics}
    flat = flat_settings(history.config)
    config = {key: plain(value) for key, value in sorted(flat.items()) if not is_incidental(key)}
    columns = _columns(history)
    training = _training(history, columns, config)
    warnings = [*history.warnings, *undefined_warning([metric for metric, value in metrics.items() if value is None])]
    if training is None and (divergence := divergence_of(columns)):
        warnings.append(f"training diverged: {divergence}; look at the learning rate and at the history")
    folder = source.path if source.path.is_dir() else source.path.parent
    position = position_of(folder)
    n_steps = len({point.step for series in history.series.values() for point in series.points})
    return Run(
        name=name,
        format=form,
        metrics=metrics,
        config=config,
        seed=seed_in(flat),
        fold=position.fold,
        trial=position.trial,
        group=position.group,
        training=training,
        attributes={"steps": n_steps} | ({"beside_metrics": others} if others else {}),
        default_primary=leading_metric(metrics, history.directions),
        lower_is_better=frozenset(one for one, way in history.directions.items() if way == "lower"),
        higher_is_better=frozenset(one for one, way in history.directions.items() if way == "higher"),
        warnings=tuple(f"{name}: {warning}" for warning in warnings),
        origin=source.path,
    )


def leading_metric(metrics: Mapping[str, float | None], known: Mapping[str, Any]) -> str | None:
    """Return the metric by which such runs are ranked unless a user says another; None where nothing tells.

    A validation score goes before a validation loss, and both before what was measured on training data.
    """
    ranked = [
        (not is_validation(name), way != "higher", "loss" in name.lower(), at, name)
        for at, name in enumerate(metrics)
        if metrics[name] is not None and (way := direction_of(name, known)) is not None
    ]
    return min(ranked)[-1] if ranked else None


def is_beside(name: str) -> bool:
    """Tell whether a column counts, times or sets the training rather than measuring what came of it."""
    return is_no_metric(name) or role_of_column(name) in ("counter", "schedule", "system")


def value_of(series: Series, which: str, history: History) -> float | None:
    """Return the value of a metric that counts: `last`, `best`, `min` or `max`; None where it is not a finite number.

    The best of a metric whose direction nothing tells is its last.
    """
    logged = [point.value for point in series.points if isinstance(point.value, float | int)]
    finite = [float(value) for value in logged if math.isfinite(value)]
    if not finite:
        return None
    way = direction_of(series.metric, history.directions)
    if which == "max" or (which == "best" and way == "higher"):
        return max(finite)
    if which == "min" or (which == "best" and way is not None):
        return min(finite)
    return float(logged[-1]) if math.isfinite(logged[-1]) else None


def _columns(history: History) -> dict[str, Sequence[float | None]]:
    return {
        metric: [float(point.value) if isinstance(point.value, float | int) else None for point in series.points]
        for metric, series in history.series.items()
    }


def _training(
    history: History, columns: Mapping[str, Sequence[float | None]], config: Mapping[str, Any]
) -> Training | None:
    """Return how training went, where epochs count the steps."""
    if history.step_name not in _EPOCHS:
        return None
    longest = max(history.series.values(), key=lambda series: len(series.points), default=None)
    if longest is None:
        return None
    return training_of({"epoch": [point.step for point in longest.points], **columns}, config)
