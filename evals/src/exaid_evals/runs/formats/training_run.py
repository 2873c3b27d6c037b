"""Training runs: a folder with a summary, a history, validation metrics and the predictions that they are of.

And folders that hold them one or two levels down: folds, trials of a search, runs over seeds. What `exaid-evals
run-eval` writes is an evaluation without a training: metrics with the predictions that they are of.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Predictions, Run, Settings, Source
from exaid_evals.runs.files.checked import Checked
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.predictions import Counted, count_predictions
from exaid_evals.runs.files.reported import BALANCED, Reported, read_reported, standard_name
from exaid_evals.runs.files.summary import Listing, Summary, optional_names, read_optional, read_summary
from exaid_evals.runs.files.training_history import read_history
from exaid_evals.runs.files.values import plain
from exaid_evals.runs.run_names import is_fold, is_trial, position_of

SUMMARY = ("summary.json",)
HISTORY = ("train_history.csv", "train_history.json")
METRICS = ("metrics/val_metrics.json", "metrics/val_metrics.csv")
PREDICTIONS = ("val_predictions.csv",)
_REQUIRED = (SUMMARY, HISTORY, METRICS, PREDICTIONS)
_NAMES = tuple(name for names in _REQUIRED for name in names)
PART = "run"
"""What the signature of a run without parts stands under."""
_OWN = (*METRICS, *PREDICTIONS, *HISTORY)


class TrainingRunFormat(Format):
    """Reads `results_*/` of training scripts."""

    name = "training_run"

    def claims(self, folder: Path) -> bool:
        """Return whether any of a training run's own files is here; which of them lack is for `read` to say."""
        top = str(folder)
        # A summary alone is what many tools write, so it needs a folder of the usual name.
        return any(os.path.isfile(f"{top}/{name}") for name in _OWN) or (  # noqa: PTH113 - for every folder of many
            folder.name.startswith("results") and (folder / SUMMARY[0]).is_file()
        )

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        # What was seen for `inputs`, for the `read` that follows: listing a folder twice would show in thousands.
        self._seen: Listing | None = None

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files that are read and are there, for each look lists the folder anew; no model's checkpoint."""
        self._seen = seen = Listing.of(source.path)
        return [seen.path(name) for name in (*_NAMES, *optional_names(seen.files)) if name in seen.files]

    def listed(self, source: Source) -> Sequence[Path]:
        """Return the run's folder and that of its metrics: what is asked before this format looks at names in them."""
        seen = self._seen
        return [] if seen is None or seen.dead_links else [source.path, seen.path("metrics")]

    def read(self, source: Source, name: str) -> Run:
        """Read a run."""
        folder = source.path
        seen = self._seen if self._seen is not None and self._seen.folder == folder else Listing.of(folder)
        self._seen = None
        summary_file, history_file, metrics_file, predictions_file = _required(seen)
        summary = read_summary(summary_file)
        further = read_optional(seen)
        training, odd = read_history(history_file, summary.config)
        reported = read_reported(metrics_file)
        counted = count_predictions(predictions_file)
        checked = Checked(counted, reported)
        try:
            checked.complete()
        finally:
            counted.close()
        position = position_of(folder)
        fold = position.fold if position.fold is not None else summary.fold
        trial = position.trial or further.trial or summary.trial
        is_member = fold is not None or trial is not None
        ranking, unknown = _ranking(summary, checked.metrics)
        warnings_by_file = (
            (f"{summary_file.name}: ", summary.warnings),
            (f"{history_file.name}: ", odd),
            (f"{predictions_file.name}: ", counted.warnings),
            (f"{METRICS[0] if metrics_file.suffix == '.json' else METRICS[1]}: ", checked.warnings),
            ("", further.warnings),
            (f"{summary_file.name}: ", unknown),
        )
        return self.completed(
            source,
            Run(
                name,
                self.name,
                dict(sorted(checked.metrics.items())),
                per_class=checked.per_class,
                config={**summary.config, **further.config},
                seed=summary.seed,
                fold=fold,
                trial=trial,
                group=position.group or (folder.parent.name or None if is_member else None),
                git_hash=summary.git_hash,
                git_dirty=summary.git_dirty,
                predictions=_relabelled(counted.summary, checked.labels),
                training=training,
                attributes=_attributes(counted, checked, reported) | further.attributes,
                signatures={PART: summary.signature} if summary.signature else {},
                stub=summary.stub,
                lower_is_better=frozenset(ranking if summary.lower_is_better else ()),
                higher_is_better=frozenset(ranking if summary.lower_is_better is False else ()),
                default_primary=ranking[0] if ranking else BALANCED,
                warnings=tuple(f"{file}{line}" for file, lines in warnings_by_file for line in lines),
            ),
        )


def _attributes(counted: Counted, checked: Checked, reported: Reported) -> dict[str, Any]:
    always = {"n_items": counted.summary.n, "n_classes": len(counted.classes)}
    known = {
        "kappa_weights": checked.kappa_weights,
        "computed": sorted(checked.computed),
        "beside_metrics": reported.others,
    }
    return {**always, **{name: value for name, value in known.items() if value}}


def _relabelled(predictions: Predictions, labels: Mapping[str, str]) -> Predictions:
    """Return what is known of predictions under the names that the report has for their classes."""
    if not labels:
        return predictions
    return replace(predictions, support={labels[of]: count for of, count in predictions.support.items()})


def _ranking(summary: Summary, metrics: Mapping[str, float | None]) -> tuple[list[str], list[str]]:
    """Return the metric by which the run wants to be ranked, as a list of at most one, and what is odd about it."""
    if summary.primary_metric is None:
        return [], []
    for name in (summary.primary_metric, standard_name(summary.primary_metric)):
        if name in metrics:
            return [name], []
    return [], [f"primary_metric is {summary.primary_metric[:60]!r}, which is none of the metrics, and ranks nothing"]


def _required(seen: Listing) -> list[Path]:
    """Return the required files, each in the form in which it is here.

    Raises:
        DataError: names every one that is missing.
    """
    found, missing = [], []
    for names in _REQUIRED:
        name = next((name for name in names if name in seen.files), None)
        if name is None:
            missing.append(names)
        else:
            found.append(seen.path(name))
    if missing:
        others = "".join(f", nor {names[0]}" for names in missing[1:])
        forms = [name.rpartition("/")[2] for names in missing for name in names[1:]]
        instead = f" (or {' and '.join(forms)})" if forms else ""
        raise DataError(
            f"File not found: {seen.folder / missing[0][0]}{others}",
            remedy=f"a training run needs {'it' if len(missing) == 1 else 'them'}{instead}: write at the end of "
            "training what lacks, or leave the run out",
        )
    return found


_RESULTS = "results"
_SEARCH = ("hpo", "optuna", "ray_results", "sweep")


class MembersFormat(Format):
    """Base of readers whose runs are training runs in folders of certain names."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._of_run = TrainingRunFormat()

    @abstractmethod
    def is_member(self, name: str) -> bool:
        """Return whether a folder's name is that of a member."""

    def claims(self, folder: Path) -> bool:
        """Return whether a member is there that holds such a run: other tools have folders of these names too."""
        return any(self._of_run.claims(run) for member in self._members(folder) for run in self._runs_in(member))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return the members' runs, by number where their names end in one.

        A member without a run counts as one that cannot be read: it is reported, and not passed over.
        """
        members = sorted(self._members(folder), key=lambda path: (_number(path.name), path.name))
        return [Source(run) for member in members for run in self._runs_in(member)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files of the member's run."""
        return self._of_run.inputs(source)

    def read(self, source: Source, name: str) -> Run:
        """Read a member's run."""
        return self._of_run.read(source, name)

    def _members(self, folder: Path) -> Iterator[Path]:
        yield from _folders(folder, self.is_member)

    def _runs_in(self, member: Path) -> list[Path]:
        """Return `fold_k/results` or `fold_k/results_*` where they are, else the member itself."""
        if self._of_run.claims(member):
            return [member]
        return sorted(_folders(member, lambda name: name.startswith(_RESULTS))) or [member]


class FoldsFormat(MembersFormat):
    """Reads every fold of a cross-validation: `…/fold_k/results`, each a training run."""

    name = "folds"

    def is_member(self, name: str) -> bool:
        """Return whether a folder's name is that of a fold."""
        return is_fold(name)


class TrialsFormat(MembersFormat):
    """Reads every trial of a search: `trial_*` anywhere, `results`, `results_1`, … in a folder named as a search."""

    name = "trials"

    def is_member(self, name: str) -> bool:
        """Return whether a folder's name is that of a trial."""
        return is_trial(name)

    def _members(self, folder: Path) -> Iterator[Path]:
        yield from super()._members(folder)
        if folder.name.lower().startswith(_SEARCH):
            yield from _folders(folder, _is_results)

    def read(self, source: Source, name: str) -> Run:
        """Read a trial; one that nothing numbers is called by the number behind `results`, the first one 0."""
        run = super().read(source, name)
        if run.trial is not None:
            return run
        number = source.path.name.removeprefix("results").strip("_") or "0"
        return replace(run, trial=number, group=run.group or source.path.parent.name or None)


class ResultsFoldersFormat(MembersFormat):
    """Reads runs that differ in their seeds: `results_1`, `results_2`, each a run or a cross-validation."""

    name = "results_folders"

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._folds = FoldsFormat(settings)

    def is_member(self, name: str) -> bool:
        """Return whether a folder's name is that of a run."""
        return name.startswith(_RESULTS)

    def claims(self, place: Path) -> bool:
        """Return whether any such folder holds a run, or folds."""
        return any(self._of_run.claims(member) or self._folds.claims(member) for member in self._members(place))

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the runs, those of cross-validations by their folds."""
        found: list[Source] = []
        for source in super().sources(place):
            folds = not self._of_run.claims(source.path) and self._folds.claims(source.path)
            found += self._folds.sources(source.path) if folds else [source]
        return found


def _folders(place: Path, fits: Callable[[str], bool]) -> list[Path]:
    """Return the folders whose names fit, links to folders included; none where the place cannot be listed."""
    try:
        with os.scandir(place) as entries:
            return [place / entry.name for entry in entries if fits(entry.name) and entry.is_dir()]
    except OSError:
        return []


def _number(name: str) -> int:
    digits = name[len(name.rstrip("0123456789")) :]
    return int(digits) if digits else -1


def _is_results(name: str) -> bool:
    """Return whether a trial's folder is called so: the first one is `results`, and later ones have a number."""
    return name == "results" or name.startswith("results_")


_EVALUATION = "evaluation.json"
"""Of the split `val`; that of another one begins with its name."""
_OF_TEXT = ("perplexity", "bits_per_byte")
"""What leads for a language model: kappa and accuracy over its tokens say little."""
_LEADING = (*_OF_TEXT, "map", "mean_iou", "accuracy")
"""The first of them leads where no task says which metric does."""


class RunEvalFormat(Format):
    """Reads an evaluation; a training run that has one beside its history is a training run."""

    name = "run_eval"

    def claims(self, place: Path) -> bool:
        """Return whether an evaluation without a training lies here."""
        return not os.path.isfile(f"{place}/summary.json") and bool(_splits(place))  # noqa: PTH113 - of many folders

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files."""
        return _files(source.path, (_splits(source.path) or ["val"])[0])

    def read(self, source: Source, name: str) -> Run:
        """Read the metrics; of several splits in one folder those of `val`, else of the first by name."""
        split, *others = _splits(source.path) or ["val"]
        metrics_file, evaluation_file, _ = _files(source.path, split)
        reported = read_reported(metrics_file)
        warnings = [f"{metrics_file.name}: {one}" for one in reported.warnings]
        if others:
            warnings.append(f"{split} is read, and {', '.join(others)} is not: evaluate each into a folder of its own")
        evaluation = read_object(evaluation_file, warnings=warnings)
        if not reported.metrics:
            raise DataError("holds no metric", where=str(metrics_file), remedy="evaluate again")
        kept = ("task", "split", "n_items", "n_batches", "intervals", "label_order", "tokenizer")
        signature = evaluation.get("signature")
        seed = evaluation.get("seed")
        of_evaluation = evaluation.get("warnings")
        said, down = evaluation.get("primary_metric"), evaluation.get("lower_is_better")
        own = standard_name(said) if isinstance(said, str) else ""
        leading = next((one for one in (own, *_LEADING) if one in reported.metrics), None)
        lower = {*_OF_TEXT, *([own] if down is True else [])} & reported.metrics.keys()
        higher = {own if down is False else ""} & reported.metrics.keys()
        return self.completed(
            source,
            Run(
                name,
                self.name,
                dict(sorted(reported.metrics.items())),
                per_class=reported.per_class,
                seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
                attributes={key: plain(evaluation[key]) for key in kept if evaluation.get(key) is not None}
                | ({"beside_metrics": reported.others} if reported.others else {}),
                signatures={"run": signature} if isinstance(signature, str) else {},
                default_primary=leading,
                lower_is_better=frozenset(lower),
                higher_is_better=frozenset(higher),
                warnings=(*warnings, *(of_evaluation if isinstance(of_evaluation, list) else [])),
            ),
        )


def _splits(place: Path) -> list[str]:
    """Return the splits whose evaluations lie in a folder, `val` first."""
    folder = place / "metrics"
    found = sorted(path.name.removesuffix(f"_{_EVALUATION}") for path in folder.glob(f"*_{_EVALUATION}"))
    return ["val", *found] if (folder / _EVALUATION).is_file() else found


def _files(place: Path, split: str) -> list[Path]:
    beside = _EVALUATION if split == "val" else f"{split}_{_EVALUATION}"
    return [place / "metrics" / f"{split}_metrics.json", place / "metrics" / beside, place / f"{split}_predictions.csv"]
