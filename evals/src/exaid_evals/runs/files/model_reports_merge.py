"""Bringing the two halves of a model report together: one fills what the other lacks, and they must agree."""

from __future__ import annotations

from exaid_evals.runs.files.model_reports_numbers import ATTEMPTS, DURATIONS, EXECUTION, PER_CENT, Report

# The JSON may itself be rounded; beyond this it says something else than the confusion matrix.
_ACCURACY_TOLERANCE = 0.005
# A call's time lies within its attempt's; both in one unit cannot be further apart than this.
_UNIT_FACTOR = 100.0


def merge(metrics: Report | None, text: Report | None) -> Report:
    """Return one report: the JSON's numbers, the text's where the JSON has none, and warnings where they disagree."""
    if metrics is None or text is None:
        report = metrics or text or Report()
    else:
        report = metrics
        report.warnings = [one for one in report.warnings if not _is_settled(one, metrics, text)]
        report.warnings += [*text.warnings, *_disagreements(metrics, text)]
        report.model = metrics.model or text.model
        report.prompt_type = metrics.prompt_type or text.prompt_type
        report.accuracy = text.accuracy if metrics.accuracy is None else metrics.accuracy
        report.auc_roc = text.auc_roc if metrics.auc_roc is None else metrics.auc_roc
        report.confusion = metrics.confusion or text.confusion
        report.attempts = text.attempts | {key: value for key, value in metrics.attempts.items() if value is not None}
        report.execution_s = text.execution_s | {
            key: value for key, value in metrics.execution_s.items() if value is not None
        }
    report.warnings += _inner_contradictions(report)
    return report


def metrics_of(report: Report) -> dict[str, float | None]:
    """Return every number of a report by the name of its column; None where it is undefined or unknown."""
    total = report.attempts.get("total")
    rates = {
        name: None if not total or (count := report.attempts.get(key)) is None or count > total else count / total
        for name, key in (("success_rate", "successful"), ("failure_rate", "failed"), ("timeout_rate", "timeout"))
    }
    confusion = report.confusion.rates() if report.confusion else {}
    derived = ("precision", "recall", "specificity", "f1", "balanced_accuracy")
    accuracy = report.accuracy
    if accuracy is None and report.confusion is not None:
        accuracy = report.confusion.accuracy
    return {
        "accuracy": accuracy,
        "auc_roc": report.auc_roc,
        **{name: confusion.get(name) for name in derived},
        **rates,
        **{f"execution_time_{name}_s": report.execution_s.get(name) for name in EXECUTION},
        **{
            f"{name}_{statistic}_ns": getattr(report.durations[name], statistic) if name in report.durations else None
            for name in DURATIONS
            for statistic in EXECUTION
        },
    }


def _is_settled(warning: str, metrics: Report, text: Report) -> bool:
    """Tell whether a warning says that a share was read as per cent, and the text, which has the sign, agrees."""
    if not warning.endswith(PER_CENT) or metrics.accuracy is None or text.accuracy is None:
        return False
    return abs(metrics.accuracy - text.accuracy) <= text.digits["accuracy"] + 1e-9


def _disagreements(metrics: Report, text: Report) -> list[str]:
    found = []
    for name in ("accuracy", "auc_roc"):
        ours, theirs = getattr(metrics, name), getattr(text, name)
        if ours is not None and theirs is not None and abs(ours - theirs) > text.digits[name] + 1e-9:
            found.append(f"{name} is {ours:.6g} in the JSON and {theirs:.6g} in the text; the JSON's is kept")
    for name in EXECUTION:
        ours, theirs = metrics.execution_s.get(name), text.execution_s.get(name)
        if ours is not None and theirs is not None and abs(ours - theirs) > text.digits[f"execution_{name}"] + 1e-9:
            found.append(f"{name} execution time is {ours:.6g} s in the JSON and {theirs:.6g} s in the text")
    for name in ATTEMPTS:
        ours, theirs = metrics.attempts.get(name), text.attempts.get(name)
        if ours is not None and theirs is not None and ours != theirs:
            found.append(f"{name} attempts are {ours} in the JSON and {theirs} in the text")
    if metrics.confusion and text.confusion and metrics.confusion != text.confusion:
        found.append("the confusion matrices of JSON and text differ; the JSON's is kept")
    for name in ("model", "prompt_type"):
        ours, theirs = getattr(metrics, name), getattr(text, name)
        if ours and theirs and ours.lower() != theirs.lower():
            found.append(f"{name} is {ours[:60]!r} in the JSON and {theirs[:60]!r} in the text: are they one report?")
    return found


def _inner_contradictions(report: Report) -> list[str]:
    found = []
    matrix, accuracy = report.confusion, report.accuracy
    if matrix is not None and accuracy is not None and matrix.accuracy is not None:
        rounding = max(_ACCURACY_TOLERANCE, report.digits.get("accuracy", 0.0))
        if abs(matrix.accuracy - accuracy) > rounding + 1e-9:
            found.append(f"accuracy is {accuracy:.6g}, but {matrix.accuracy:.6g} follows from the confusion matrix")
    total, successful, failed, timeout = (report.attempts.get(name) for name in ATTEMPTS)
    known = total is not None and successful is not None and failed is not None
    ended = (successful or 0) + (failed or 0)
    # Some scripts count a timeout among the failures, others beside them.
    if known and total not in (ended, ended + (timeout or 0)):
        also = "" if timeout is None else f", {timeout} timed out"
        found.append(f"of {total} attempts {successful} succeeded and {failed} failed{also}, which does not add up")
    for name in ATTEMPTS[1:]:
        count = report.attempts.get(name)
        if total is not None and count is not None and count > total:
            found.append(f"{count} of {total} attempts are said to be {name}, so that their rate is left out")
    mean_s = report.execution_s.get("mean")
    call = report.durations.get("total_duration")
    ratio = mean_s / (call.mean * 1e-9) if mean_s and call and call.mean else 1.0
    if call and not 1 / _UNIT_FACTOR < ratio < _UNIT_FACTOR:
        found.append(f"an attempt took {mean_s:.4g} s and a call {call.mean:.4g} ns: one of them is in another unit")
    return found
