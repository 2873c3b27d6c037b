"""What only the whole run shows: a rhythm, a validation metric that leaves the training behind, a loss that stays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from exaid_evals.anomalies.base import Anomaly, OscillationSettings, OverfittingSettings, Severity
from exaid_evals.anomalies.change_point import is_rival
from exaid_evals.anomalies.robust import difference_sigma, rhythm, rolling_around, worsening
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction, counterpart, is_validation, metric_named, split_of, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AROUND = 40
"""Points whose median is a level."""
_CHANCE, _LOW, _LITTLE = 0.01, 0.1, 0.03
_USUAL_CLASSES = (50, 100, 200, 365, 1000, 21841, 32000, 32768, 50257, 50304, 100277, 128256)
"""Of image sets and vocabularies; where no accuracy is logged, any number at all would be met by chance."""
_CLEAR_RISE, _ABLE = 0.15, 0.6
_INSANE = 1e9
"""No loss that anybody minimises on purpose stays above this."""
_UNSCALED, _UNSCALED_RATIO = 1e8, 1e4
_FEWEST, _THROWN = 10, 3.0
"""Values a loss begins with; times the first of them, which only steps far too large make of an untrained model's."""


class Oscillation:
    """Looks at the autocorrelation of the second half, its trend taken away.

    A swing has a period at which the series resembles itself, and half a period at which it is its opposite; noise has
    neither. White noise of n points passes ±2/√n in one of twenty lags, which is far below the threshold.
    """

    name = "oscillation"

    def __init__(self, settings: OscillationSettings | None = None) -> None:
        self._settings = settings or OscillationSettings()

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the oscillation of the second half, if there is one."""
        import numpy as np

        steps, values = series.clean.steps, series.clean.values
        half = len(values) // 2
        if direction is None or len(values) - half < self._settings.min_points:
            return []
        last = values[half:]
        trend = np.polyval(np.polyfit(np.arange(len(last)), last, 2), np.arange(len(last)))
        rest = last - trend
        median, spread = rolling_around(rest, len(rest))
        # A single drop is not a swing: what stands out is cut before the rhythm is looked for.
        rest = np.clip(rest, median - 3 * spread, median + 3 * spread)
        amplitude = float(np.sqrt(2) * rest.std())
        level = float(abs(np.median(last)))
        if amplitude < self._settings.min_amplitude * level:
            return []
        period, strength = rhythm(rest, self._settings.min_autocorrelation)
        if period is None:
            return []
        return [
            Anomaly(
                series.metric,
                "oscillation",
                float(steps[half]),
                amplitude,
                "medium" if amplitude >= 3 * self._settings.min_amplitude * level else "low",
                self.name,
                {
                    "period_points": period,
                    "autocorrelation": strength,
                    "threshold": self._settings.min_autocorrelation,
                },
                end_step=float(steps[-1]),
            )
        ]


_LONG_BEFORE = 5


class OverfittingGap:
    """Compares the end of a validation metric with its best, while the training metric beside it improves.

    It is overfitting where the validation metric has lost `min_rise` of its best, slowly (the medians of the thirds
    since the best get worse one after the other; of fewer than eight values, each is worse than the one before), and
    the training metric has improved since. From a quarter of the best it is high, or from 15 % where the training loss
    has fallen to a quarter since; from all of it critical.
    """

    name = "overfitting_gap"

    def __init__(self, settings: OverfittingSettings | None = None) -> None:
        self._settings = settings or OverfittingSettings()

    def find_in(self, series: Mapping[str, Series], directions: Mapping[str, Direction]) -> Sequence[Anomaly]:
        """Return a gap for each pair that has one."""
        found = []
        # A summary at the end, such as a trainer's `train_loss`, is not a course.
        long = {name: one for name, one in series.items() if len(one.clean.steps) >= self._settings.min_points}
        for metric, one in long.items():
            beside = counterpart(metric, long) if is_validation(metric) else None
            direction = directions.get(metric)
            if beside is not None and direction is not None:
                found += self._pair(one, series[beside], direction)
        return sorted(found, key=lambda anomaly: anomaly.step)

    def _pair(self, validation: Series, training: Series, direction: Direction) -> list[Anomaly]:
        import numpy as np

        steps, values = validation.clean.steps, worsening(validation.clean.values, direction)
        if min(len(values), len(training.clean.steps)) < self._settings.min_points:
            return []
        best = int(np.argmin(values))
        since = values[best:]
        if len(since) < 3:
            return []
        thirds = [float(np.median(part)) for part in np.array_split(since, 3)]
        few = len(since) < 6
        end = float(since[-1]) if few else thirds[2]
        lost = end - float(values[best])
        relative = lost / max(abs(float(values[best])), 1e-12)
        noise = difference_sigma(values)
        rising = bool((np.diff(since) > 0).all()) if few else thirds[0] < thirds[2] and thirds[1] < thirds[2] + noise
        if relative < self._settings.min_rise or not rising:
            return []
        gained = _gained_since(training, float(steps[best]), direction)
        if gained <= 0:
            return []
        # A step down is a drop and no overfitting: most of the loss must not fall on one point, unless the training
        # gained most there too, as it does in the first epochs.
        at = best + int(np.argmax(np.diff(since)))
        sudden = float(values[at + 1] - values[at]) > 0.5 * lost + 2 * noise
        quick = _between(training, float(steps[at]), float(steps[at + 1]), direction) >= 0.5 * gained
        if not few and ((sudden and not quick) or lost < 4 * noise):
            return []
        if few and len(values) >= _LONG_BEFORE * len(since) and lost < 5 * noise:
            return []  # the least of many values and one of the next few lie so far apart by their noise
        sign = 1.0 if direction == "lower" else -1.0
        by_heart = direction == "lower" and relative >= _CLEAR_RISE and _shrunk_since(training, float(steps[best]))
        severity: Severity = "critical" if relative >= 1 else "high" if relative >= 0.25 or by_heart else "medium"
        evidence = {
            "best": sign * float(values[best]),
            "end": sign * end,
            "relative": relative,
            "training_metric": training.metric,
            "training_gained_since": gained,
        }
        return [
            Anomaly(
                validation.metric,
                "overfitting_gap",
                float(steps[best]),
                sign * lost,
                severity,
                self.name,
                evidence,
                end_step=float(steps[-1]),
            )
        ]


def _gained_since(training: Series, step: float, direction: Direction) -> float:
    """Return by how much a training metric improved since a step, beyond its noise; 0 where it did not."""
    import numpy as np

    own = worsening(training.clean.values, direction)
    n = max(1, min(5, len(own) // 4))
    at_best = own[training.clean.steps <= step][-n:]
    if not len(at_best):
        return 0.0
    gained = float(np.median(at_best)) - float(np.median(own[-n:]))
    return gained if gained > difference_sigma(own) / math.sqrt(n) else 0.0


def _between(training: Series, low: float, high: float, direction: Direction) -> float:
    """Return by how much a training metric improved from its last value up to one step to that up to another."""
    own = worsening(training.clean.values, direction)
    ends = [own[training.clean.steps <= step][-1:] for step in (low, high)]
    return float(ends[0][0] - ends[1][0]) if all(map(len, ends)) else 0.0


def _shrunk_since(training: Series, step: float) -> bool:
    """Return whether a loss fell to a quarter and less since a step: the training is learnt by heart."""
    import numpy as np

    values = training.clean.values
    n = max(1, min(5, len(values) // 4))
    at_best = values[training.clean.steps <= step][-n:]
    return bool(len(at_best)) and 0 <= float(np.median(values[-n:])) <= float(np.median(at_best)) / 4


class NoProgress:
    """Finds a loss that never falls: from its first values to its last it gains less than a hundredth of its level.

    It must be nearly still (its noise is below a hundredth too), or stand at the logarithm of a small number of
    classes, where a classifier stands that guesses, or beside accuracies that never leave 1/k; a run that goes on from
    a good checkpoint is none of these. A loss that ends above 10⁹ is stuck whatever it does, and so is one that ends at
    three times its first value and was never below it. One of several terms, such as `dfl_loss`, may be still while
    more of the others fall by a tenth: that model learns.
    """

    name = "no_progress"

    def find_in(self, series: Mapping[str, Series], directions: Mapping[str, Direction]) -> Sequence[Anomaly]:
        """Return the losses without progress; of training and validation loss, that of the training."""
        found = [
            one
            for metric, part in series.items()
            if directions.get(metric) == "lower" and (one := self._of(part, series)) is not None
        ]
        trained = [one for one in found if not is_validation(one.metric)]
        found = trained or found
        n_falling = sum(_falls(part) for metric, part in series.items() if not is_validation(metric))
        if n_falling <= len(found):
            return found
        return [one for one in found if one.evidence["last"] >= _INSANE or not _is_term(one.metric)]

    def _of(self, part: Series, series: Mapping[str, Series]) -> Anomaly | None:
        import numpy as np

        steps, values = part.clean.steps, part.clean.values
        if len(values) < 10 or not _is_loss(part.metric):
            return None
        first, last, n = _ends(values)
        level, noise = abs(first) or 1.0, difference_sigma(values)
        error = 3 * noise / math.sqrt(n)
        guesses = noise < 0.05 * level and (_at_chance(last, error, series) or _all_low(series))
        gained = first - last if guesses else abs(first - last)
        flat = gained < max(0.01 * level, error * guesses) and float(values.min()) > last - max(0.02 * level, 6 * noise)
        still = noise < 0.01 * level and float(np.ptp(values)) < 0.1 * level
        never = min(first, float(values[0])) - last <= _LITTLE * level and _only_guesses(last, series, part.metric)
        above = values[0] > 0 and last >= _THROWN * values[0] and float(values[1:].min()) >= values[0]
        lost = above and not _is_term(part.metric)  # a term may begin near 0
        if last < _INSANE and not (never or lost) and not (flat and first > 0 and (still or guesses)):
            return None
        evidence = {"first": first, "last": last, "noise": noise, "at_chance": guesses or never}
        worst = int(np.argmax(values[: max(_FEWEST, len(values) // 10)]))
        interval = None
        if values[worst] >= _THROWN * values[0] > 0 and not _is_able(series):
            evidence["times_untrained"] = float(values[worst] / values[0])
            interval = (float(steps[worst - 1]), float(steps[worst]))
        able = last < _INSANE and not (guesses or never) and _is_able(series)
        degree: Severity = "medium" if able else "high"
        start, end = float(steps[0]), float(steps[-1])
        return Anomaly(part.metric, "no_progress", start, None, degree, self.name, evidence, interval, end_step=end)


def _is_able(series: Mapping[str, Series]) -> bool:
    """Return whether an accuracy or the like is good from the first value to the last: the model had learnt before."""
    import numpy as np

    kinds = ("accuracy", "average_precision", "f1", "recall", "precision", "auc")
    found = [one.clean.values for name, one in series.items() if (entry := metric_named(name)) and entry.name in kinds]
    scaled = [one / (100.0 if float(one.max()) > 1.5 else 1.0) for one in found if len(one)]
    return any(float(np.min(one)) >= _ABLE for one in scaled)


def _is_loss(metric: str) -> bool:
    entry = metric_named(metric)
    return entry is not None and entry.name in ("loss", "cross_entropy", "negative_log_likelihood")


def _is_term(metric: str) -> bool:
    """Return whether a name is that of one of several losses: words stand beside `loss` that name no part of data."""
    return "loss" in words_of(metric) and len([one for one in words_of(metric) if split_of(one) is None]) > 1


def _falls(part: Series) -> bool:
    """Return whether a series is a loss that loses a tenth and more from its first values to its last."""
    if len(part.clean.values) < 10 or not _is_loss(part.metric):
        return False
    first, last, _ = _ends(part.clean.values)
    return 0 < last < 0.9 * first


def _ends(values: NDArray[np.float64]) -> tuple[float, float, int]:
    """Return the medians of the first and of the last tenth of values, three at least, and how many these are."""
    import numpy as np

    n = max(3, len(values) // 10)
    return float(np.median(values[:n])), float(np.median(values[-n:])), n


class UnscaledStart:
    """Finds a loss that begins above 10⁸ and ten thousand times above where it ends.

    Inputs, targets or weights are not scaled, and the training had to undo that first. A loss of squares of large
    targets may begin at 10⁶, and is left alone.
    """

    name = "unscaled_start"

    def find_in(self, series: Mapping[str, Series], directions: Mapping[str, Direction]) -> Sequence[Anomaly]:
        """Return the losses, of training and validation loss that of the training."""
        found = [
            one
            for metric, part in series.items()
            if directions.get(metric) == "lower" and (one := self._of(part)) is not None
        ]
        trained = [one for one in found if not is_validation(one.metric)]
        return trained or found

    def _of(self, part: Series) -> Anomaly | None:
        import numpy as np

        steps, values = part.clean.steps, part.clean.values
        if len(values) < 5:
            return None
        first, last = float(values[0]), float(np.median(values[-max(3, len(values) // 5) :]))
        if first < _UNSCALED or first < _UNSCALED_RATIO * abs(last):
            return None
        evidence = {"before": first, "after": last}
        return Anomaly(part.metric, "unscaled_start", float(steps[0]), last - first, "high", self.name, evidence)


def lost_balances(found: Sequence[Anomaly], series: Mapping[str, Series]) -> list[Anomaly]:
    """Return the anomalies, high where a discriminator's loss fell for good while the generator's rose for good.

    Each of an adversarial pair is right to gain on the other for a while; one that has won teaches it nothing more
    (Goodfellow, 2016). Both must have been in balance for a tenth of the run, fall to a quarter and double.
    """
    import numpy as np

    entries = {name: metric_named(name) for name in series}
    rivals = [series[name].clean for name, entry in entries.items() if entry and entry.name == "generator_loss"]
    out = []
    for one in found:
        changed = one.kind == "change_point" and one.evidence["lasting"] and is_rival(one.metric)
        after = float(np.median(series[one.metric].clean.values[-_AROUND:])) if changed else math.nan
        for rival in rivals if 0 <= after <= one.evidence.get("before", 0.0) / 4 else ():
            ahead, since = rival.values[rival.steps < one.step], rival.values[rival.steps >= one.step]
            if len(ahead) >= 10 and len(ahead) >= len(rival.values) / 10 and len(since) >= 10:
                usual = float(np.median(ahead[-_AROUND:]))
                if 0 < 2 * usual <= min(float(np.median(since[-_AROUND:])), float(np.median(since))):
                    one = replace(one, severity="high")
        out.append(one)
    return out


def _at_chance(loss: float, error: float, series: Mapping[str, Series]) -> bool:
    """Return whether a loss is that of guessing among some classes: ln k, with an accuracy of 1/k if it is logged."""
    import numpy as np

    accuracies = [
        float(np.median(one.clean.values))
        for name, one in series.items()
        if (entry := metric_named(name)) is not None and entry.name == "accuracy" and len(one.clean.values)
    ]
    return any(
        abs(loss - math.log(classes)) < max(_CHANCE * loss, error)
        and (not accuracies or any(abs(value * classes - 1) < 0.25 for value in accuracies))
        for classes in (range(2, 1001) if accuracies else (*range(2, 21), *_USUAL_CLASSES))
    )


def _only_guesses(loss: float, series: Mapping[str, Series], metric: str) -> bool:
    """Return whether every accuracy stays at 1/k, beside a loss of about ln k, however noisy that is, and none falls.

    Steps that are far too large throw a classifier to and fro without its learning anything.
    """
    import numpy as np

    found = [
        (
            [float(np.median(part)) for part in np.array_split(one.clean.values, 10)],
            4 * difference_sigma(one.clean.values) / math.sqrt(len(one.clean.values) / 10),
        )
        for name, one in series.items()
        if (entry := metric_named(name)) and entry.name == "accuracy" and len(one.clean.values) >= 10
    ]
    for medians, error in found:
        usual = float(np.median(medians))
        k = round(1 / usual) if usual > 0 else 0
        guessing = k >= 2 and max(medians) <= usual + max(0.3 * usual, error) and abs(usual * k - 1) < 0.15
        if not guessing or not 0.8 * math.log(k) < loss < 1.5 * math.log(k):
            return False
    return bool(found) and not any(_falls(part) for name, part in series.items() if name != metric)


def _all_low(series: Mapping[str, Series]) -> bool:
    """Return whether an accuracy, recall or the like is logged five times and more, and none is ever above a tenth."""
    kinds = ("accuracy", "average_precision", "f1", "recall", "precision")
    found = [one.clean.values for name, one in series.items() if (entry := metric_named(name)) and entry.name in kinds]
    return max(map(len, found), default=0) >= 5 and all(
        one.min() >= 0 and one.max() <= _LOW for one in found if len(one)
    )
