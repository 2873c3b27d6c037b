"""Reported metrics, held against the predictions that they are of and completed from them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from exaid_evals.runs.files import classification
from exaid_evals.runs.files.classification import as_records, in_order
from exaid_evals.runs.files.predictions import Counted
from exaid_evals.runs.files.reported import AUC, KAPPA, PER_CLASS, STANDARD, Reported, is_share

TOLERANCE = 1e-3
"""Reports round to three decimals or more; what differs by more than this is not rounding."""
TOLERANCE_OF_TWO = 5e-3
"""The same where a report has two decimals throughout, as tables do."""
_ABOUT = 1e-9
_WEIGHTS = (("quadratic", re.compile("quadratic|qwk", re.I)), ("linear", re.compile("linear", re.I)))
"""What kappas are called by their weights."""


@dataclass
class Checked:
    """Reported metrics, held against the predictions and completed from them.

    Attributes:
        metrics, per_class: as reported, and where nothing is reported as computed.
        computed: the metrics that were computed.
        kappa_weights: `quadratic`, `linear` or `none`, as the value is; None where two classes make them all the same,
            or nothing shows which.
        labels: class of the predictions → the name that the report has for it, where the two number them differently.
    """

    counted: Counted
    reported: Reported
    metrics: dict[str, float | None] = field(default_factory=dict)
    per_class: dict[str, dict[str, float | None]] = field(default_factory=dict)
    computed: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    kappa_weights: str | None = None
    warnings: list[str] = field(default_factory=list)
    _tolerance: float = TOLERANCE

    def complete(self) -> None:
        """Check what is reported and compute what is not."""
        self.warnings += self.reported.warnings
        self._tolerance = _tolerance(self.reported)
        self.metrics = dict(self.reported.metrics)
        counts = self.counted.counts
        lacking = [name for name in STANDARD if self.metrics.get(name) is None]
        known = classification.from_counts(counts)
        if not self._ordered:
            known[KAPPA] = None
        if KAPPA not in lacking:
            known[KAPPA] = self._as_weighted(known[KAPPA])
        known[AUC] = None if AUC in lacking else self.counted.area_ovr(scikit_learn=False)
        for name in STANDARD:
            if name not in lacking:
                self.metrics[name] = self._held(name, self.metrics[name], known[name])
        if lacking:
            self._compute(lacking)
            if KAPPA in lacking and self.metrics[KAPPA] is not None and len(counts) > 2:
                self.kappa_weights = "quadratic"
        self._classes()
        self._shares()

    @property
    def _ordered(self) -> bool:
        """Whether the classes have an order that quadratic weights may go by; two have it either way round."""
        return len(self.counted.classes) < 3 or all(_is_number(name) for name in self.counted.classes)

    def _as_weighted(self, quadratic: float | None) -> float | None:
        """Return what the predictions make of kappa, with the weights that the report's value has."""
        given = self.metrics[KAPPA] or 0.0
        if len(self.counted.classes) < 3:
            return quadratic
        written = self.reported.written.get(KAPPA, "")
        named = next((kind for kind, words in _WEIGHTS if words.search(written)), None)
        found = {"quadratic": quadratic}
        for kind in ("quadratic", "none", *(["linear"] if self._ordered else [])):
            if kind not in found:
                found[kind] = classification.kappa_with(self.counted.counts, kind)
            made = found[kind]
            share = given / 100 if abs(given) > 1 + TOLERANCE else given
            if made is not None and abs(share - made) <= self._tolerance:
                self.kappa_weights = kind
                if named is not None and named != kind:
                    what = "without weights" if kind == "none" else f"with {kind} weights"
                    self.warnings.append(f"{self.reported.written[KAPPA]} is the kappa {what}: call it so")
                return made
        self.kappa_weights = named
        return found.get(named or "quadratic", quadratic)

    def _compute(self, lacking: list[str]) -> None:
        skipped = {AUC} if self._ordered else {AUC, KAPPA}
        of_counts = [name for name in lacking if name not in skipped]
        found = classification.by_scikit_learn(self.counted.counts, of_counts) if of_counts else {}
        if KAPPA in lacking and not self._ordered:
            found[KAPPA] = None
            self.warnings.append(
                f"kappa is not computed: its quadratic weights need the order of the classes, and "
                f"{', '.join(self.counted.classes)[:80]} are not numbers; report kappa, or number the labels in order"
            )
        if AUC in lacking:
            found[AUC] = self.counted.area_ovr(scikit_learn=True)
        self.metrics |= found
        self.computed += [name for name, value in found.items() if value is not None]

    def _held(self, name: str, given: float | None, known: float | None) -> float | None:
        """Return the metric as reported, in shares of one; say where the predictions make another.

        What cannot be a share is never taken as one: the predictions' value stands instead.
        """
        if given is None or (known is None and abs(given) <= 1 + TOLERANCE):
            return given
        if known is not None:
            if abs(given - known) <= self._tolerance:
                return given
            if abs(given / 100 - known) <= _tolerance_of_percent(given):
                self.warnings.append(f"{name} = {given:g} is a percentage, and is read as {given / 100:g}")
                return given / 100
        if abs(given) > 1 + TOLERANCE:
            made = "nothing to hold it against" if known is None else f"{known:.4f}, which is taken instead"
            self.warnings.append(
                f"{name} is reported as {given:g}, which is not a share of one, and the predictions make {made}: look "
                "whether both are of the same epoch and validation set, and report shares"
            )
            if known is not None:
                self.computed.append(name)
            return known
        self.warnings.append(
            f"{name} is reported as {given:.4f}, and the predictions make {known:.4f}: "
            "look whether both are of the same epoch and validation set"
        )
        return given

    def _shares(self) -> None:
        """Leave out what is a share by its name and not by its value, where no prediction says what it should be."""
        for name, value in self.metrics.items():
            if name not in STANDARD and is_share(name) and value is not None and abs(value) > 1 + TOLERANCE:
                self.warnings.append(
                    f"{name} is reported as {value:g}, which is not a share of one, and is left out: report shares"
                )
                self.metrics[name] = None

    def _classes(self) -> None:
        classes = self.counted.classes
        known = as_records(classes, classification.per_class_from_counts(self.counted.counts))
        given = _by_class(self.reported.per_class, classes)
        if given is None and (labels := self._shifted(known)):
            self.labels = labels
            given = {of: self.reported.per_class[name] for of, name in labels.items()}
            shown = ", ".join(f"{of} is {name}" for of, name in labels.items())
            self.warnings.append(f"its classes are numbered otherwise than the predictions': {shown[:120]}")
        if given is None:
            names = ", ".join(sorted(self.reported.per_class))[:80]
            self.warnings.append(f"metrics of classes {names} for predictions of {', '.join(classes)[:80]}")
            self.per_class = {of: dict(values) for of, values in self.reported.per_class.items()}
            return
        if any(given.get(of, {}).get(name) is None for of in classes for name in PER_CLASS):
            known_by = as_records(classes, classification.per_class_by_scikit_learn(self.counted.counts))
            if not self.reported.per_class:
                self.computed.append("per_class")
        else:
            known_by = known
        for of in classes:
            self.per_class[of] = dict(known_by[of])  # under the report's names in the end
            for name, value in given.get(of, {}).items():
                if value is None:
                    continue
                right = known[of][name]
                if abs(value) > 1 + TOLERANCE:
                    is_percent = right is not None and abs(value / 100 - right) <= _tolerance_of_percent(value)
                    what = (
                        "is a percentage, and is read as" if is_percent else "is not a share of one, and is replaced by"
                    )
                    self.per_class[of][name] = value / 100 if is_percent else right
                    shown = "undefined" if right is None else f"{right:.4f}"
                    self.warnings.append(f"{name} of class {of} = {value:g} {what} {shown}")
                    continue
                if right is not None and abs(value - right) > self._tolerance:
                    self.warnings.append(
                        f"{name} of class {of} is reported as {value:.4f}, and the predictions make {right:.4f}"
                    )
                self.per_class[of][name] = value
        if self.labels:
            self.per_class = {self.labels[of]: values for of, values in self.per_class.items()}

    def _shifted(self, known: dict[str, dict[str, float | None]]) -> dict[str, str]:
        """Return class of the predictions → name in the report, where both are numbers in a row and their values agree.

        Scripts number classes from 0 for the loss and from 1 for people. Values that disagree say that it is otherwise,
        and then nothing is matched.
        """
        classes, names = self.counted.classes, in_order(self.reported.per_class)
        if len(classes) != len(names) or not (_in_a_row(classes) and _in_a_row(names)):
            return {}
        labels = dict(zip(classes, names, strict=True))
        agree = [
            abs(value - right) <= self._tolerance
            for of, name in labels.items()
            for metric, value in self.reported.per_class[name].items()
            if value is not None and (right := known[of].get(metric)) is not None
        ]
        return labels if agree and all(agree) else {}


def _in_a_row(labels: list[str]) -> bool:
    """Return whether labels are whole numbers without a gap."""
    if not all(label.isdecimal() for label in labels):
        return False
    return [int(label) for label in labels] == [*range(int(labels[0]), int(labels[0]) + len(labels))]


def _tolerance(reported: Reported) -> float:
    """Return by how much a reported number may differ from what the predictions make: half of its last decimal.

    How many decimals a report has shows in all its numbers together, for 0.70 is read as 0.7. It is held to two
    decimals at least, and no closer than to three: sums in other orders and other types of float differ too.
    """
    classes = reported.per_class.values()
    numbers = [*(reported.metrics.get(name) for name in STANDARD), *(one for of in classes for one in of.values())]
    fine = any(value is not None and abs(value) <= 1 and abs(round(value, 2) - value) > _ABOUT for value in numbers)
    return TOLERANCE if fine else TOLERANCE_OF_TWO + _ABOUT


def _tolerance_of_percent(value: float) -> float:
    """Return the same for a percentage: 73 stands for two decimals of a share, 73.3 for three."""
    return TOLERANCE_OF_TWO + _ABOUT if float(value).is_integer() else TOLERANCE


def _is_number(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False


def _by_class(
    given: dict[str, dict[str, float | None]], classes: list[str]
) -> dict[str, dict[str, float | None]] | None:
    """Return reported metrics under the predictions' class names; None where they are of other classes.

    Reports number classes in their order where they do not name them.
    """
    if set(given) <= set(classes):
        return given
    bare = {of.removeprefix("class_").removeprefix("class ").strip(): values for of, values in given.items()}
    if set(bare) <= set(classes):
        return bare
    if set(bare) == {str(index) for index in range(len(classes))}:
        return {name: bare[str(index)] for index, name in enumerate(classes)}
    return None
