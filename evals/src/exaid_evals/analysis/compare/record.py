"""`comparison.json`, and numbers as the files of a comparison hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from exaid_evals import __version__
from exaid_evals.analysis.compare.recommend import recommendations, verdict
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.analysis.report.record import numbers_in
from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.artifacts.canonical import rounded as canonical
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.printable import printable
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.report.formats.csv_table import inert

_KEPT = 1e-3
"""By what share of itself rounding may change a number."""


def rounded(value: float) -> float | str:
    """Return a number as it is written.

    >>> rounded(0.1234567), rounded(2.1234567891e-7), rounded(0.0), rounded(float(1))
    (0.1234567, '2.123457e-07', 0.0, 1.0)
    """
    if math.isfinite(value) and abs(round(value, FLOAT_DECIMALS) - value) > _KEPT * abs(value):
        return f"{value:.7g}"
    return value


def rounded_in(value: Any) -> Any:
    """Return a structure with its numbers as they are written."""
    if isinstance(value, Mapping):
        return {key: rounded_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded_in(item) for item in value]
    return rounded(value) if isinstance(value, float) else value


def unrounded(settings: Any) -> Any:
    """Return settings whose numbers are text wherever six decimals would not hold all of them.

    >>> unrounded({"lr": 0.00161931, "beta": 0.999, "layers": [3, 1e-7]})
    {'lr': '0.00161931', 'beta': 0.999, 'layers': [3, '1e-07']}
    """
    if isinstance(settings, Mapping):
        return {key: unrounded(item) for key, item in settings.items()}
    if isinstance(settings, list | tuple):
        return [unrounded(item) for item in settings]
    if isinstance(settings, float) and math.isfinite(settings) and round(settings, FLOAT_DECIMALS) != settings:
        return repr(settings)
    return settings


def csv_number(value: float | None) -> float | None:
    """Return a number of a table: rounded as in the record, with seven digits where it is small."""
    if value is None:
        return None
    return float(f"{value:.7g}") if isinstance(rounded(value), str) else canonical(value)


def csv_text(text: str) -> str:
    """Return foreign text as a cell: printable, and no formula."""
    return inert(printable(text))


SCHEMA = "exaid.run_comparison"


def signature(comparison: Comparison) -> str:
    """Return the line that says how the numbers were made."""
    made = {"by": comparison.by, "statistic": comparison.statistic, "directions": dict(comparison.directions)}
    if comparison.pooled:
        made["code_versions"] = "pooled"
    digest = sha256_structure(made).removeprefix("sha256:")[:8]
    sources = "+".join(sorted({run.history.source for run in comparison.runs}))
    return f"exaid-evals/{__version__}|compare:{digest}|source:{sources}|by:{comparison.by}|of:{comparison.statistic}"


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return the record; it is valid under its schema.

    Raises:
        DataError: it is not, which is a mistake of ours and not of the user's.
    """
    steadiness = {one.run: one for one in comparison.stabilities}
    record = {
        **header(SCHEMA),
        "record_type": "run_comparison",
        "signature": signature(comparison),
        "group_by": comparison.by,
        "code_versions_pooled": comparison.pooled,
        "statistic": comparison.statistic,
        "primary_metric": comparison.primary,
        "differing_settings": list(comparison.grouping.differing),
        "runs": [
            {
                "run": run.name,
                "source": run.history.source,
                "seed": run.seed,
                "settings": unrounded(run.settings),
                "warnings": list(run.history.warnings),
                "stability": _stability(asdict(steadiness[run.name])),
            }
            for run in comparison.runs
        ],
        "groups": [
            {
                "group": group.name,
                "runs": [run.name for run in group.runs],
                "settings": unrounded({key: group.settings.get(key) for key in comparison.grouping.differing}),
            }
            for group in comparison.groups
        ],
        "metrics": [
            {
                "metric": ranking.metric,
                "direction": ranking.direction,
                "verdict": ranking.verdict,
                "told": verdict(ranking),
                "tied": list(ranking.tied),
                "runs_needed": ranking.needed,
                "missing": list(ranking.missing),
                "diverged": list(ranking.diverged),
                "performances": [
                    {
                        "group": one.group,
                        **{f"{key}": value for key, value in asdict(one.level).items()},
                        "basis": one.basis,
                        "n_runs": len(one.values) - one.n_missing,
                        "n_missing": one.n_missing,
                        "values": dict(one.values),
                        "best": None
                        if one.best is None
                        else {"value": one.best[0], "run": one.best[1], "step": one.best[2]},
                        "last_steps": list(one.last_step),
                        "diverged": list(one.diverged),
                        "behind_first": None if (lead := ranking.leads.get(one.group)) is None else asdict(lead),
                    }
                    for one in ranking.performances
                ],
            }
            for ranking in comparison.rankings
        ],
        "partings": [asdict(one) for one in comparison.partings],
        "notes": list(comparison.notes),
        "recommendations": recommendations(comparison),
    }
    found: dict[str, Any] = numbers_in(rounded_in(record))
    require_valid(found, "comparison.json")
    return found


def _stability(values: dict[str, Any]) -> dict[str, Any]:
    del values["run"]
    return values
