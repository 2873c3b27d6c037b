"""What an analysis says in a sentence: key finding, recommendation, questions for whoever is asked for help."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.analysis.stage import Analysis

WHAT = {
    "sudden_drop": "got worse at once",
    "change_point": "moved to another level",
    "outlier": "has a point far off",
    "plateau": "stopped improving",
    "divergence": "diverged",
    "not_finite": "was NaN or infinite",
    "oscillation": "oscillated",
    "overfitting_gap": "got worse while the training improved",
}


def number(value: float | None) -> str:
    """Return a number as reports show it: four digits, a dash where it is undefined."""
    return "–" if value is None else f"{value:.4g}"


def believed(share: float) -> str:
    """Return a share of belief; no evidence makes certain.

    >>> believed(0.666), believed(0.9999), believed(0.0001)
    ('67%', 'over 99%', 'under 1%')
    """
    return "over 99%" if share > 0.99 else "under 1%" if share < 0.01 else f"{share:.0%}"


def key_finding(analysis: Analysis) -> str:
    """Return the finding that a reader must know."""
    diagnosis = analysis.diagnosis
    if diagnosis is None:
        worst = next((one for one in analysis.anomalies if one.severity in ("high", "critical")), None)
        if worst is None:
            return "No metric dropped, and nothing of weight stands out."
        return f"No sudden drop that needs a cause. Most notable: {described(worst)}."
    drop = diagnosis.incident.anomaly
    low, high = diagnosis.incident.interval
    began = f"at step {high:g}" if low == high else f"between steps {low:g} and {high:g}"
    # The drop shows at an evaluation; the training's own metrics may tell more exactly when it began.
    where = began if drop.interval == (low, high) else f"at step {drop.step:g}; it began {began}"
    before, after = drop.evidence.get("before"), drop.evidence.get("after")
    size = f" from {number(before)} to {number(after)}" if before is not None else ""
    share = f"{believed(diagnosis.shares[0])} of the belief"
    cause = (
        "what was logged explains it by none of the known causes"
        if diagnosis.named == "unknown"
        else f"the evidence points to {diagnosis.named} ({share})"
    )
    return f"{drop.metric} {WHAT[drop.kind]}{size} {where}; {cause}."


def recommendation(analysis: Analysis) -> str:
    """Return what to do now."""
    if analysis.diagnosis is not None:
        return analysis.diagnosis.hypotheses[0].remedy
    kinds = {one.kind for one in analysis.anomalies if one.severity != "low"}
    if "not_finite" in kinds:
        return "Find the first step whose loss is not a number, and look at its batch and gradient norm."
    if "overfitting_gap" in kinds:
        return "Stop at the best validation point, or regularise more: the training goes on at the validation's cost."
    if "divergence" in kinds:
        return "Lower the learning rate or clip gradients, and go on from the best checkpoint."
    return "Nothing needs to be done on the strength of this run alone."


def described(one: Anomaly) -> str:
    """Return an anomaly as a clause."""
    size = f" by {number(abs(one.magnitude))}" if one.magnitude else ""
    end = f" to {one.end_step:g}" if one.end_step is not None else ""
    return f"{one.metric} {WHAT[one.kind]}{size}, step {one.step:g}{end}"


def shown_anomalies(analysis: Analysis, most: int = 40) -> Sequence[Anomaly]:
    """Return the anomalies that a report lists, the worst; `summary.json` has all."""
    return analysis.anomalies[:most]


def questions(analysis: Analysis) -> list[tuple[str, str]]:
    """Return questions for whoever knows the experiment, with their priority, the most pressing first."""
    found: list[tuple[str, str]] = []
    diagnosis = analysis.diagnosis
    if diagnosis is not None:
        low, high = diagnosis.incident.interval
        first = diagnosis.hypotheses[0]
        asked = {
            "data": "Which data came into the training there: a new shard, another augmentation, items made anew?",
            "optimisation": "What changed the optimiser there: schedule, warm restart, clipping, mixed precision?",
            "evaluation": "What changed the evaluation there: its set, a filter, the order of items or of labels?",
            "system": "Was the process restarted there, from which checkpoint, and what did that hold?",
            "unknown": "What changed there that was not logged?",
        }
        found.append(("high", f"Steps {low:g} to {high:g}: {asked[first.family]}"))
        second = diagnosis.hypotheses[1]
        if diagnosis.shares[1] >= 0.1 and second.family != "unknown":
            found.append(("high", f"Can {second.family} be ruled out? {asked[second.family]}"))
        unseen = dict.fromkeys(what for one in diagnosis.hypotheses for what in one.unseen)
        found += [("medium", f"Can {what} be logged or recovered for this run?") for what in unseen]
        found.append(("medium", "Does a run with another seed, and nothing else changed, drop at the same step?"))
    odd = analysis.history.irregularities
    if odd:
        kinds = ", ".join(sorted({one.kind.replace("_", " ") for one in odd}))
        found.append(("low", f"Are these known to happen in the logging: {kinds}?"))
    if not found:
        found.append(("low", "Is the result within what earlier runs of this configuration gave?"))
    return found
