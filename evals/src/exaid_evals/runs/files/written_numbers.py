"""Numbers as people and locales write them: thousands apart, decimals behind a point or a comma.

`1,250` is a thousand and more to some, and one and a quarter to others. Which it is the other numbers of the same text
say; where they do not, it is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

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
