"""A comparison as data (`exaid.run_comparison`): what every other form of it is made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from exaid_evals import __version__
from exaid_evals.analysis.compare.digits import rounded_in, unrounded
from exaid_evals.analysis.compare.recommend import recommendations, verdict
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.analysis.report.record import numbers_in
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.schemas import header, require_valid

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
