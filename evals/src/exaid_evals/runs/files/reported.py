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
from exaid_evals.runs.files.standard_names import PER_CLASS, STANDARD, is_no_metric, standard_name
from exaid_evals.runs.files.values import finite_or_none

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
