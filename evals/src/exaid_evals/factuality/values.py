"""Numbers, units and dates among the words of a text, read so that one value has one form however it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_SPELLED = {word: n for n, word in enumerate(f"{_ONES} eighteen nineteen".split())}
_TENS = {
    word: 10 * n
    for n, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_SCALES = {"hundred": 100, "thousand": 1000}
_MONTH_NAMES = "january february march april may june july august september october november december"
_MONTHS = {name: n for n, month in enumerate(_MONTH_NAMES.split(), 1) for name in (month, month[:3])}

# A line: the unit that values are compared in, then units with how many of it they are.
_UNIT_TABLE = """
mg mg=1 milligram=1 g=1000 gram=1000 mcg=0.001 microgram=0.001 µg=0.001 ug=0.001
kg kg=1 kilogram=1 kilo=1 lb=0.45359237 pound=0.45359237
oz oz=1 ounce=1
ml ml=1 milliliter=1 millilitre=1 cc=1 l=1000 liter=1000 litre=1000 dl=100 deciliter=100
mm mm=1 millimeter=1 cm=10 centimeter=10
inch inch=1
mmhg mmhg=1
mmol mmol=1 millimole=1
meq meq=1 milliequivalent=1
unit unit=1 iu=1
bpm bpm=1
% %=1 percent=1
degree degree=1
minute minute=1 min=1
hour hour=1 hr=1
day day=1
week week=1 wk=1
month month=1
year year=1 yr=1
pack pack=1
tablet tablet=1 tab=1
"""
_UNITS = {
    name: (base, float(factor))
    for base, *units in (line.split() for line in _UNIT_TABLE.strip().splitlines())
    for name, _, factor in (unit.partition("=") for unit in units)
}
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)([a-zµ%]*)")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")
_PRESSURE = re.compile(r"(\d{2,3}) (?:/|over) (\d{2,3})", re.ASCII)
_LOWEST, _HIGHEST = 30, 300  # mmHg
_SCALES_OF_HEAT = {"c": (1.0, 0.0), "celsius": (1.0, 0.0), "f": (1.8, 32.0), "fahrenheit": (1.8, 32.0)}
_COLDEST, _HOTTEST = 30, 45  # °C of a body: a C or F behind another number is none
_CENTURY = 30
"""Years of two digits up to it are of this century."""


class Value(NamedTuple):
    """A number or a date.

    Attributes:
        number: digits without superfluous zeros, in the unit; a date as `2005-04-15`.
        unit: as in `mg`, or `mg/ml`; `date`; empty where none follows.
        end: index of the first word behind it.
    """

    number: str
    unit: str
    end: int


def read_value(words: Sequence[str], index: int, end: int) -> Value | None:
    """Return the value that begins at a word; None where none does.

    >>> read_value(["500", "mg", "daily"], 0, 3), read_value(["0.5", "g"], 0, 2)
    (Value(number='500', unit='mg', end=2), Value(number='500', unit='mg', end=2))
    >>> read_value(["101.3", "f"], 0, 2), read_value(["154", "lb"], 0, 2)
    (Value(number='38.5', unit='c', end=2), Value(number='69.9', unit='kg', end=2))
    >>> read_value("nineteen eighty four".split(), 0, 3).number, read_value(["06", "/", "19", "/", "07"], 0, 5).number
    ('1984', '2007-06-19')
    """
    if not (words[index][0].isdigit() or words[index] in _MONTHS or words[index] in _SPELLED or words[index] in _TENS):
        return None
    return _date(words, index, end) or _pressure(words, index, end) or _quantity(words, index, end)


def _date(words: Sequence[str], index: int, end: int) -> Value | None:
    """Read month/day/year, a month's name with day and year, or year-month-day."""
    given = [(place, words[place]) for place in range(index, min(end, index + 5)) if words[place] not in ("/", ",")]
    if len(given) < 3:
        return None
    (_, one), (_, two), (last, three) = given[:3]
    slashed = list(words[index:last]).count("/") == 2
    day = _ORDINAL.fullmatch(two)
    if one in _MONTHS and day and re.fullmatch(r"\d{4}", three):
        return _dated(int(three), _MONTHS[one], int(day[1]), last + 1)
    if slashed and all(re.fullmatch(r"\d{1,2}", part) for part in (one, two)) and re.fullmatch(r"\d{2}|\d{4}", three):
        year = int(three) + (0 if len(three) == 4 else 2000 if int(three) <= _CENTURY else 1900)
        return _dated(year, int(one), int(two), last + 1)
    if (
        re.fullmatch(r"(?:19|20)\d\d", one)
        and last == index + 2
        and all(re.fullmatch(r"\d\d", part) for part in (two, three))
    ):
        return _dated(int(one), int(two), int(three), last + 1)
    return None


def _pressure(words: Sequence[str], index: int, end: int) -> Value | None:
    """Read a blood pressure: 140/90, or 140 over 90."""
    found, behind = _PRESSURE.fullmatch(" ".join(words[index : min(end, index + 3)])), index + 3
    following = words[behind] if behind < end else ""
    if not found or following == "/" or not _LOWEST <= int(found[2]) < int(found[1]) <= _HIGHEST:
        return None
    return Value(f"{found[1]}/{found[2]}", "mmhg", behind + (following == "mmhg"))


def _dated(year: int, month: int, day: int, end: int) -> Value | None:
    return Value(f"{year:04}-{month:02}-{day:02}", "date", end) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _quantity(words: Sequence[str], index: int, end: int) -> Value | None:
    """Read a number, in digits or words, and the unit behind it."""
    attached = ""
    if words[index][0].isdigit():
        found = _NUMBER.fullmatch(words[index])
        if not found or (found[2] and found[2] not in _UNITS and found[2] not in _SCALES_OF_HEAT):
            return Value(words[index], "", index + 1)  # 5th, t12
        amount, attached, behind = _amount(found[1]), found[2], index + 1
    else:
        spelled, behind = _spelled(words, index, end)
        if behind == index:
            return None
        amount = float(spelled)
    if not attached and behind < end and _unit(words[behind]) is not None:
        attached, behind = words[behind], behind + 1
    scale = attached if attached in _SCALES_OF_HEAT else words[behind] if behind < end else ""
    if scale in _SCALES_OF_HEAT and _unit(attached) in (None, ("degree", 1.0)):
        per, zero = _SCALES_OF_HEAT[scale]
        if _COLDEST <= (celsius := (amount - zero) / per) <= _HOTTEST:
            return Value(f"{celsius:.1f}".removesuffix(".0"), "c", behind + (scale != attached))
    base, factor = _unit(attached) or ("", 1.0)
    if base and behind + 1 < end and words[behind] in ("/", "per") and _unit(words[behind + 1]) is not None:
        below, divisor = _unit(words[behind + 1]) or ("", 1.0)
        base, factor, behind = f"{base}/{below}", factor / divisor, behind + 2
    # Pounds in kilograms as scales show them.
    digits = 3 if base == "kg" and factor < 1 else 6
    return Value(f"{amount * factor:.{digits}g}", base, behind)


def _amount(digits: str) -> float:
    return float(
        digits.replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits) else digits.replace(",", ".")
    )


def _unit(word: str) -> tuple[str, float] | None:
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))


def _spelled(words: Sequence[str], index: int, end: int) -> tuple[int, int]:
    """Return the number that words spell, and where it ends: at its beginning where they spell none."""
    total = part = 0
    first = index
    while index < end:
        word = words[index]
        value = _TENS.get(word, _SPELLED.get(word))
        if value is not None:
            if part % 100 and not (part % 10 == 0 and part % 100 >= 20 and value < 10):
                if not (10 <= part <= 20 and word in _TENS):  # nineteen eighty
                    break
                part *= 100
            part += value
        elif word in _SCALES and index > first:
            total, part = (total + part * 1000, 0) if word == "thousand" else (total, part * 100)
        else:
            break
        index += 1
    return total + part, index
