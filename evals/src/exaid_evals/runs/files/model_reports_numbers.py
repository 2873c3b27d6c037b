"""The numbers of a model report, whichever of the two files they stand in, and of both together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, stdev

# The order of columns. ollama gives every one of them in nanoseconds.
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
ATTEMPTS = ("total", "successful", "failed", "timeout")
EXECUTION = ("mean", "median", "sd")
PER_CENT = "was read as per cent"
"""How the warning about a share above 1 ends."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration over calls, in nanoseconds.

    Attributes:
        mean, median: None where unknown.
        sd: sample form (n − 1); None for fewer than two calls.
        n: calls; None where the file has averages alone.
    """

    mean: float | None
    median: float | None = None
    sd: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of a classification into yes and no."""

    tp: int
    tn: int
    fp: int
    fn: int

    @property
    def n(self) -> int:
        """Return the number of classified items."""
        return self.tp + self.tn + self.fp + self.fn

    def rates(self) -> dict[str, float | None]:
        """Return what follows from the counts; None where a rate divides by nothing.

        precision tp/(tp+fp), recall tp/(tp+fn), specificity tn/(tn+fp), f1 2tp/(2tp+fp+fn), balanced accuracy the mean
        of recall and specificity.
        """
        recall, specificity = _share(self.tp, self.tp + self.fn), _share(self.tn, self.tn + self.fp)
        both = None if recall is None or specificity is None else (recall + specificity) / 2
        return {
            "precision": _share(self.tp, self.tp + self.fp),
            "recall": recall,
            "specificity": specificity,
            "f1": _share(2 * self.tp, 2 * self.tp + self.fp + self.fn),
            "balanced_accuracy": both,
        }

    @property
    def accuracy(self) -> float | None:
        """Return the share of items that were classified rightly."""
        return _share(self.tp + self.tn, self.n)


@dataclass(slots=True)
class Report:
    """What one file says; None is what it does not say.

    Attributes:
        model: as the file names it.
        prompt_type: of the prompt.
        attempts: `ATTEMPTS` → count.
        execution_s: mean, median and standard deviation of the time of an attempt, in seconds.
        accuracy: share between 0 and 1.
        auc_roc: area under the curve.
        confusion: the confusion matrix.
        durations: `DURATIONS` → over calls.
        digits: name of a number → decimals with which it is written; absent where it is written in full.
        warnings: what is odd, one clause each.
    """

    model: str | None = None
    prompt_type: str | None = None
    attempts: dict[str, int | None] = field(default_factory=dict)
    execution_s: dict[str, float | None] = field(default_factory=dict)
    accuracy: float | None = None
    auc_roc: float | None = None
    confusion: Confusion | None = None
    durations: dict[str, Duration] = field(default_factory=dict)
    digits: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def over_calls(values: Sequence[float]) -> Duration:
    """Summarise the calls' durations."""
    if not values:
        return Duration(None, n=0)
    return Duration(fmean(values), median(values), stdev(values) if len(values) > 1 else None, len(values))


def share_of(written: float, name: str, warnings: list[str]) -> float | None:
    """Return a share from a number that may be a percentage; None, with a warning, for what is neither."""
    if 0 <= written <= 1:
        return written
    if 1 < written <= 100:
        warnings.append(f"{name} {written:g} {PER_CENT}")
        return written / 100
    warnings.append(f"{name} {written:g} is not a share and was left out")
    return None


def area_of(written: float, name: str, warnings: list[str]) -> float | None:
    """Return an area under a curve; None, with a warning, outside 0 to 1, since nobody writes areas per cent."""
    if 0 <= written <= 1:
        return written
    warnings.append(f"{name} {written:g} lies outside 0 to 1: it is not an area, and was left out")
    return None


def number_in(value: object) -> float | None:
    """Return a number; None for anything else, NaN and truth values included.

    >>> number_in(3), number_in("0.5"), number_in(True), number_in(float("nan")), number_in("fast")
    (3.0, 0.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def confusion_of(counts: Mapping[str, object], warnings: list[str]) -> Confusion | None:
    """Return a matrix; None, with a warning, where a count is missing, negative or no whole number."""
    found: dict[str, int] = {}
    for name in ("tp", "tn", "fp", "fn"):
        number = number_in(counts.get(name))
        if number is None or number < 0 or number != int(number):
            shown = "is missing" if counts.get(name) is None else f"is {str(counts[name])[:20]!r}, which is not a count"
            warnings.append(f"confusion_matrix: {name} {shown}, so that the matrix was left out")
            return None
        found[name] = int(number)
    return Confusion(**found)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


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
    """Return whether a warning says that a share was read as per cent, and the text, which has the sign, agrees."""
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
