"""What an analysis says in a sentence: key finding, recommendation, questions; and words for reports."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.analysis.causes.table import Diagnosis
from exaid_evals.analysis.incidents import Incident
from exaid_evals.analysis.stage import Analysis
from exaid_evals.anomalies.base import WHAT, Anomaly, described


def counted(n: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "run"), counted(0, "group"), counted(3, "category")
    ('1 run', '0 groups', '3 categories')
    """
    if n == 1:
        return f"1 {noun}"
    return f"{n} {noun[:-1]}ies" if noun.endswith("y") else f"{n} {noun}s"


def p_is(p: float) -> str:
    """Return what a probability is, with its sign.

    >>> p_is(0.0312), p_is(1e-9)
    ('p = 0.031', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


_FEW = 5
"""Steps below which no detector can tell a drop."""
_AGAIN = 0.05
"""Of the points of a metric, that are logged twice where a run did a part of itself again."""


def number(value: float | None) -> str:
    """Return a number as reports show it: four digits, a dash where it is undefined.

    >>> number(0.26281), number(1.093e-21), number(None)
    ('0.2628', '1.093e-21', '–')
    """
    return "–" if value is None else f"{value:.4g}"


def percent(share: float | None) -> str:
    """Return a share as a percentage; as a multiple, where a percentage would have more than three digits.

    >>> percent(0.1234), percent(29469696.142), percent(None)
    ('12.3%', '2.947e+07 times', '–')
    """
    if share is None:
        return "–"
    return f"{share:.1%}" if abs(share) < 10 else f"{share:.4g} times"


def believed(share: float) -> str:
    """Return a share of belief; no evidence makes certain.

    >>> believed(0.666), believed(0.9999), believed(0.0001)
    ('67%', 'over 99%', 'under 1%')
    """
    return "over 99%" if share > 0.99 else "under 1%" if share < 0.01 else f"{share:.0%}"


def key_finding(analysis: Analysis) -> str:
    """Return the finding that a reader must know: the drop with its cause, else the worst incident.

    Whatever is high or critical is spoken of: what the finding does not name, it counts.
    """
    diagnosis = analysis.diagnosis
    worst = [one for one in analysis.incidents if one.severity in ("high", "critical")]
    if diagnosis is not None:
        return _explained(analysis, diagnosis) + _others(worst, diagnosis.onset.anomaly)
    if worst:
        return f"{sentence(worst[0])}.{_others(worst, worst[0].lead)}"
    noted = next((one for one in analysis.anomalies if one.kind == "not_finite"), None)
    if noted is not None:
        return f"No metric dropped. Noted: {described(noted)}."
    if analysis.incidents:
        return f"No metric got much worse. Noted: {sentence(analysis.incidents[0])}."
    again = max((one.count for one in analysis.history.irregularities if one.kind == "repeated_step"), default=0)
    if again >= _AGAIN * max((len(one.points) for one in analysis.history.series.values()), default=0) > 0:
        return f"No metric dropped. Noted: {again} steps were logged again, as by a run that resumed from a checkpoint."
    if analysis.history.n_steps < _FEW:
        return f"No metric dropped, as far as {counted(analysis.history.n_steps, analysis.history.steps_are)} can show."
    return "No metric dropped, and nothing else stands out."


def _explained(analysis: Analysis, diagnosis: Diagnosis) -> str:
    drop = diagnosis.onset.anomaly
    low, high = diagnosis.onset.interval
    began = f"at step {high:g}" if low == high else f"between steps {low:g} and {high:g}"
    # The drop shows at an evaluation; the training's own metrics may tell more exactly when it began.
    same = drop.interval == (low, high) or low > drop.step
    cause = (
        "the cause is not determined"
        if diagnosis.named == "unknown"
        else f"the evidence points to {diagnosis.named} ({believed(diagnosis.shares[0])})"
    )
    if drop.kind == "no_progress":
        return f"{drop.metric} {_movement(drop)}, and rose far above its start {began}; {cause}."
    incident = next((one for one in analysis.incidents if drop in one.anomalies), None)
    # The incident's course is its worst fall's, which may have been over before this one.
    over = incident is not None and incident.recovered_at is not None and incident.recovered_at <= drop.step
    course = "" if incident is None or over else _course(incident)
    when = began if same and low <= drop.step else f"at step {drop.step:g}"
    what = f"{drop.metric} {_movement(drop)} {when}{_stay(drop)}{course}"
    return f"{what}{'' if same else f'; it began {began}'}; {cause}."


def _movement(one: Anomaly) -> str:
    """Return what a metric did, with the values before and after where they are known."""
    numbers = one.evidence
    before = numbers.get("before", numbers.get("best"))
    after = numbers.get("after", numbers.get("now", numbers.get("end")))
    if before is None or after is None:
        return "became NaN or infinite" if one.kind == "not_finite" else WHAT[one.kind]
    verb = "fell" if after < before else "rose"
    span = f"from {number(before)} to {number(after)}"
    how = {
        "change_point": f"{verb} {span}",
        "sudden_drop": f"{verb} suddenly {span}",
        "divergence": f"diverged {span}",
        "overfitting_gap": f"{verb} {span} while the training improved (overfitting)",
        "unscaled_start": f"{verb} {span}: inputs, targets or weights are not scaled",
    }
    return how.get(one.kind, f"{WHAT[one.kind]} {span}")


def _others(worst: Sequence[Incident], named: Anomaly) -> str:
    rest = [one for one in worst if named not in one.anomalies]
    if not rest:
        return ""
    more = f", and {len(rest) - 1} more" if len(rest) > 1 else ""
    return f" Also: {sentence(rest[0])}{more}."


def sentence(one: Incident) -> str:
    """Return an incident as a clause: what the metrics did, when, and what came of it."""
    lead = one.lead
    n_others = len(one.metrics) - 1
    others = f" (and {n_others} other metric{'s' if n_others > 1 else ''})" if n_others else ""
    low, high = one.onset
    began = f"at step {high:g}" if low == high else f"between steps {low:g} and {high:g}"
    if lead.kind in ("overfitting_gap", "no_progress"):
        end = "" if lead.end_step is None else f" to {lead.end_step:g}"
        began = f"from step {lead.step:g}{end}"
    return f"{lead.metric}{others} {_movement(lead)}, {began}{_stay(lead)}{_course(one)}"


def _stay(one: Anomaly) -> str:
    """Return whether a metric that moved to another level stayed there; nothing of what moved otherwise."""
    if one.kind != "change_point" or not {"before", "after"} <= one.evidence.keys():
        return ""
    return ", and stayed there" if one.evidence.get("lasting") else ", for a time"


def _course(one: Incident) -> str:
    if one.course == "repeated":
        return f", {one.times} times"
    if one.recovered_at is not None:
        return f", and was back by step {one.recovered_at:g}"
    return ""


def recommendation(analysis: Analysis) -> str:
    """Return what to do now."""
    worst = [one for one in analysis.incidents if one.severity in ("high", "critical")]
    kinds = {each.kind for one in worst for each in one.anomalies if each.severity in ("high", "critical")}
    if analysis.diagnosis is not None and analysis.diagnosis.named != "unknown":
        never = analysis.diagnosis.onset.anomaly.kind == "no_progress"
        return "Lower the learning rate, and train anew." if never else analysis.diagnosis.first.remedy
    for kind, advice in _ADVICE.items():
        if kind in kinds:
            return advice
    if analysis.diagnosis is not None:
        return analysis.diagnosis.first.remedy
    if any(one.kind == "not_finite" for one in analysis.anomalies):
        return "No action is needed if a single NaN is expected; else look at what the metric divides by."
    if analysis.incidents:
        return _ADVICE.get(analysis.incidents[0].lead.kind, "Look at the steps named, if the difference matters.")
    return "No action is needed."


_ADVICE = {
    "not_finite": "Find the first step whose loss is not a number, and look at its batch and gradient norm.",
    "no_progress": "Check that gradients reach the weights, the learning rate, and that inputs fit their labels.",
    "unscaled_start": "Scale inputs and targets, or draw the first weights smaller.",
    "overfitting_gap": ("Stop at the best validation point, or regularise more."),
    "divergence": "Lower the learning rate or clip gradients, and go on from the best checkpoint.",
}


def questions(analysis: Analysis) -> list[tuple[str, str]]:
    """Return questions for whoever knows the experiment, with their priority, the most pressing first."""
    found: list[tuple[str, str]] = []
    diagnosis = analysis.diagnosis
    if diagnosis is not None:
        low, high = diagnosis.onset.interval
        first = diagnosis.first
        asked = {
            "data": "Which data came into the training there: a new shard, another augmentation, items made anew?",
            "optimisation": "What changed the optimiser there: schedule, warm restart, clipping, mixed precision?",
            "evaluation": "What changed the evaluation there: its set, a filter, the order of items or of labels?",
            "system": "Was the process restarted there, from which checkpoint, and what did that hold?",
            "unknown": "What changed there that was not logged?",
        }
        found.append(("high", f"Steps {low:g} to {high:g}: {asked[first.family]}"))
        second = next(one for one in diagnosis.hypotheses if one is not first)
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
