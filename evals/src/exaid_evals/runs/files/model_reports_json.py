"""The JSON half of a model report: `metrics_*.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.model_reports_numbers import (
    ATTEMPTS,
    DURATIONS,
    Confusion,
    Duration,
    Report,
    area_of,
    confusion_of,
    number_in,
    over_calls,
    share_of,
)

_EXECUTION = {"mean": ("avg", "mean"), "median": ("median",), "sd": ("sd", "std")}
_OF_CALLS = re.compile(r"meta_?data_(\w+)")
_STATISTICS = {
    "mean": ("averages", "average", "avg", "mean", "means"),
    "median": ("median", "medians"),
    "sd": ("sd", "std", "stdev", "standard_deviation", "standard_deviations", "sds"),
}
_COUNTS = {
    "tp": ("tp", "true_positives", "true_positive"),
    "tn": ("tn", "true_negatives", "true_negative"),
    "fp": ("fp", "false_positives", "false_positive"),
    "fn": ("fn", "false_negatives", "false_negative"),
}


def read_metrics_json(path: Path) -> Report:
    """Read the file.

    Raises:
        DataError: it is missing, too large, no JSON object, or has none of the fields of such a report.
    """
    report = Report()
    written = read_object(path, keep_nan=True, warnings=report.warnings)
    data = {str(key).strip().lower(): value for key, value in written.items()}
    report.model = _text(data, "model_name", "model")
    report.prompt_type = _text(data, "prompt_type", "prompt")
    _attempts(data, report)
    for name, prefixes in _EXECUTION.items():
        report.execution_s[name] = _number(data, report, *(f"{prefix}_execution_time" for prefix in prefixes))
    accuracy = _number(data, report, "prediction_accuracy", "accuracy")
    report.accuracy = None if accuracy is None else share_of(accuracy, "prediction_accuracy", report.warnings)
    auc = _number(data, report, "auc_roc", "roc_auc", "auc")
    report.auc_roc = None if auc is None else area_of(auc, "auc_roc", report.warnings)
    report.confusion = _confusion(data.get("confusion_matrix"), report.warnings)
    _durations(data.get("meta_data", data.get("metadata")), report)
    _averages(data, report)
    if not _says_something(report):
        raise DataError(
            "has none of the fields of a model report",
            where=str(path),
            remedy="prediction_accuracy, confusion_matrix, total_attempts, meta_data are looked for",
        )
    return report


def _says_something(report: Report) -> bool:
    numbers = (*report.attempts.values(), *report.execution_s.values(), report.accuracy, report.auc_roc)
    return any(value is not None for value in numbers) or bool(report.confusion or report.durations)


def _attempts(data: Mapping[str, Any], report: Report) -> None:
    nested = data.get("attempts")
    within = nested if isinstance(nested, Mapping) else {}
    for name in ATTEMPTS:
        key = f"{name}_attempts"
        written = data.get(key, within.get(name, data.get(f"{name}s") if name == "timeout" else None))
        number = number_in(written)
        if number is not None and (number < 0 or number != int(number)):
            number = None
        if written is not None and number is None:
            report.warnings.append(f"{key} {str(written)[:20]!r} is not a count and was left out")
        report.attempts[name] = None if number is None else int(number)


def _confusion(value: object, warnings: list[str]) -> Confusion | None:
    """Read the matrix as a mapping, or as rows of true and columns of predicted labels, no before yes."""
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(isinstance(row, list) and len(row) == 2 for row in value):
        (tn, fp), (fn, tp) = value
        return confusion_of({"tp": tp, "tn": tn, "fp": fp, "fn": fn}, warnings)
    if not isinstance(value, Mapping):
        warnings.append("confusion_matrix is neither a mapping of tp, tn, fp, fn nor two rows of two")
        return None
    lowered = {str(key).strip().lower().replace(" ", "_"): item for key, item in value.items()}
    counts = {name: next((lowered[key] for key in keys if key in lowered), None) for name, keys in _COUNTS.items()}
    return confusion_of(counts, warnings)


def _durations(value: object, report: Report) -> None:
    if value is None:
        return
    if not isinstance(value, list | Mapping):
        report.warnings.append("meta_data is neither a list of calls nor a mapping, and was left out")
        return
    entries: list[object] = list(value.values()) if isinstance(value, Mapping) else value
    calls = [entry for entry in entries if isinstance(entry, Mapping)]
    if isinstance(value, list) and len(calls) < len(entries):
        strange = len(entries) - len(calls)
        report.warnings.append(f"{strange} of {len(entries)} entries of meta_data are not calls and were left out")
    elif isinstance(value, Mapping) and not any(name in call for call in calls for name in DURATIONS):
        calls = []  # a mapping for each duration, and not one for each call
    for name in DURATIONS:
        _duration(name, value, calls, report)


def _averages(data: Mapping[str, Any], report: Report) -> None:
    """Take durations over calls that stand as averages alone: `meta_data_averages`, `meta_data_sd` and the like.

    Keys of such a name that are not understood are reported, for their numbers would be missed without a word.
    """
    found: dict[str, dict[str, float]] = {}
    for key, value in data.items():
        match = _OF_CALLS.fullmatch(key)
        if match is None or not isinstance(value, Mapping):
            continue
        statistic = next((name for name, words in _STATISTICS.items() if match[1] in words), None)
        if statistic is None:
            report.warnings.append(f"{key} holds numbers of calls, and is not understood: its numbers are left out")
            continue
        for name in DURATIONS:
            number = number_in(value.get(name))
            if number is not None and number >= 0:
                found.setdefault(name, {})[statistic] = number
    for name, one in found.items():
        if name not in report.durations:
            report.durations[name] = Duration(one.get("mean"), one.get("median"), one.get("sd"))


def _duration(name: str, value: object, calls: Sequence[Mapping[str, object]], report: Report) -> None:
    durations: list[float] = []
    averages: dict[str, float] = {}
    odd = 0
    for kind, written in _entries(value, name):
        number = number_in(written)
        if number is None or number < 0:
            odd += 1
        elif kind == "call":
            durations.append(number)
        else:
            averages[kind] = number
    if odd:
        report.warnings.append(
            f"{odd} of the values of {name} are not durations (NaN, infinite, text) and were left out"
        )
    absent = sum(call.get(name) is None for call in calls)
    # A duration of which no call says anything is none that was measured.
    if absent and (absent < len(calls) or any(name in call for call in calls)):
        report.warnings.append(f"{name} is absent or null in {absent} of {len(calls)} calls, which are not counted")
    if durations:
        report.durations[name] = over_calls(durations)
    elif averages:
        report.durations[name] = Duration(averages.get("mean"), averages.get("median"), averages.get("sd"))


def _entries(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Yield what stands for a duration: (`call`, its value) of a call, (`mean`, …) of an average.

    Calls stand as a list of mappings, as a mapping of mappings (call → its fields), or as a list for each name. A lone
    number beside a name is an average over calls, unless it stands in an entry of a list, which is one call.
    """
    if isinstance(value, list):
        for entry in value:
            if isinstance(entry, Mapping):
                yield from (("call", number) for number in _flat(entry.get(name)))
        return
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key == name:
            yield from (("call", number) for number in item) if isinstance(item, list) else _average("mean", item)
        elif isinstance(item, Mapping):
            yield from (("call", number) for number in _flat(item.get(name)))
    for kind, prefixes in _EXECUTION.items():
        for prefix in prefixes:
            yield from _average(kind, value.get(f"{prefix}_{name}"))


def _average(kind: str, item: object) -> Iterator[tuple[str, object]]:
    if isinstance(item, Mapping):
        for name, keys in _EXECUTION.items():
            yield from ((name, item[key]) for key in keys if item.get(key) is not None)
    elif item is not None:
        yield kind, item


def _flat(item: object) -> list[object]:
    return [] if item is None else list(item) if isinstance(item, list) else [item]


def _number(data: Mapping[str, Any], report: Report, *keys: str) -> float | None:
    for key in keys:
        if data.get(key) is not None:
            number = number_in(data[key])
            if number is None or number < 0:
                report.warnings.append(f"{key} {str(data[key])[:20]!r} is not such a number and was left out")
                return None
            return number
    return None


def _text(data: Mapping[str, Any], *keys: str) -> str | None:
    return next((text for key in keys if (text := " ".join(str(data.get(key) or "").split()))), None)
