"""The text half of a model report: `report_*.txt`, lines such as `Accuracy: 53.00%` and `AUC-ROC: 0.4699`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import content_of
from exaid_evals.runs.files.model_reports_numbers import ATTEMPTS, Report, area_of, confusion_of, share_of

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
    """Takes the lines of one text; of two of a name the first counts, and another value in the second is reported."""

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
        """Return whether nothing has been taken for a name, and say where what was taken is something else."""
        shown = f"{number.text}{number.unit}"
        if key not in self._first:
            self._first[key] = shown
            return True
        if self._first[key] != shown:
            warning = f"the text gives {key} twice, as {self._first[key]} and as {shown}; the first counts"
            self._report.warnings.append(warning)
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
            self._report.warnings.append(f"the text's {name} {written:g}% is not a share and was left out")
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
    data = content_of(path, _MAX_BYTES)
    if not data.strip():
        raise DataError("is empty", where=str(path), remedy="write or copy it again")
    return data.decode("utf-8-sig", errors="replace")


Sign = Literal[".", ","]

# Groups of three stand behind a comma, point, apostrophe, underscore or a blank that does not break the line.
_GROUPS = r"\d{1,3}(?:(?P<apart>[,.'_ \u2019\u00a0\u202f])\d{3})(?:(?P=apart)\d{3})*"
_NUMBER = re.compile(
    rf"^(?P<number>[+-]?(?:(?P<grouped>{_GROUPS})(?P<rest>[.,]\d+)?|(?P<plain>\d+(?:[.,]\d+)?|[.,]\d+))"
    r"(?P<exponent>[eE][+-]?\d+)?)(?![\d.,]*\d)\s*(?P<unit>%|[A-Za-zµ]+)?"
)


class AmbiguousError(ValueError):
    """A number may mean two things."""


@dataclass(frozen=True, slots=True)
class Written:
    """A number as it is written.

    Attributes:
        value: what it says.
        half_a_step: by how much it may differ from a number that rounds to it.
        unit: what stands behind it, in lower case; empty for nothing.
        text: as written, without the unit.
    """

    value: float
    half_a_step: float
    unit: str
    text: str


def decimal_sign_of(values: Iterable[str]) -> Sign | None:
    """Return what stands before decimals in a text; None where its numbers do not say, or contradict each other.

    >>> decimal_sign_of(["1,250 ms", "0.4699"]), decimal_sign_of(["53,5%"]), decimal_sign_of(["1,250", "940"])
    ('.', ',', None)
    """
    said: set[Sign] = set()
    for value in values:
        match = _NUMBER.match(value.strip())
        if match is None:
            continue
        sign = _sign_in(match)
        if sign is not None:
            said.add(sign)
    return said.pop() if len(said) == 1 else None


def read_number(value: str, decimal_sign: Sign | None, *, whole: bool = False) -> Written | None:
    """Return the number with which a text begins; None where it begins with none.

    Args:
        value: the text.
        decimal_sign: what stands before decimals in the text around it; None where that is not known.
        whole: whether a count is meant, which has no decimals.

    Raises:
        AmbiguousError: it may mean two numbers.

    >>> read_number("1,250 ms", ".").value, read_number("1,250 ms", ",").value
    (1250.0, 1.25)
    >>> read_number("1,250", None, whole=True).value
    1250.0
    >>> read_number("0,469", None).value, read_number("1,234.5", None).value, read_number("1.234,5 s", None).value
    (0.469, 1234.5, 1234.5)
    """
    match = _NUMBER.match(value.strip())
    if match is None:
        return None
    sign = _sign_in(match) or decimal_sign
    apart, text = match["apart"], match["number"]
    if sign is None and apart in (".", ","):
        if whole and apart == ",":
            sign = "."
        elif whole or apart == ",":
            raise AmbiguousError(f"{text} may be a thousand and more, or have three decimals")
        else:
            sign = "."  # 1.250 as every program prints it
    if whole and apart is not None and apart == sign:
        raise AmbiguousError(f"{text} may be a thousand and more, or have three decimals")
    if sign is not None and apart == sign:
        digits = text.replace(sign, ".")  # decimals, three by chance
    else:
        digits = text if apart is None else text.replace(apart, "")
        digits = digits.replace(",", ".")
    decimals = re.split("[eE]", digits)[0].partition(".")[2]
    return Written(float(digits), 0.5 * 10.0 ** -len(decimals), (match["unit"] or "").lower(), text)


def _sign_in(match: re.Match[str]) -> Sign | None:
    """Return the decimal sign that a number itself shows."""
    apart, rest = match["apart"], match["rest"]
    if apart is None:
        plain = match["plain"] or ""
        return "," if "," in plain else "." if "." in plain else None
    if rest is not None:
        return "," if rest[0] == "," else "."
    if match["grouped"].count(apart) > 1 or apart not in ",.":
        return {",": ".", ".": ","}.get(apart)  # type: ignore[return-value]
    if match["grouped"].startswith("0"):
        return "," if apart == "," else "."  # no thousand begins with 0
    return None
