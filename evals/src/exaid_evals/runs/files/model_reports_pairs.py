"""Which files of a folder of models are pairs: `<model dir>/reports/metrics_X.json` with `report_X.txt`.

The files may also lie in the model's folder itself.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from exaid_evals.files import folders_in
from exaid_evals.runs.files.model_reports_numbers import ATTEMPTS, DURATIONS, EXECUTION, PER_CENT, Report

REPORTS = "reports"
UNNAMED = "unnamed"
"""What a report is called whose files have nothing behind `metrics_` and `report_`."""

# How deep below the folder that a user names the model folders may lie, and how many folders are looked at.
_DEEPEST = 4
_MOST_FOLDERS = 50_000
_JSON = re.compile(r"metrics_(?P<label>.*)\.json", re.IGNORECASE | re.DOTALL)
_TXT = re.compile(r"report_(?P<label>.*)\.txt", re.IGNORECASE | re.DOTALL)
# What a script appends to tell its files apart: 20241219_120000, 2024-12-19T12-00-00.
_TIME = re.compile(r"[_-]?\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{2}[-_:]?\d{2}(?:[-_:]?\d{2})?)?$")


@dataclass(frozen=True, slots=True)
class Pair:
    """One report of one model, as JSON and as text; one of the two may be missing.

    Attributes:
        model: name of the model's folder.
        label: what stands behind `metrics_` and `report_`.
        json: the metrics.
        txt: the report.
        folder: of the model.
        note: how the two were brought together where their names differ.
    """

    model: str
    label: str
    json: Path | None
    txt: Path | None
    folder: Path
    note: str | None = None

    @property
    def prompt(self) -> str:
        """Return what the files' names say of the prompt: the label without the time at its end."""
        return _TIME.sub("", self.label) or self.label or UNNAMED

    @property
    def part(self) -> str:
        """Return what tells the pair apart within the folder that the user named."""
        return f"{self.model}/{self.label or UNNAMED}"


def has_reports(folder: Path) -> bool:
    """Tell by names whether any report lies below a folder."""
    return any(_JSON.fullmatch(name) or _TXT.fullmatch(name) for place in _places(folder) for name in _files(place))


def find_pairs(folder: Path) -> list[Pair]:
    """Return the pairs below a folder in the order of their models and labels; a lone file is a pair of one.

    Files of one label belong together. What is left over is paired where a model has exactly one JSON and one text
    left whose labels differ in the time at their ends alone.
    """
    found: list[Pair] = []
    for place in _places(folder):
        # `folder` may itself be a folder `reports`: its model is the folder around it.
        home = place.parent if place.name == REPORTS else place
        json_files = _labelled(place, _JSON)
        txt_files = _labelled(place, _TXT)
        both = sorted(json_files.keys() & txt_files.keys())
        found += [Pair(home.name, label, json_files.pop(label), txt_files.pop(label), home) for label in both]
        found += _by_stem(home, json_files, txt_files)
        found += [Pair(home.name, label, path, None, home) for label, path in json_files.items()]
        found += [Pair(home.name, label, None, path, home) for label, path in txt_files.items()]
    return _told_apart(folder, sorted(found, key=lambda pair: (pair.model, pair.label, str(pair.folder))))


def _by_stem(home: Path, json_files: dict[str, Path], txt_files: dict[str, Path]) -> list[Pair]:
    stems: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, files in enumerate((json_files, txt_files)):
        for label in files:
            stems[_TIME.sub("", label)][side].append(label)
    pairs = []
    for of_json, of_txt in stems.values():
        if len(of_json) == len(of_txt) == 1:
            metrics, report = json_files.pop(of_json[0]), txt_files.pop(of_txt[0])
            note = f"{metrics.name} was paired with {report.name}, the only ones that are left of their prompt"
            pairs.append(Pair(home.name, of_json[0], metrics, report, home, note))
    return pairs


def _told_apart(folder: Path, pairs: list[Pair]) -> list[Pair]:
    """Name models of one name, in different folders, by their paths below the folder that the user named."""
    homes: dict[str, set[Path]] = defaultdict(set)
    for pair in pairs:
        homes[pair.model].add(pair.folder)
    return [
        pair if len(homes[pair.model]) == 1 else replace(pair, model=pair.folder.relative_to(folder).as_posix())
        for pair in pairs
    ]


def _places(folder: Path) -> Iterator[Path]:
    """Yield the folders `reports`, and those of models that hold their reports themselves.

    Links to folders are not followed, so that no loop is.
    """
    if folder.name == REPORTS:
        yield folder
        return
    seen = 0
    level = [folder]
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for place in level:
            seen += 1
            if seen > _MOST_FOLDERS:
                return
            if any(_JSON.fullmatch(name) or _TXT.fullmatch(name) for name in _files(place)):
                yield place
            for child in folders_in(place):
                if child.name == REPORTS:
                    yield child
                else:
                    below.append(child)
        level = below


def _files(place: Path) -> list[str]:
    try:
        with os.scandir(place) as entries:
            return sorted(entry.name for entry in entries if _is_file(entry))
    except OSError:
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Tell files, and links to files, from pipes and devices, of which reading might never end."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir() and not Path(entry.path).exists())
    except OSError:
        return True  # a link that leads nowhere is told when it is read


def _labelled(place: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    matches = ((name, pattern.fullmatch(name)) for name in _files(place))
    return {match["label"]: place / name for name, match in matches if match}


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
