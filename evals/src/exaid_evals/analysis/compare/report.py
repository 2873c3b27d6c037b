"""What a comparison says: `comparison.json`, and the sections of its report."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from exaid_evals import __version__
from exaid_evals.analysis.compare.collect import ABSENT, setting_text
from exaid_evals.analysis.compare.final_means import FinalMean, Performance
from exaid_evals.analysis.compare.performance import Ranking
from exaid_evals.analysis.compare.recommend import interval, recommendations, spanned, verdict
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.analysis.report.record import numbers_in, with_leaves
from exaid_evals.analysis.report.sentences import counted, number
from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.artifacts.canonical import rounded as canonical
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.artifacts.redaction import first_few, printable
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.report.document import Block, Grid, Items, Section
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
    return with_leaves(value, lambda leaf: rounded(leaf) if isinstance(leaf, float) else leaf)


def unrounded(settings: Any) -> Any:
    """Return settings whose numbers are text wherever six decimals would not hold all of them.

    >>> unrounded({"lr": 0.00161931, "beta": 0.999, "layers": [3, 1e-7]})
    {'lr': '0.00161931', 'beta': 0.999, 'layers': [3, '1e-07']}
    """

    def kept(leaf: Any) -> Any:
        short_of = isinstance(leaf, float) and math.isfinite(leaf) and round(leaf, FLOAT_DECIMALS) != leaf
        return repr(leaf) if short_of else leaf

    return with_leaves(settings, kept)


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
    digest = short(sha256_structure(made))
    sources = "+".join(sorted({run.history.source for run in comparison.runs}))
    return f"exaid-evals/{__version__}|compare:{digest}|source:{sources}|by:{comparison.by}|of:{comparison.statistic}"


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return the record; it is valid under its schema.

    Raises:
        DataError: it is not, which is a mistake of ours and not of the user's.
    """
    record = {
        **header(SCHEMA),
        "record_type": "run_comparison",
        "signature": signature(comparison),
        "group_by": comparison.by,
        "code_versions_pooled": comparison.pooled,
        "statistic": comparison.statistic,
        "primary_metric": comparison.primary,
        "differing_settings": list(comparison.grouping.differing),
        "runs": _runs_in(comparison),
        "groups": [
            {
                "group": group.name,
                "runs": [run.name for run in group.runs],
                "settings": unrounded({key: group.settings.get(key) for key in comparison.grouping.differing}),
            }
            for group in comparison.groups
        ],
        "metrics": [_ranking(one) for one in comparison.rankings],
        "partings": [asdict(one) for one in comparison.divergence_points],
        "notes": list(comparison.notes),
        "recommendations": recommendations(comparison),
    }
    found: dict[str, Any] = numbers_in(rounded_in(record))
    require_valid(found, "comparison.json")
    return found


def _runs_in(comparison: Comparison) -> list[dict[str, Any]]:
    steadiness = {one.run: one for one in comparison.stabilities}
    return [
        {
            "run": run.name,
            "source": run.history.source,
            "seed": run.seed,
            "settings": unrounded(run.settings),
            "warnings": list(run.history.warnings),
            "stability": {key: value for key, value in asdict(steadiness[run.name]).items() if key != "run"},
        }
        for run in comparison.runs
    ]


def _ranking(ranking: Ranking) -> dict[str, Any]:
    return {
        "metric": ranking.metric,
        "direction": ranking.direction,
        "verdict": ranking.verdict,
        "told": verdict(ranking),
        "tied": list(ranking.tied),
        "runs_needed": ranking.needed,
        "missing": list(ranking.missing),
        "diverged": list(ranking.diverged),
        "performances": [_of_group(one, ranking.leads.get(one.group)) for one in ranking.performances],
    }


def _of_group(one: Performance, lead: FinalMean | None) -> dict[str, Any]:
    return {
        "group": one.group,
        **asdict(one.level),
        "basis": one.basis,
        "n_runs": len(one.values) - one.n_missing,
        "n_missing": one.n_missing,
        "values": dict(one.values),
        "best": None if one.best is None else {"value": one.best[0], "run": one.best[1], "step": one.best[2]},
        "last_steps": list(one.last_step),
        "diverged": list(one.diverged),
        "behind_first": None if lead is None else asdict(lead),
    }


MOST_ROWS = 60
COUNTS_BY = {"level": "the mean of its last fifth", "best": "its best value", "final": "its last value"}
_OF = {
    "seeds": "between runs of the group",
    "cases": "between cases",
    "within_run": "noise within the run, not between seeds",
    "none": "none",
}
_BANDS = {
    "seeds": "from repetitions",
    "borrowed": "spread borrowed from groups with repetitions",
    "within_run": "from noise within each run and an allowance of 5 % of the range",
}


def sections(comparison: Comparison) -> list[Section]:
    """Return the report, in order."""
    return [
        _summary(comparison),
        _performance(comparison),
        _settings(comparison),
        _stability_sections(comparison),
        _divergence_points(comparison),
        _notes(comparison),
    ]


def ranking_rows(ranking: Ranking, most: int = MOST_ROWS) -> list[list[str]]:
    """Return the table of the groups by a metric, heading first."""
    heading = ["group", "runs", "level [95 %]", "interval is of", "behind the first [95 %]"]
    rows = [[*heading, "best", "in run", "at step"]]
    for one in ranking.performances[:most]:
        value, run, step = one.best or (None, "–", None)
        at = "–" if step is None else f"{step:g}"
        behind = _behind(ranking, one)
        rows.append([one.group, _runs(one), interval(one), _OF[one.basis], behind, number(value), run, at])
    for name in ranking.missing[: max(0, most - len(ranking.performances))]:
        why = "ends in NaN, infinite or exploded values" if name in ranking.diverged else "no finite value"
        rows.append([name, "0", f"– ({why})", _OF["none"], "–", "–", "–", "–"])
    return rows


def _behind(ranking: Ranking, one: Performance) -> str:
    """Return how far a group lies behind the first, and whether that is of pairs."""
    if ranking.direction is None or one is ranking.first:
        return "–"
    lead = ranking.leads.get(one.group)
    if lead is None:
        return f"{number(abs(ranking.first.level.value - one.level.value))}, not paired"
    return f"{spanned(lead)}, {lead.n} pairs"


def _summary(comparison: Comparison) -> Section:
    lines = [verdict(comparison.rankings[0])]
    return Section("Summary", [*lines, Section("What to do", [Items(recommendations(comparison))])])


def _performance(comparison: Comparison) -> Section:
    counting = f"A run counts by {COUNTS_BY[comparison.statistic]}, a group by the mean over its runs."
    pairs = (
        "Groups that share their repetitions (seeds, folds, cases) are paired: the difference is taken within each, "
        "and the first is better where its interval lies above 0. Others are apart where intervals do not overlap."
    )
    blocks: list[Block] = [counting, pairs]
    for ranking in comparison.rankings:
        lines = [verdict(ranking)]
        if ranking.missing:
            n, verb = len(ranking.missing), "has" if len(ranking.missing) == 1 else "have"
            lines.append(f"{counted(n, 'group')} {verb} no level of it: {first_few(ranking.missing)}.")
        if len(ranking.performances) + len(ranking.missing) > MOST_ROWS:
            n = len(ranking.performances) + len(ranking.missing)
            lines.append(f"The first {MOST_ROWS} of {n} groups; comparison.json has all.")
        way = f" ({ranking.direction} is better)" if ranking.direction else ""
        blocks.append(Section(f"{ranking.metric}{way}", [*lines, Grid(ranking_rows(ranking))]))
    return Section("Performance", blocks)


def _settings(comparison: Comparison) -> Section:
    keys = comparison.grouping.differing
    if not any(group.settings for group in comparison.groups):
        return Section("Settings", ["No run has a configuration."])
    if not keys:
        return Section("Settings", ["The runs differ in no setting that says how they were made."])
    shown = comparison.groups[:MOST_ROWS]
    rows = [["group", *keys], *([one.name, *(setting_text(one.settings, key)[:80] for key in keys)] for one in shown)]
    lines = [f"Only what differs; what names, places, times or seeds a run is left out. {_same(comparison)}"]
    if len(shown) < len(comparison.groups):
        lines.append(f"The first {MOST_ROWS} of {len(comparison.groups)} groups.")
    return Section("Settings", [*lines, Grid(rows)])


def _same(comparison: Comparison) -> str:
    shared = {key for group in comparison.groups for key in group.settings} - set(comparison.grouping.differing)
    lacking = [group.name for group in comparison.groups if not group.settings]
    text = f"{counted(len(shared), 'setting')} {'is' if len(shared) == 1 else 'are'} the same."
    if not lacking:
        return text
    verb = "has" if len(lacking) == 1 else "have"
    return f"{text} {first_few(lacking)} {verb} no configuration: everything is `{ABSENT}` there."


def _stability_sections(comparison: Comparison) -> Section:
    rows = [
        ["run", "critical", "high", "medium", "low", "NaN, infinite", "drops", "recovered", "median steps to recover"]
    ]
    metric = comparison.rankings[0].metric
    rows[0].append(f"σ of {metric} at the end")
    ordered = sorted(
        comparison.stabilities,
        key=lambda one: (-one.anomalies["critical"], -one.anomalies["high"], -one.anomalies["medium"], one.run),
    )
    for one in ordered[:MOST_ROWS]:
        took = sorted(drop.steps_to_recover for drop in one.recoveries if drop.steps_to_recover is not None)
        middle = (took[(len(took) - 1) // 2] + took[len(took) // 2]) / 2 if took else None
        counts = [str(one.anomalies[severity]) for severity in ("critical", "high", "medium", "low")]
        drops = [str(len(one.recoveries)), str(len(took)), number(middle), number(one.last_sd.get(metric))]
        rows.append([one.run, *counts, str(one.not_finite), *drops])
    lines = ["Recovered: nine tenths of what a sudden drop lost were won back before the run ended."]
    if len(ordered) > MOST_ROWS:
        lines.append(f"The {MOST_ROWS} least steady of {len(ordered)} runs.")
    return Section("Stability", [*lines, Grid(rows)])


def _divergence_points(comparison: Comparison) -> Section:
    if not comparison.divergence_points:
        return Section("Where histories part", ["Nothing was held against each other step by step."])
    rows = [["metric", "between", "parts at step", "not before", "higher from then on", "bands"]]
    unknown: dict[str, int] = {}
    for one in comparison.divergence_points:
        if one.why_not is not None:
            unknown[one.why_not] = unknown.get(one.why_not, 0) + 1
            continue
        step = "does not part" if one.step is None else f"{one.step:g}"
        before = "–" if one.not_before is None else f"{one.not_before:g}"
        bands = "–" if one.basis is None else _BANDS[one.basis]
        rows.append([one.metric, f"{one.first} – {one.second}", step, before, one.higher or "–", bands])
    lines = [
        "The first step from which on simultaneous 95 % bands lie apart to the end of the common steps. That histories "
        "do not part means that they cannot be told apart, not that they are the same."
    ]
    lines += [f"Pairs of which nothing can be said: {count} ({why})." for why, count in sorted(unknown.items())]
    shown = rows[: MOST_ROWS + 1] if len(rows) > 1 else ()
    if len(rows) - 1 > MOST_ROWS:
        lines.append(f"The first {MOST_ROWS} of {len(rows) - 1}; comparison.json has all.")
    return Section("Where histories part", [*lines, Grid(shown)])


def _notes(comparison: Comparison) -> Section:
    lines = comparison.notes
    return Section("Limits", [Items(lines) if lines else "None were found."])


def _runs(one: Performance) -> str:
    known = len(one.values) - one.n_missing
    return str(known) if not one.n_missing else f"{known} ({one.n_missing} without a level)"
