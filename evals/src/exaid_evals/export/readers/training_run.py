"""Training runs: a folder with a summary, a history, validation metrics and the predictions that they are of."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exaid_evals.errors import DataError
from exaid_evals.export.base import ExportedRun, Reader, Source
from exaid_evals.export.readers import classification, optional_files
from exaid_evals.export.readers.classification import as_records
from exaid_evals.export.readers.history import read_history
from exaid_evals.export.readers.metric_names import AUC, BALANCED, KAPPA, PER_CLASS, STANDARD, is_share
from exaid_evals.export.readers.position import position_of
from exaid_evals.export.readers.predictions import Counted, count_predictions
from exaid_evals.export.readers.reported import Reported, read_reported
from exaid_evals.export.readers.summary import read_summary

SUMMARY = ("summary.json",)
HISTORY = ("train_history.csv", "train_history.json")
METRICS = ("metrics/val_metrics.json", "metrics/val_metrics.csv")
PREDICTIONS = ("val_predictions.csv",)
_REQUIRED = (SUMMARY, HISTORY, METRICS, PREDICTIONS)
_OWN = (*METRICS, *PREDICTIONS, *HISTORY)

TOLERANCE = 1e-3
"""Reports round to three decimals or more; what differs by more than this is not rounding."""


class TrainingRunReader(Reader):
    """Reads `results_*/` of training scripts."""

    name = "training_run"

    def claims(self, folder: Path) -> bool:
        """Tell whether any of a training run's own files is here; which of them lack is for `read` to say."""
        top = str(folder)
        # A summary alone is what many tools write, so it needs a folder of the usual name.
        return any(os.path.isfile(f"{top}/{name}") for name in _OWN) or (  # noqa: PTH113 - for every folder of many
            folder.name.startswith("results") and (folder / SUMMARY[0]).is_file()
        )

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return all files that are read, present or not; a model's checkpoint is none of them."""
        names = [name for names in _REQUIRED for name in names]
        return [*(source.path / name for name in names), *optional_files.paths(source.path, _names_in(source.path))]

    def read(self, source: Source, name: str) -> ExportedRun:
        """Read a run.

        Raises:
            DataError: a required file is missing or damaged.
        """
        folder = source.path
        summary_file, history_file, metrics_file, predictions_file = _required(folder)
        summary = read_summary(summary_file)
        further = optional_files.read(folder, _names_in(folder))
        history, odd = read_history(history_file, summary.config)
        reported = read_reported(metrics_file)
        counted = count_predictions(predictions_file)
        checked = _Checked(counted, reported)
        try:
            checked.complete()
        finally:
            counted.close()
        position = position_of(folder)
        fold = position.fold if position.fold is not None else summary.fold
        trial = position.trial or further.trial or summary.trial
        is_member = fold is not None or trial is not None
        warnings = [
            *(f"{history_file.name}: {one}" for one in odd),
            *(f"{predictions_file.name}: {one}" for one in counted.warnings),
            *(f"{METRICS[0] if metrics_file.suffix == '.json' else METRICS[1]}: {one}" for one in checked.warnings),
            *further.warnings,
        ]
        return ExportedRun(
            name=name,
            format=self.name,
            metrics=dict(sorted(checked.metrics.items())),
            per_class=checked.per_class,
            config={**summary.config, **further.config},
            seed=summary.seed,
            fold=fold,
            trial=trial,
            group=position.group or (folder.parent.name or None if is_member else None),
            git_hash=summary.git_hash,
            git_dirty=summary.git_dirty,
            predictions=counted.summary,
            history=history,
            attributes={"n_items": counted.summary.n, "n_classes": len(counted.classes), **further.attributes}
            | ({"computed": sorted(checked.computed)} if checked.computed else {}),
            stub=summary.stub,
            default_primary=BALANCED,
            warnings=tuple(f"{name}: {one}" for one in warnings),
        )


def _names_in(folder: Path) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208 - without a Path for each, since this is done for every run of many


def _required(folder: Path) -> list[Path]:
    """Return the required files, each in the form in which it is here.

    Raises:
        DataError: names every one that is missing.
    """
    found, missing = [], []
    for names in _REQUIRED:
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is None:
            missing.append(names)
        else:
            found.append(path)
    if missing:
        others = "".join(f", nor {names[0]}" for names in missing[1:])
        forms = [name.rpartition("/")[2] for names in missing for name in names[1:]]
        instead = f" (or {' and '.join(forms)})" if forms else ""
        raise DataError(
            f"File not found: {folder / missing[0][0]}{others}",
            remedy=f"a training run needs {'it' if len(missing) == 1 else 'them'}{instead}: write at the end of "
            "training what lacks, or leave the run out",
        )
    return found


@dataclass
class _Checked:
    """Reported metrics, held against the predictions and completed from them.

    Attributes:
        metrics, per_class: as reported, and where nothing is reported as computed.
        computed: the metrics that were computed.
    """

    counted: Counted
    reported: Reported
    metrics: dict[str, float | None] = field(default_factory=dict)
    per_class: dict[str, dict[str, float | None]] = field(default_factory=dict)
    computed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def complete(self) -> None:
        """Check what is reported and compute what is not."""
        self.warnings += self.reported.warnings
        self.metrics = dict(self.reported.metrics)
        counts = self.counted.counts
        lacking = [name for name in STANDARD if self.metrics.get(name) is None]
        known = classification.from_counts(counts)
        if not self._ordered:
            known[KAPPA] = None
        if AUC in lacking:
            known[AUC] = None
        else:
            known[AUC] = self.counted.area_ovr(scikit_learn=False)
        for name in STANDARD:
            if name not in lacking:
                self.metrics[name] = self._held(name, self.metrics[name], known[name])
        if lacking:
            self._compute(lacking)
        self._classes()

        self._shares()

    @property
    def _ordered(self) -> bool:
        """Whether the classes have an order that quadratic weights may go by; two have it either way round."""
        return len(self.counted.classes) < 3 or all(_is_number(name) for name in self.counted.classes)

    def _compute(self, lacking: list[str]) -> None:
        skipped = {AUC} if self._ordered else {AUC, KAPPA}
        of_counts = [name for name in lacking if name not in skipped]
        found = classification.by_scikit_learn(self.counted.counts, of_counts) if of_counts else {}
        if KAPPA in lacking and not self._ordered:
            found[KAPPA] = None
            self.warnings.append(
                f"kappa is not computed: its quadratic weights need the order of the classes, and "
                f"{', '.join(self.counted.classes)[:80]} are no numbers; report kappa, or number the labels in order"
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
            if abs(given - known) <= TOLERANCE:
                return given
            if abs(given / 100 - known) <= TOLERANCE:
                self.warnings.append(f"{name} = {given:g} is a percentage, and is read as {given / 100:g}")
                return given / 100
        if abs(given) > 1 + TOLERANCE:
            made = "nothing to hold it against" if known is None else f"{known:.4f}, which is taken instead"
            self.warnings.append(
                f"{name} is reported as {given:g}, which is no share of one, and the predictions make {made}: look "
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
                    f"{name} is reported as {value:g}, which is no share of one, and is left out: report shares"
                )
                self.metrics[name] = None

    def _classes(self) -> None:
        classes = self.counted.classes
        known = as_records(classes, classification.per_class_from_counts(self.counted.counts))
        given = _by_class(self.reported.per_class, classes)
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
            self.per_class[of] = dict(known_by[of])
            for name, value in given.get(of, {}).items():
                if value is None:
                    continue
                right = known[of][name]
                if abs(value) > 1 + TOLERANCE:
                    is_percent = right is not None and abs(value / 100 - right) <= TOLERANCE
                    what = "is a percentage, and is read as" if is_percent else "is no share of one, and is replaced by"
                    self.per_class[of][name] = value / 100 if is_percent else right
                    shown = "undefined" if right is None else f"{right:.4f}"
                    self.warnings.append(f"{name} of class {of} = {value:g} {what} {shown}")
                    continue
                if right is not None and abs(value - right) > TOLERANCE:
                    self.warnings.append(
                        f"{name} of class {of} is reported as {value:.4f}, and the predictions make {right:.4f}"
                    )
                self.per_class[of][name] = value


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
