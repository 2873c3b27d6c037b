"""The analysis of one run, from its history to everything that a report says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from exaid_evals.analysis.batches.profile import Correlation, bad_images, correlations, measure, with_image_profile
from exaid_evals.analysis.batches.suspect_items import (
    Concentration,
    affected_batches,
    badness,
    batches_of,
    concentration,
)
from exaid_evals.analysis.causes.table import Diagnosis, diagnose
from exaid_evals.analysis.images.audit import Audit, look_through
from exaid_evals.analysis.incidents import Incident, incidents_of, settled
from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.anomalies.base import Anomaly
from exaid_evals.anomalies.registry import directions_in, find_anomalies
from exaid_evals.anomalies.robust import worsening
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.history import BatchRow, History
from exaid_evals.runs.metric_names import Direction, is_validation


@dataclass(frozen=True, slots=True)
class Performance:
    """A metric over the run.

    Attributes:
        metric: its name.
        direction: None where it is not known, and best and drop then are None too.
        best: value, and step at which it was.
        final: the last finite value.
        drop: from best to final, positive where the end is worse.
        drop_relative: the same over the best; None where that is 0.
        n: finite points.
    """

    metric: str
    direction: Direction | None
    best: float | None
    best_step: float | None
    final: float
    drop: float | None
    drop_relative: float | None
    n: int


@dataclass(frozen=True)
class BatchFindings:
    """What the batches say.

    Attributes:
        n: batches that were logged.
        worst: the batches that are worst after the onset, or of the whole run where nothing dropped, worst first.
        concentration: whether the same items make batches bad; None where that cannot be tested.
        correlations: of the profiles with how bad batches are.
        bad_items: items whose images are bad → why; None where no images were given.
        n_images: images that were found for the items.
    """

    n: int
    worst: tuple[BatchRow, ...]
    concentration: Concentration | None
    correlations: tuple[Correlation, ...]
    bad_items: Mapping[str, str] | None
    n_images: int


@dataclass(frozen=True)
class Analysis:
    """Everything that is known about a run after its analysis."""

    history: History
    config: AnalysisConfig
    directions: Mapping[str, Direction]
    performance: tuple[Performance, ...]
    anomalies: tuple[Anomaly, ...]
    incidents: tuple[Incident, ...]
    diagnosis: Diagnosis | None
    batches: BatchFindings | None
    images: Audit | None = None
    """Of the folder that was given, where no batch names its items, so that nothing ties images to a drop."""


def analyse(history: History, config: AnalysisConfig | None = None, image_dir: Path | None = None) -> Analysis:
    """Analyse a run.

    Args:
        history: as a source read it.
        config: settings; None takes the defaults.
        image_dir: the images that the items of the batches name; where none does, the folder is audited by itself.

    Raises:
        ConfigError: the primary metric is none of the run's, or its direction is not known; the folder holds none of
            the items.
        DataError: the run holds no finite number; the folder holds no image.
    """
    config = config or AnalysisConfig()
    if not any(len(series.clean) for series in history.series.values()):
        raise DataError("no metric has a finite number", where=history.run_name, remedy="look at what the run logged")
    directions = directions_in(history, config)
    _check_primary(history, directions, config)
    audit = None
    bad: dict[str, str] | None = None
    n_images = 0
    if image_dir is not None and not any(row.items for row in history.batches):
        audit = look_through(image_dir)
    elif image_dir is not None:
        history, bad, n_images = _with_images(history, image_dir)
    anomalies = settled(history, find_anomalies(history, config, directions), directions)
    diagnosis = diagnose(history, anomalies, directions, config, bad_items=bad)
    performance = tuple(
        found
        for metric in history.series
        if (found := _performance(history, metric, directions.get(metric))) is not None
    )
    batches = _batches(history, diagnosis, config, bad, n_images) if history.batches else None
    incidents = incidents_of(history, anomalies, directions)
    return Analysis(history, config, directions, performance, anomalies, incidents, diagnosis, batches, audit)


def key_metric(analysis: Analysis) -> str | None:
    """Return the metric that a reader looks at first: the primary, the incident's, a validation metric, any other."""
    if analysis.config.primary_metric:
        return analysis.config.primary_metric
    if analysis.diagnosis is not None:
        return analysis.diagnosis.onset.anomaly.metric
    if analysis.incidents:
        return analysis.incidents[0].lead.metric
    known = [one.metric for one in analysis.performance if one.direction is not None]
    return next((metric for metric in known if is_validation(metric)), next(iter(known), None))


def _check_primary(history: History, directions: Mapping[str, Direction], config: AnalysisConfig) -> None:
    primary = config.primary_metric
    if primary is None:
        return
    if primary not in history.series:
        known = ", ".join(list(history.series)[:12])
        raise ConfigError(f"no metric {primary!r}", where="--primary-metric", remedy=f"the run has {known}")
    if primary not in directions:
        remedy = f"say with --better {primary}=higher or --better {primary}=lower"
        raise ConfigError(f"it is not known how {primary!r} improves", where="--primary-metric", remedy=remedy)


def _with_images(history: History, folder: Path) -> tuple[History, dict[str, str], int]:
    items = [item for row in history.batches for item in row.items]
    statistics, unreadable = measure(items, folder)
    if not statistics and not unreadable:
        raise ConfigError(f"holds none of the {len(set(items))} items", where=str(folder), remedy="check the path")
    batches = with_image_profile(history.batches, statistics, unreadable)
    bad = bad_images(statistics, unreadable)
    return replace(history, batches=batches), bad, len(statistics) + len(unreadable)


def _performance(history: History, metric: str, direction: Direction | None) -> Performance | None:
    clean = history.series[metric].clean
    if not len(clean):
        return None
    final = float(clean.values[-1])
    if direction is None:
        return Performance(metric, None, None, None, final, None, None, len(clean))
    at = int(np.argmin(worsening(clean.values, direction)))
    best = float(clean.values[at])
    drop = final - best if direction == "lower" else best - final
    relative = drop / abs(best) if best else None
    return Performance(metric, direction, best, float(clean.steps[at]), final, drop, relative, len(clean))


def _batches(
    history: History, diagnosis: Diagnosis | None, config: AnalysisConfig, bad: dict[str, str] | None, n_images: int
) -> BatchFindings:
    metric = None if diagnosis is None else diagnosis.onset.anomaly.metric
    rows = batches_of(history.batches, metric)
    after: Sequence[BatchRow] = rows
    held = None
    if diagnosis is not None:
        low = diagnosis.onset.interval[0]
        horizon = config.root_cause.horizon * (1.0 if history.last_step is None else history.last_step)
        after = [row for row in rows if low < row.step <= low + horizon] or rows
        held = concentration(rows, low, horizon, metric)
    return BatchFindings(len(history.batches), _worst(after, metric), held, correlations(after), bad, n_images)


_WORST_SHOWN = 10


def _worst(rows: Sequence[BatchRow], metric: str | None) -> tuple[BatchRow, ...]:
    bad, affected = badness(rows, metric), affected_batches(rows, metric)
    order = sorted(np.flatnonzero(np.isfinite(bad) & affected), key=lambda at: (-bad[at], rows[at].step))
    return tuple(rows[int(at)] for at in order[:_WORST_SHOWN])
