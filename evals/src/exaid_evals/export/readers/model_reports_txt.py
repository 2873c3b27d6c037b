"""The text half of a model report: `report_*.txt`, lines such as `Accuracy: 53.00%` and `AUC-ROC: 0.4699`."""

from __future__ import annotations

import re
from pathlib import Path

from exaid_evals.artifacts.content import content_chunks
from exaid_evals.errors import DataError
from exaid_evals.export.readers.model_reports_numbers import ATTEMPTS, Report, area_of, confusion_of, share_of

_MAX_BYTES = 16 * 1024 * 1024
_LONGEST_LINE = 500

# A line: a name, a colon or an equals sign, a value.
_LINE = re.compile(r"^[\s*#>|+-]*(?P<name>[A-Za-z][A-Za-z0-9 _()/.-]{0,60}?)[\s*|]*[:=][\s*|]*(?P<value>\S.*?)[\s*|]*$")
_NUMBER = re.compile(r"^(?P<number>[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>%|[A-Za-zµ]+)?")
_SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "min": 60.0}

_TEXTS = {"model": "model", "model name": "model", "prompt type": "prompt_type", "prompt": "prompt_type"}
_SHARES = {
    "accuracy": "accuracy",
    "prediction accuracy": "accuracy",
    "overall accuracy": "accuracy",
    "auc-roc": "auc_roc",
    "auc roc": "auc_roc",
    "roc-auc": "auc_roc",
    "roc auc": "auc_roc",
    "auc": "auc_roc",
}
_COUNTS = {
    "tp": "tp",
    "true positives": "tp",
    "tn": "tn",
    "true negatives": "tn",
    "fp": "fp",
    "false positives": "fp",
    "fn": "fn",
    "false negatives": "fn",
}
_TIMES = {
    "average execution time": "mean",
    "avg execution time": "mean",
    "mean execution time": "mean",
    "median execution time": "median",
    "sd execution time": "sd",
    "std execution time": "sd",
    "standard deviation of execution time": "sd",
}


def read_report_txt(path: Path) -> Report:
    """Read the file; bytes that are no UTF-8 are passed over, for the numbers are ASCII.

    Raises:
        DataError: it is missing, too large, or no line of it is one of such a report.
    """
    report, counts = Report(), {}
    found = 0
    for line in _text(path).splitlines():
        match = _LINE.match(line[:_LONGEST_LINE])
        if match is None:
            continue
        name = " ".join(match["name"].lower().replace("_", " ").split())
        if name in _COUNTS and (number := _NUMBER.match(match["value"])):
            counts[_COUNTS[name]] = number["number"]
            found += 1
        else:
            found += _take(report, name, match["value"])
    if counts:
        report.confusion = confusion_of(counts, report.warnings)
    if not found:
        raise DataError(
            "has no line of a model report", where=str(path), remedy="lines such as `Accuracy: 53.00%` are looked for"
        )
    return report


def _take(report: Report, name: str, value: str) -> bool:
    """Take a line into the report; tell whether it is one that belongs there. Of two of a name the first counts."""
    if name in _TEXTS:
        field = _TEXTS[name]
        if getattr(report, field) is None:
            setattr(report, field, " ".join(value.split()))
        return field == "prompt_type"
    attempts = re.fullmatch(rf"({'|'.join(ATTEMPTS)})(?: attempts)?|(timeouts)", name)
    number = _NUMBER.match(value)
    if number is None:
        if name in _SHARES and value.strip().lower() not in ("n/a", "nan", "none", "-"):
            report.warnings.append(f"the text's {_SHARES[name]} {value[:20]!r} is no number")
        return name in _SHARES
    written = float(number["number"].replace(",", "."))
    unit = (number["unit"] or "").lower()
    if name in _SHARES:
        _take_share(report, _SHARES[name], written, number["number"], percent=unit == "%")
    elif name in _TIMES and unit in _SECONDS:
        field = _TIMES[name]
        if field not in report.execution_s:
            report.execution_s[field] = written * _SECONDS[unit]
            report.digits[f"execution_{field}"] = _half_a_step(number["number"]) * _SECONDS[unit]
    elif attempts and unit != "%" and written == int(written):
        report.attempts.setdefault(attempts[1] or "timeout", int(written))
    else:
        return False
    return True


def _take_share(report: Report, name: str, written: float, digits: str, *, percent: bool) -> None:
    if getattr(report, name) is not None:
        return
    if percent and not 0 <= written <= 100:
        report.warnings.append(f"the text's {name} {written:g}% is no share and was left out")
        return
    read = area_of if name == "auc_roc" else share_of
    share = written / 100 if percent else read(written, f"the text's {name}", report.warnings)
    setattr(report, name, share)
    report.digits[name] = _half_a_step(digits) / (100 if percent or written > 1 else 1)


def _half_a_step(digits: str) -> float:
    """Return by how much a number may differ from one that rounds to it.

    >>> _half_a_step("53.00"), _half_a_step("7")
    (0.005, 0.5)
    """
    decimals = re.split(r"[.,]", re.split("[eE]", digits)[0])
    return 0.5 * 10.0 ** -(len(decimals[1]) if len(decimals) > 1 else 0)


def _text(path: Path) -> str:
    data = bytearray()
    for chunk in content_chunks(path):
        data += chunk
        if len(data) > _MAX_BYTES:
            raise DataError(f"is larger than {_MAX_BYTES >> 20} MiB", where=str(path), remedy="is it the right file?")
    if not data.strip():
        raise DataError("is empty", where=str(path), remedy="write it again")
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return data.decode(encoding, errors="replace")
