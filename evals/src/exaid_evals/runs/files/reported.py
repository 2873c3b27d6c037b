"""`metrics/val_metrics.json|csv`: the metrics that a training run reports, nested or flat, under usual names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.redaction import clipped
from exaid_evals.runs.files.delimited import Delimited, number, open_delimited
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.values import finite_or_none
from exaid_evals.runs.metric_names import role_of_column

ACCURACY = "accuracy"
BALANCED = "balanced_accuracy_adjusted"
KAPPA = "kappa"
MACRO_F1 = "macro_f1"
AUC = "auc_ovr"

STANDARD = (ACCURACY, BALANCED, KAPPA, MACRO_F1, AUC)
"""What every training run is asked for; what a file lacks of them is computed from the predictions."""

PER_CLASS = ("precision", "recall", "f1")

_NAMES = """
accuracy | Accuracy | acc top1 top_1 top_1_accuracy top1_accuracy
balanced_accuracy_adjusted | Bal. acc. (adj.) | balanced_acc_adjusted balanced_acc_adj balanced_accuracy_adj bal_acc_adj
balanced_accuracy_adjusted | Bal. acc. (adj.) | adjusted_balanced_accuracy bacc_adjusted bacc_adj
balanced_accuracy | Balanced acc. | balanced_acc bal_acc bacc
kappa | Kappa | cohen_kappa cohens_kappa quadratic_kappa kappa_quadratic cohen_kappa_quadratic
kappa | Kappa | quadratic_weighted_kappa weighted_kappa qwk
macro_f1 | Macro F1 | f1_macro macro_f1_score f1_score_macro macro_avg_f1 macro_avg_f1_score
macro_precision | Macro precision | precision_macro macro_avg_precision
macro_recall | Macro recall | recall_macro macro_avg_recall
weighted_f1 | Weighted F1 | f1_weighted weighted_avg_f1 weighted_avg_f1_score
weighted_precision | Weighted precision | precision_weighted weighted_avg_precision
weighted_recall | Weighted recall | recall_weighted weighted_avg_recall
auc_ovr | AUC (OvR) | roc_auc_ovr auc_roc_ovr roc_auc_ovr_macro auc_roc roc_auc auc auroc macro_auc
precision | Precision | prec ppv
recall | Recall | sensitivity tpr
f1 | F1 | f1_score f_score fscore
loss | Loss |
support | support | n count
auc_roc | AUC (ROC) |
average_precision | Avg. precision |
specificity | Specificity |
perplexity | Perplexity |
bits_per_byte | Bits per byte |
expected_calibration_error | ECE |
mean_absolute_error | MAE |
mean_squared_error | MSE |
root_mean_squared_error | RMSE |
word_error_rate | WER |
character_error_rate | CER |
"""
"""Standard name, what a table calls it, how scripts write it besides; some on two lines."""
_ROWS = [[part.strip() for part in line.split("|")] for line in _NAMES.strip().splitlines()]
_DISPLAYED = {name: shown for name, shown, _ in _ROWS}
_STANDARD_OF = {alias: name for name, _, aliases in _ROWS for alias in aliases.split()}
_SETTINGS_AND_COUNTS = """
    epoch epochs step steps global_step iteration iterations seed lr learning_rate batch_size weight_decay momentum
    dropout fold trial run_id trial_id job_id rank world_size patience params parameters total_params support count n
    samples total_samples image_size img_size input_size timestamp"""
_NO_METRICS = frozenset(_SETTINGS_AND_COUNTS.split())
_ENDS_OF_NO_METRIC = ("_seed", "_epoch", "_epochs", "_order", "_level", "_idx")
_PREFIX = re.compile(r"^(val|valid|validation|eval)_")
_SHARES = (*PER_CLASS, *(name for name in _DISPLAYED if name.startswith(("macro_", "weighted_"))), "balanced_accuracy")


def is_share(name: str) -> bool:
    """Return whether a metric, by its standard name, lies between -1 and 1.

    >>> is_share("macro_recall"), is_share("top5_accuracy"), is_share("loss")
    (True, True, False)
    """
    return name in STANDARD or name in _SHARES or name.endswith("_accuracy")


def display_name(name: str) -> str:
    """Return what a table calls a metric; any other name is left as it is.

    >>> display_name("balanced_accuracy_adjusted"), display_name("mAP50-95")
    ('Bal. acc. (adj.)', 'mAP50-95')
    """
    return _DISPLAYED.get(name, name)


@lru_cache(maxsize=4096)
def is_no_metric(written: str) -> bool:
    """Return whether a number beside metrics is a setting or a count by its name: scripts write all into one file.

    >>> [is_no_metric(name) for name in ("epoch", "best_epoch", "lr", "n_samples", "val/batch_size", "seed")]
    [True, True, True, True, True, True]
    >>> [is_no_metric(name) for name in ("loss", "num_correct", "n_items", "support", "accuracy", "time")]
    [False, True, True, True, False, False]
    >>> is_no_metric("train_loss_epoch"), is_no_metric("best_loss_epoch"), is_no_metric("fit_order")
    (False, True, True)
    """
    simple = re.sub(r"[^a-z0-9]+", "_", written.strip().lower()).strip("_")
    bare = _PREFIX.sub("", simple)
    if bare.endswith("_epoch") and "best" not in bare and role_of_column(bare) == "metric":
        return False  # a loss over an epoch
    return (
        bare in _NO_METRICS or bare.startswith(("n_", "num_", "number_", "seed_")) or bare.endswith(_ENDS_OF_NO_METRIC)
    )


@lru_cache(maxsize=4096)
def standard_name(written: str) -> str:
    """Return the standard name of a metric, or the written one, simplified, where none is known.

    >>> standard_name("val/Acc"), standard_name("QWK"), standard_name("f1-score"), standard_name("val_loss")
    ('accuracy', 'kappa', 'f1', 'loss')
    >>> standard_name("Dice (mean)")
    'dice_mean'
    """
    simple = re.sub(r"[^a-z0-9]+", "_", written.strip().lower()).strip("_")
    bare = _PREFIX.sub("", simple)
    return _STANDARD_OF.get(bare) or bare or written.strip()


_OVERALL = ("macro avg", "weighted avg", "micro avg", "samples avg", "overall", "all", "total", "macro", "weighted")
_PER_CLASS_KEYS = ("per_class", "perclass", "by_class", "class_metrics", "classes", "per_class_metrics")
_CONTAINERS = ("metrics", "val_metrics", "overall", "val", "validation", "results", "scores", "summary")
_CLASS_COLUMNS = ("class", "class_name", "label", "category", "", "unnamed: 0")
_FLAT = re.compile(r"^(?:val_)?(precision|recall|f1(?:[-_]score)?)[_/\-. ](?:class[_\-. ]?)?(.+)$", re.I)
_FLAT_BEHIND = re.compile(r"^(?:class[_\-. ])?(.+?)[_/\-. ](precision|recall|f1(?:[-_]score)?)$", re.I)
_NOT_CLASSES = ("macro", "weighted", "micro", "macro_avg", "weighted_avg", "micro_avg", "score", "avg", "mean", "std")


@dataclass
class Reported:
    """What a run says of itself.

    Attributes:
        metrics: standard name → value; None where the file says that it is undefined.
        per_class: class → precision, recall, f1.
        unread: standard metric → what stood there and is not a number.
        others: name as written → number that is a setting or a count by its name, and measures nothing.
        written: standard name → name as written.
        warnings: what is odd, without the run's name.
    """

    metrics: dict[str, float | None] = field(default_factory=dict)
    per_class: dict[str, dict[str, float | None]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    others: dict[str, float | None] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def note_unread(self, written: str, value: object) -> None:
        """Keep what stands for a standard metric and is not a number; any other text names something."""
        name = standard_name(written)
        if name in STANDARD:
            shown = clipped(" ".join(json.dumps(value, ensure_ascii=False, default=str).split()), 60)
            self.unread.setdefault(name, f"{written} is {shown}, which is not a number")

    def put(self, written: str, value: object) -> None:
        """Take one metric of the whole; what is not a number is noted."""
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            self.note_unread(written, value)
            return
        name = standard_name(written)
        if is_no_metric(written):
            self.others.setdefault(written, finite_or_none(value))
            return
        checked = finite_or_none(value)
        if value is None and name in STANDARD:  # JSON's NaN arrives as None
            self.unread.setdefault(name, f"{written} is undefined (NaN, null or empty)")
        if value is not None and checked is None:
            instead = f"; {name} is what the predictions make, if anything" if name in STANDARD else ""
            self.warnings.append(f"{written} is {value} and counts as undefined{instead}")
        if name in self.metrics and self.metrics[name] != checked:
            self.warnings.append(f"{name} is given twice, as {self.metrics[name]} and as {written} = {checked}")
            return
        self.metrics[name] = checked
        self.written[name] = written

    def put_class(self, of: str, written: str, value: object) -> None:
        """Take one metric of one class."""
        name = standard_name(written)
        if name in PER_CLASS and not isinstance(value, bool) and isinstance(value, int | float | None):
            self.per_class.setdefault(of, {})[name] = finite_or_none(value)


def read_reported(path: Path) -> Reported:
    """Read a metrics file.

    Raises:
        DataError: the file is damaged.
    """
    if path.suffix == ".json":
        reported = Reported()
        _take(reported, read_object(path, warnings=reported.warnings))
    else:
        reported = _of_csv(open_delimited(path))
    for name, what in sorted(reported.unread.items()):
        if reported.metrics.get(name) is None:  # it may stand under another of its names
            reported.warnings.append(f"{what}: {name} is what the predictions make, if anything")
    return reported


def _take(reported: Reported, data: Mapping[str, Any], prefix: str = "") -> None:
    for key, value in data.items():
        lowered = key.strip().lower()
        if isinstance(value, Mapping):
            _take_mapping(reported, key, value, prefix)
        elif lowered in _PER_CLASS_KEYS and isinstance(value, list):
            for number_, entry in enumerate(value):
                if isinstance(entry, Mapping):
                    of = next((str(entry[name]) for name in _CLASS_COLUMNS if name in entry), str(number_))
                    _take_class(reported, of, entry)
        elif isinstance(value, list):
            match = re.fullmatch(r"(?:per_class_)?(.+?)(?:_per_class|_by_class)?", lowered)
            name = standard_name(match[1]) if match else ""
            if name in PER_CLASS:
                for number_, item in enumerate(value):
                    reported.put_class(str(number_), name, item)
            else:
                reported.note_unread(key, value)
        elif not _put_flat_class(reported, key, value):
            reported.put(f"{prefix}{key}", value)


def _take_mapping(reported: Reported, key: str, value: Mapping[str, Any], prefix: str) -> None:
    lowered = key.strip().lower()
    if lowered in _PER_CLASS_KEYS:
        for of, entry in value.items():
            if isinstance(entry, Mapping):
                if standard_name(of) in PER_CLASS:  # name → class → value
                    for one, item in entry.items():
                        reported.put_class(str(one), of, item)
                else:
                    _take_class(reported, str(of), entry)
            elif isinstance(entry, list) and standard_name(of) in PER_CLASS:
                for number_, item in enumerate(entry):
                    reported.put_class(str(number_), of, item)
    elif lowered in _CONTAINERS or lowered == "classification_report":
        _take(reported, value, prefix)
    elif lowered in _OVERALL:
        for name, item in value.items():
            if standard_name(name) != "support":
                reported.put(f"{lowered.replace(' ', '_')}_{name}", item)
    elif standard_name(re.sub(r"_(per|by)_class$", "", lowered)) in PER_CLASS:
        for one, item in value.items():
            if standard_name(str(one)) in _NOT_CLASSES:
                reported.put(f"{lowered}_{one}", item)
            else:
                reported.put_class(str(one), re.sub(r"_(per|by)_class$", "", lowered), item)
    elif any(standard_name(name) in PER_CLASS for name in value):  # scikit-learn's classification_report
        _take_class(reported, key, value)
    else:
        reported.note_unread(key, value)
        _take(reported, value, f"{prefix}{key}_")


def _take_class(reported: Reported, of: str, entry: Mapping[str, Any]) -> None:
    for name, value in entry.items():
        reported.put_class(of, str(name), value)


def _put_flat_class(reported: Reported, key: str, value: object) -> bool:
    """Take `precision_class_2` or `cat_recall`; tell whether the key was of a class."""
    found = _flat_class(key)
    if found is None:
        return False
    of, name = found
    reported.put_class(of, name, value)
    return True


@lru_cache(maxsize=4096)
def _flat_class(key: str) -> tuple[str, str] | None:
    """Return class and metric of a key that names both; None for any other."""
    match = _FLAT.match(key)
    name, of = (match[1], match[2]) if match else ("", "")
    if not match:
        match = _FLAT_BEHIND.match(key)
        name, of = (match[2], match[1]) if match else ("", "")
    if not match or standard_name(of) in _NOT_CLASSES or standard_name(key) != _simplified(key):
        return None
    return of, name


def _simplified(key: str) -> str:
    """Return the name that a key keeps where it is not an alias."""
    return re.sub(r"^(val|valid|validation|eval)_", "", re.sub(r"[^a-z0-9]+", "_", key.strip().lower()).strip("_"))


def _of_csv(file: Delimited) -> Reported:
    reported = Reported(warnings=list(file.warnings))
    names = [name.lower() for name in file.columns]
    rows = [row for _, row in file.rows()]
    of_class = next((names.index(name) for name in _CLASS_COLUMNS if name in names), None)
    if {"metric", "value"} <= set(names):
        for row in rows:
            name, value = row[names.index("metric")], _cell(row[names.index("value")])
            if of_class is not None and row[of_class].strip() and row[of_class].strip().lower() not in _OVERALL:
                reported.put_class(row[of_class].strip(), name, value)
            elif not _put_flat_class(reported, name, value):
                reported.put(name, value)
    elif of_class is not None:
        for row in rows:
            of = row[of_class].strip()
            cells = {name: row[i] for i, name in enumerate(file.columns) if i != of_class and row[i].strip()}
            if of.lower() in (*_OVERALL, "accuracy", ""):
                if of.lower() == "accuracy":  # scikit-learn's report repeats it in each column
                    reported.put("accuracy", _cell(next(iter(cells.values()), "")))
                else:
                    prefix = "" if of.lower() in ("", "overall", "all", "total") else f"{of.replace(' ', '_')}_"
                    for name, text in cells.items():
                        if standard_name(name) != "support":
                            reported.put(f"{prefix}{name}", _cell(text))
            else:
                for name, text in cells.items():
                    reported.put_class(of, name, _cell(text))
    else:
        if len(rows) > 1:
            reported.warnings.append(f"{file.path.name} has {len(rows)} rows of metrics; the last is taken")
        for row in rows[-1:]:
            for name, text in dict(reversed(list(zip(file.columns, row, strict=True)))).items():
                value = _cell(text)
                if not _put_flat_class(reported, name, value):
                    reported.put(name, value)
    if not rows:
        raise file.error("holds no metrics", 1)
    return reported


def _cell(text: str) -> float | str | None:
    """Return a cell's number, or its text (a run's name, say), which is not a metric; None of an empty one."""
    try:
        return number(text)
    except ValueError:
        return text.strip() or None
