"""`over_seeds.{csv,md,tex}`: the variants of several campaigns, over seeds and cases, which are never pooled.

Each variant's number is the mean over campaigns of its means over cases. Its interval comes from the bootstrap over
both levels (`stats.bootstrap`): crossed where every campaign has the same cases, nested where each has its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from exaid_evals.export.stage import Export
from exaid_evals.files import natural_order
from exaid_evals.metrics.aggregate import SCALE, number
from exaid_evals.metrics.records import Estimate, VariantMetrics
from exaid_evals.report.base import STUB_NOTE, Table
from exaid_evals.report.tables.variants import MAIN
from exaid_evals.runs.base import Run, merged_signature
from exaid_evals.stats.bootstrap import hierarchical_interval
from exaid_evals.stats.descriptive import finite

NAME = "over_seeds"
_LEAST_CAMPAIGNS = 2
_BOOTSTRAP = re.compile(r"\|boot:(\d+)/(\d+)")

Cases = Mapping[str, Mapping[str, float | None]]


def build(export: Export) -> Table | None:
    """Build the table; None where fewer than two runs are campaigns with variants."""
    campaigns = [run for run in export.runs if run.cases is not None and run.attributes.get("variants")]
    if len(campaigns) < _LEAST_CAMPAIGNS:
        return None
    cases = [run.cases() for run in campaigns if run.cases is not None]
    variants = sorted({name for of_run in cases for name in of_run}, key=natural_order)
    primary = (export.primary_metric or "").split(".")[0]
    built = [_over_seeds(campaigns, [of_run.get(name, {}) for of_run in cases], name) for name in variants]
    table = MAIN.table([one for one, _ in built], primary)
    designs = sorted({design for _, design in built})
    counts = sorted({len(set().union(*(of_run.get(name, {}) for of_run in cases))) for name in variants})
    n_cases = " or ".join(str(count) for count in counts)
    notes = (
        f"Mean over {len(campaigns)} seeds of their means over cases ({n_cases} distinct cases), with the 95 % "
        f"percentile interval of the bootstrap over seeds and cases ({'; '.join(designs)}). Few seeds say little about "
        "seeds: the interval is too narrow where seeds differ much.",
        *([STUB_NOTE] if export.stub else []),
    )
    return Table(
        NAME, "Results per variant over seeds", table.columns, table.rows, notes, table.primary, counted="seeds"
    )


def _over_seeds(campaigns: Sequence[Run], cases: Sequence[Cases], variant_id: str) -> tuple[VariantMetrics, str]:
    """Return a variant over the campaigns that have it, and how its resamples were drawn."""
    having = [(run, of_run) for run, of_run in zip(campaigns, cases, strict=True) if of_run]
    names = list(dict.fromkeys(name for _, of_run in having for measures in of_run.values() for name in measures))
    signatures = [run.signatures[variant_id] for run, _ in having]
    groups, design = _groups([of_run for _, of_run in having], names)
    resamples, seed = _bootstrap(signatures)
    means, bounds = hierarchical_interval(groups, resamples, np.random.default_rng(seed), crossed=design == _CROSSED)
    of_seeds = _means(groups) / SCALE
    estimates = {
        name: _estimate(of_seeds[:, column], means[column] / SCALE, bounds[:, column] / SCALE)
        for column, name in enumerate(names)
    }
    return (
        VariantMetrics(
            variant_id=variant_id,
            n_cases=len(having),
            n_failed=0,
            stub=any(bool(run.stub) for run, _ in having),
            signature=merged_signature(signatures),
            measures=estimates,
        ),
        design,
    )


_CROSSED = "crossed, every seed with the same cases"
_NESTED = "nested, each seed with cases of its own"
_PARTLY = "nested, although seeds share some cases, so that the interval may be too narrow"


def _groups(cases: Sequence[Cases], names: Sequence[str]) -> tuple[list[NDArray[np.float64]], str]:
    """Return an array per seed, rows by case id, in whole millionths, and the design that the case ids make."""
    ids = [sorted(of_run) for of_run in cases]
    if all(one == ids[0] for one in ids):
        design = _CROSSED
    else:
        distinct = set().union(*ids)
        design = _NESTED if len(distinct) == sum(map(len, ids)) else _PARTLY
    arrays = [
        np.rint(
            np.array([[of_run[case].get(name) for name in names] for case in order], dtype=np.float64).reshape(
                len(order), len(names)
            )
            * SCALE
        )
        for of_run, order in zip(cases, ids, strict=True)
    ]
    return arrays, design


def _bootstrap(signatures: Sequence[str]) -> tuple[int, int]:
    """Return the number and seed of the resamples with which the campaigns were measured."""
    match = _BOOTSTRAP.search(signatures[0]) if signatures else None
    if match and int(match[1]):
        return int(match[1]), int(match[2])
    # Late, for what checks configurations is slow to import, and exports of other runs do without.
    from exaid_evals.config.metrics import BootstrapConfig

    default = BootstrapConfig()
    return default.resamples, default.seed


def _means(groups: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return each seed's mean over its cases, shape (seeds, columns); NaN where undefined."""
    rows = []
    for group in groups:
        defined = ~np.isnan(group)
        with np.errstate(invalid="ignore"):
            rows.append(np.where(defined, group, 0.0).sum(axis=0) / defined.sum(axis=0))
    return np.array(rows)


def _estimate(of_seeds: NDArray[np.float64], mean: float, bounds: NDArray[np.float64]) -> Estimate:
    defined = of_seeds[~np.isnan(of_seeds)].tolist()
    n = len(defined)
    centre = math.fsum(defined) / n if n else math.nan
    sd = finite(lambda: math.sqrt(math.fsum((value - centre) ** 2 for value in defined) / (n - 1))) if n > 1 else None
    return Estimate(
        mean=_rounded(number(mean)),
        sd=_rounded(sd),
        median=None,
        min=_rounded(min(defined, default=None)),
        max=_rounded(max(defined, default=None)),
        ci95_low=_rounded(number(bounds[0])),
        ci95_high=_rounded(number(bounds[1])),
        n=n,
        n_undefined=len(of_seeds) - n,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6) + 0.0
