"""What an analysis of hyper-parameters says: its record and the sections of its report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from exaid_evals import __version__
from exaid_evals.analysis.compare.report import csv_number, csv_text, rounded_in
from exaid_evals.analysis.impact.associations import LEAST_CATEGORY, LEAST_RUNS, RankCorrelation
from exaid_evals.analysis.impact.stage import DROP, SIGNIFICANT, Impact
from exaid_evals.analysis.report.record import numbers_in
from exaid_evals.analysis.report.sentences import counted, number, p_is
from exaid_evals.analysis.report.write import write_files
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.artifacts.written import note_written
from exaid_evals.report.document import Block, Document, Grid, Items, Section, to_html, to_markdown
from exaid_evals.report.formats.csv_table import write_csv

SCHEMA = "exaid.impact"


def signature(impact: Impact) -> str:
    """Return the line that says how the numbers were made."""
    sources = "+".join(sorted({run.history.source for run in impact.runs}))
    pooled = "|code-versions:pooled" if impact.pooled else ""
    return f"exaid-evals/{__version__}|impact|source:{sources}|metric:{impact.metric}|n:{len(impact.runs)}{pooled}"


def impact_record(impact: Impact) -> dict[str, Any]:
    """Return the record; it is valid under its schema.

    Raises:
        DataError: it is not, which is a mistake of ours and not of the user's.
    """
    record = {
        **header(SCHEMA),
        "record_type": "impact",
        "signature": signature(impact),
        "metric": impact.metric,
        "direction": impact.direction,
        "code_versions_pooled": impact.pooled,
        "runs": [
            {"run": run.name, "level": level, "drop": drop, "anomalous": bad, "configuration": number + 1}
            for run, level, drop, bad, number in zip(
                impact.runs, impact.final_means, impact.drops, impact.anomalous, impact.configurations, strict=True
            )
        ],
        "parameters": [
            {"parameter": one.name, "numeric": one.numeric, "n_missing": one.n_missing}
            for one in impact.parameters.varying
        ],
        "constant": list(impact.parameters.constant),
        "unique": list(impact.parameters.unique),
        "correlations": [asdict(one) for one in impact.correlations],
        "rates": [asdict(one) for one in impact.rates],
        "importance": asdict(impact.importance),
        "findings": findings(impact),
        "notes": list(impact.notes),
    }
    found: dict[str, Any] = numbers_in(rounded_in(record))
    require_valid(found, "impact.json")
    return found


PAGE, REPORT, RECORD, TABLE = "impact.html", "impact.md", "impact.json", "impact.csv"


def write_impact(impact: Impact, out: Path) -> Path:
    """Write the record, the table of runs and the reports; return the page's path."""
    record = canonical_bytes(impact_record(impact)) + b"\n"
    report = Document(f"What goes with {impact.metric}", sections(impact), signature(impact), lead=True)
    files: dict[str, str | bytes] = {
        REPORT: to_markdown(report),
        TABLE: _csv(impact),
        RECORD: record,
        PAGE: to_html(report),
    }
    write_files(out, files)
    note_written(out, "impact", map(out.joinpath, files))
    return out / PAGE


def _csv(impact: Impact) -> str:
    """Return a row a run: its outcomes and the parameters that vary."""
    parameters = impact.parameters.varying
    header = ["run", "level", "drop", "anomalous", *(csv_text(one.name) for one in parameters), "signature"]
    lines: list[list[object]] = []
    for at, run in enumerate(impact.runs):
        values = [one.values[at] for one in parameters]
        shown = [csv_text(value) if isinstance(value, str) else value for value in values]
        outcomes = [csv_number(impact.final_means[at]), csv_number(impact.drops[at]), impact.anomalous[at]]
        lines.append([csv_text(run.name), *outcomes, *shown, signature(impact)])
    return write_csv(header, lines)


_MOST_CATEGORIES = 40


def findings(impact: Impact) -> list[str]:
    """Return what the numbers bear, most telling first; each with its n, and what they cannot say."""
    lines = [_correlated(impact, one) for one in impact.correlations if _significant(one.p_adjusted)]
    for rates in impact.rates:
        if _significant(rates.p_adjusted):
            worst = max(rates.categories, key=lambda one: (one.n_configurations >= LEAST_CATEGORY, one.rate))
            lines.append(
                f"{rates.parameter}: runs go wrong at different rates ({p_is(rates.p_adjusted or 0.0)} after Holm); "
                f"worst is {worst.value}, {worst.n_anomalous} of {counted(worst.n, 'run')} "
                f"[{worst.low:.0%}, {worst.high:.0%}]."
            )
    found = impact.importance
    if found.withheld is None:
        first = found.parameters[0]
        lines.append(
            f"A model that predicts {impact.metric} (cross-validated R² {_mean(found.r2):.2f}, n = {found.n}) leans "
            f"most on {first.parameter}: shuffled, R² falls by {first.mean:.2f}."
        )
    return lines or [_nothing(impact)]


def sections(impact: Impact) -> list[Section]:
    """Return the report, in order."""
    outcome = f"{impact.metric} over the last fifth of each run ({impact.direction} is better)"
    about = f"{runs_phrase(impact)}; outcome: {outcome}."
    return [
        Section("What the numbers say", [*findings(impact), about]),
        _correlations(impact),
        _rates(impact),
        _importance(impact),
        Section("Limits", [Items(impact.notes) if impact.notes else "None were found."]),
    ]


def runs_phrase(impact: Impact) -> str:
    """Return how many runs there are, and of how many configurations, which are what n counts."""
    text = counted(len(impact.runs), "run")
    if impact.n_configurations == len(impact.runs):
        return text
    return f"{text} of {counted(impact.n_configurations, 'configuration')}, which n counts"


def _correlations(impact: Impact) -> Section:
    tested = sum(one.p is not None for one in impact.correlations)
    lines = [
        f"Spearman's ρ with a 95 % interval; p after Holm over all {tested} "
        f"that were tested. Under {LEAST_RUNS} configurations nothing is said. Correlation is not a cause: parameters "
        "that were searched together share what they explain."
    ]
    rows = [["parameter", "with", "ρ [95 %]", "p (Holm)", "n"]]
    for one in impact.correlations:
        outcome = f"drop of {impact.metric}" if one.outcome == DROP else impact.metric
        rows.append([one.parameter, outcome, _rho(one), _p(one.p_adjusted), str(one.n)])
    if len(rows) == 1:
        return Section("Numeric parameters", ["No numeric parameter varies."])
    return Section("Numeric parameters", [*lines, Grid(rows)])


def _rates(impact: Impact) -> Section:
    if not impact.rates:
        return Section("Categories", ["No category varies."])
    text = (
        "Share of runs with a high or critical anomaly of any metric, with its exact (Clopper–Pearson) interval over "
        f"configurations. Categories of fewer than {LEAST_CATEGORY} configurations have no part in the test."
    )
    blocks: list[Block] = [text]
    for rates in impact.rates:
        lines = (
            ["Not tested: fewer than two categories are large enough, or all runs are alike."]
            if rates.p is None
            else [f"Permutation test that all rates are the same: {p_is(rates.p_adjusted or rates.p)} after Holm."]
        )
        rows = [["value", "runs", "configurations", "anomalous", "rate [95 %]", f"mean {impact.metric}"]]
        for one in rates.categories[:_MOST_CATEGORIES]:
            share = f"{one.rate:.0%} [{one.low:.0%}, {one.high:.0%}]"
            rows.append(
                [one.value, str(one.n), str(one.n_configurations), str(one.n_anomalous), share, number(one.mean)]
            )
        blocks.append(Section(rates.parameter, [*lines, Grid(rows)]))
    return Section("Categories", blocks)


def _importance(impact: Impact) -> Section:
    found = impact.importance
    if found.withheld is not None:
        return Section("Importance", [f"Withheld: {found.withheld}."])
    text = (
        f"A random forest predicts {impact.metric} with a cross-validated R² of {_mean(found.r2):.2f} (from "
        f"{min(found.r2):.2f} to {max(found.r2):.2f} over {len(found.r2)} repetitions, n = {found.n}). Importance is "
        "by how much R² falls when a parameter is shuffled among runs that the model has not seen."
    )
    rows = [["parameter", "R² lost", "σ over repetitions"]]
    rows += [[one.parameter, f"{one.mean:.3f}", f"{one.sd:.3f}"] for one in found.parameters]
    return Section("Importance", [text, Grid(rows)])


def _correlated(impact: Impact, one: RankCorrelation) -> str:
    rises = (one.rho or 0.0) > 0
    what = f"the drop of {impact.metric} from its best" if one.outcome == DROP else impact.metric
    # A drop is positive where the end is worse, whatever the metric's direction.
    better = rises == (impact.direction == "higher") if one.outcome != DROP else not rises
    way = (
        f"with a higher {one.parameter}, {what} is {'higher' if rises else 'lower'} ({'better' if better else 'worse'})"
    )
    return f"{one.parameter}: {way}: ρ = {_rho(one)}, {p_is(one.p_adjusted or 0.0)} after Holm, n = {one.n}."


def _nothing(impact: Impact) -> str:
    if not impact.parameters.varying:
        return f"No parameter varies among {len(impact.runs)} runs: there is nothing to go with."
    tested = [one for one in impact.correlations if one.p is not None]
    if not tested and all(one.p is None for one in impact.rates):
        return (
            f"Nothing can be said: {_made(impact)} are too few. A correlation needs {LEAST_RUNS} configurations with "
            f"both numbers, a category {LEAST_CATEGORY} configurations."
        )
    return f"No parameter stands out from chance over {_made(impact)}; that does not show that none matters."


def _made(impact: Impact) -> str:
    n = impact.n_configurations
    return counted(n, "run") if n == len(impact.runs) else f"{counted(n, 'configuration')} ({len(impact.runs)} runs)"


def _significant(p: float | None) -> bool:
    return p is not None and p <= SIGNIFICANT


def _rho(one: RankCorrelation) -> str:
    if one.rho is None:
        return "too few" if one.n < LEAST_RUNS else "does not vary"
    if one.low is None or one.high is None:
        return f"{one.rho:.2f}"
    return f"{one.rho:.2f} [{one.low:.2f}, {one.high:.2f}]"


def _p(p: float | None) -> str:
    return "–" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)
