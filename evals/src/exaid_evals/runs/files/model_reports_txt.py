"""The text half of a model report: `report_*.txt`, lines such as `Accuracy: 53.00%` and `AUC-ROC: 0.4699`."""

from __future__ import annotations

import re
from pathlib import Path

from exaid_evals.artifacts.content import content_chunks
from exaid_evals.errors import DataError
from exaid_evals.runs.files.model_reports_numbers import ATTEMPTS, Report, area_of, confusion_of, share_of
from exaid_evals.runs.files.written_numbers import AmbiguousError, Sign, Written, decimal_sign_of, read_number

_MAX_BYTES = 16 * 1024 * 1024
_LONGEST_LINE = 500

# A line: a name, a colon or an equals sign, a value.
_LINE = re.compile(r"^[\s*#>|+-]*(?P<name>[A-Za-z][A-Za-z0-9 _()/.-]{0,60}?)[\s*|]*[:=][\s*|]*(?P<value>\S.*?)[\s*|]*$")
_ATTEMPTS = re.compile(rf"({'|'.join(ATTEMPTS)})(?: attempts)?|(timeouts)")
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
    """Read the file; bytes that are not UTF-8 are passed over, for the numbers are ASCII.

    Raises:
        DataError: it is missing, too large, or no line of it is one of such a report.
    """
    matches = [match for line in _text(path).splitlines() if (match := _LINE.match(line[:_LONGEST_LINE]))]
    lines = [(" ".join(match["name"].lower().replace("_", " ").split()), match["value"]) for match in matches]
    reading = _Reading(decimal_sign_of(value for _, value in lines))
    found = sum([reading.take(name, value) for name, value in lines])
    report = reading.finished()
    if not found:
        raise DataError(
            "has no line of a model report", where=str(path), remedy="lines such as `Accuracy: 53.00%` are looked for"
        )
    return report


class _Reading:
    """Takes the lines of one text; of two of a name the first counts, and another value in the second is told."""

    def __init__(self, decimal_sign: Sign | None) -> None:
        self._decimal_sign = decimal_sign
        self._report = Report()
        self._counts: dict[str, object] = {}
        self._first: dict[str, str] = {}

    def take(self, name: str, value: str) -> bool:
        """Take a line; tell whether it is one that belongs into such a report."""
        if name in _TEXTS:
            return self._take_text(_TEXTS[name], value)
        attempts = _ATTEMPTS.fullmatch(name)
        if name not in _SHARES and name not in _COUNTS and name not in _TIMES and not attempts:
            return False
        try:
            number = read_number(value, self._decimal_sign, whole=name in _COUNTS or attempts is not None)
        except AmbiguousError as error:
            self._report.warnings.append(f"the text's {name}: {error}, and was left out: write it without the sign")
            return True
        if number is None:
            if name in _SHARES and value.strip().lower() not in ("n/a", "nan", "none", "-"):
                self._report.warnings.append(f"the text's {_SHARES[name]} {value[:20]!r} is not a number")
            return name in _SHARES
        if name in _SHARES:
            return self._take_share(_SHARES[name], number)
        if name in _TIMES:
            return number.unit in _SECONDS and self._take_time(_TIMES[name], number)
        if name in _COUNTS:
            return self._take_count(_COUNTS[name], number)
        return self._take_attempts((attempts[1] if attempts else None) or "timeout", number)

    def finished(self) -> Report:
        """Return the report."""
        if self._counts:
            self._report.confusion = confusion_of(self._counts, self._report.warnings)
        return self._report

    def _is_first(self, key: str, number: Written) -> bool:
        """Tell whether nothing has been taken for a name, and say where what was taken is something else."""
        shown = f"{number.text}{number.unit}"
        if key not in self._first:
            self._first[key] = shown
            return True
        if self._first[key] != shown:
            told = f"the text gives {key} twice, as {self._first[key]} and as {shown}; the first counts"
            self._report.warnings.append(told)
        return False

    def _take_text(self, field: str, value: str) -> bool:
        if getattr(self._report, field) is None:
            setattr(self._report, field, " ".join(value.split()))
        return field == "prompt_type"

    def _take_share(self, name: str, number: Written) -> bool:
        percent, written = number.unit == "%", number.value
        if not self._is_first(name, number):
            return True
        if percent and not 0 <= written <= 100:
            self._report.warnings.append(f"the text's {name} {written:g}% is no share and was left out")
            return True
        read = area_of if name == "auc_roc" else share_of
        share = written / 100 if percent else read(written, f"the text's {name}", self._report.warnings)
        setattr(self._report, name, share)
        self._report.digits[name] = number.half_a_step / (100 if percent or written > 1 else 1)
        return True

    def _take_time(self, name: str, number: Written) -> bool:
        key = f"execution_{name}"
        if self._is_first(f"{name} execution time", number):
            self._report.execution_s[name] = number.value * _SECONDS[number.unit]
            self._report.digits[key] = number.half_a_step * _SECONDS[number.unit]
        return True

    def _take_attempts(self, name: str, number: Written) -> bool:
        if number.unit == "%" or not number.value.is_integer():
            return False
        if self._is_first(f"{name} attempts", number):
            self._report.attempts[name] = int(number.value)
        return True

    def _take_count(self, name: str, number: Written) -> bool:
        if self._is_first(name, number):
            self._counts[name] = number.value
        return True


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
