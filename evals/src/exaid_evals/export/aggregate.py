"""Aggregation over runs: mean, spread and interval of each metric, best and worst run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exaid_evals.export.base import ExportedRun

Z_95 = 1.96


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One metric over runs; None where a number is undefined for so few runs.

    Attributes:
        mean: over the runs in which the metric is defined.
        std: population form (ddof 0), as in published mean ± σ tables.
        std_sample: sample form (ddof 1); undefined for one run.
        ci95_low, ci95_high: mean ± 1.96 · std_sample / √n.
        cv: std / |mean|; undefined for a mean of 0.
        n: runs in which the metric is defined.
    """

    mean: float | None
    std: float | None
    std_sample: float | None
    min: float | None
    max: float | None
    ci95_low: float | None
    ci95_high: float | None
    cv: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """A run and its value of the primary metric."""

    run: str
    value: float


def aggregate(values: Sequence[float | None]) -> Aggregate:
    """Aggregate one metric, leaving out the runs in which it is undefined.

    >>> result = aggregate([1.0, 3.0, None])
    >>> result.mean, result.std, round(result.std_sample, 6), result.n
    (2.0, 1.0, 1.414214, 2)
    >>> aggregate([None]).mean is None
    True
    """
    defined = np.array([value for value in values if value is not None], dtype=np.float64)
    n = int(defined.size)
    if n == 0:
        return Aggregate(None, None, None, None, None, None, None, None, 0)
    mean, std = float(defined.mean()), float(defined.std())
    sample = float(defined.std(ddof=1)) if n > 1 else None
    half = Z_95 * sample / math.sqrt(n) if sample is not None else None
    return Aggregate(
        mean=mean,
        std=std,
        std_sample=sample,
        min=float(defined.min()),
        max=float(defined.max()),
        ci95_low=mean - half if half is not None else None,
        ci95_high=mean + half if half is not None else None,
        cv=std / abs(mean) if mean else None,
        n=n,
    )


def aggregate_all(runs: Sequence[ExportedRun]) -> dict[str, Aggregate]:
    """Aggregate every metric that any run has, sorted by name; a run without it counts as undefined."""
    names = sorted({name for run in runs for name in run.metrics})
    return {name: aggregate([run.metrics.get(name) for run in runs]) for name in names}


def best_and_worst(runs: Sequence[ExportedRun], metric: str) -> tuple[Ranked | None, Ranked | None]:
    """Return the best and worst run by a metric, None where no run defines it; ties go to the first name."""
    lower = any(metric in run.lower_is_better for run in runs)
    ranked = sorted(
        (Ranked(run.name, value) for run in runs if (value := run.metrics.get(metric)) is not None),
        key=lambda item: (item.value if lower else -item.value, item.run),
    )
    if not ranked:
        return None, None
    worst_value = ranked[-1].value
    return ranked[0], min((item for item in ranked if item.value == worst_value), key=lambda item: item.run)


def comparability_warnings(runs: Sequence[ExportedRun]) -> list[str]:
    """Return what makes the numbers hard to compare: other settings, other cases, or stub beside real runs."""
    warnings = [
        f"{run.name}: its parts were made in {len(set(run.signatures.values()))} ways and must not be compared"
        for run in runs
        if len(set(run.signatures.values())) > 1
    ]
    settings = {_without_traces(signature) for run in runs for signature in run.signatures.values()}
    if len(settings) > 1 and len(runs) > 1:
        warnings.append(f"the runs were made with {len(settings)} different settings: {'; '.join(sorted(settings))}")
    if len({run.stub for run in runs}) > 1:
        warnings.append("stub and real runs are mixed")
    if len({run.attributes.get("case_list_hash") for run in runs}) > 1:
        warnings.append("the runs do not cover the same cases")
    return warnings


def _without_traces(signature: str) -> str:
    return "|".join(part for part in signature.split("|") if not part.startswith("traces:"))
