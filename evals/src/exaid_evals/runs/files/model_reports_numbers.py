"""The numbers of a model report, whichever of the two files they stand in."""

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
    warnings.append(f"{name} {written:g} is no share and was left out")
    return None


def area_of(written: float, name: str, warnings: list[str]) -> float | None:
    """Return an area under a curve; None, with a warning, outside 0 to 1, since nobody writes areas per cent."""
    if 0 <= written <= 1:
        return written
    warnings.append(f"{name} {written:g} lies outside 0 to 1: it is not an area, and was left out")
    return None


def finite(value: object) -> float | None:
    """Return a number; None for anything else, NaN and truth values included.

    >>> finite(3), finite("0.5"), finite(True), finite(float("nan")), finite("fast")
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
        number = finite(counts.get(name))
        if number is None or number < 0 or number != int(number):
            shown = "is missing" if counts.get(name) is None else f"is {str(counts[name])[:20]!r}, which is not a count"
            warnings.append(f"confusion_matrix: {name} {shown}, so that the matrix was left out")
            return None
        found[name] = int(number)
    return Confusion(**found)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
