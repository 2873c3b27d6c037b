"""Comparing two sides: which files differ, where each first differs, and which differences follow from which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final, Literal

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.errors import DataError
from exaid_evals.verification.sides import LINE, Hashed, Part, Side, Stage, in_order, made_from, stage_of

_CONTEXT = 24
_LONGEST = 80


class _Absent:
    """Stands for the value of a field that is not there."""


ABSENT: Final = _Absent()


def both_shown(name: str, left: Any, right: Any) -> tuple[str, str, str]:
    """Return a field's name, down to the entry that differs, and both values as a message shows them.

    >>> both_shown("tau_list", [0.85, 0.9], [0.85, 0.91])
    ('tau_list[1]', '0.9', '0.91')
    >>> both_shown("unit", "ms", "s")
    ('unit', '"ms"', '"s"')
    >>> both_shown("content", "a fever of 39" + "." * 70, "a fever of 38" + "." * 70)[0]
    'content, character 13'
    """
    if isinstance(left, list) and isinstance(right, list):
        pairs = enumerate(zip_longest(left, right, fillvalue=ABSENT))
        at, (one, other) = next((number, pair) for number, pair in pairs if not same(*pair))
        return both_shown(f"{name}[{at}]", one, other)
    if isinstance(left, str) and isinstance(right, str):
        differing = (number for number, (one, other) in enumerate(zip(left, right, strict=False)) if one != other)
        at = next(differing, min(len(left), len(right)))
        if name == LINE:
            name = f"column {at + 1}"
        if max(len(left), len(right)) <= _LONGEST:
            return name, _json(left), _json(right)
        named = name if name.startswith("column ") else f"{name}, character {at + 1}"
        return named, _excerpt(left, at), _excerpt(right, at)
    return name, shown(left), shown(right)


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    if value is ABSENT:
        return "nothing"
    if isinstance(value, Hashed):
        return f"a longer value with sha256 {value.digits}…"
    text = _json(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _excerpt(text: str, at: int) -> str:
    start, end = max(0, at - _CONTEXT), at + _CONTEXT
    return f"{'…' if start else ''}{_json(text[start:end])}{'…' if end < len(text) else ''}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


Kind = Literal["differs", "missing", "extra", "damaged"]
HASH_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where two files first differ.

    Attributes:
        record: name of the record.
        field: its first field that differs; empty where the record as a whole is missing or extra.
        expected, found: the values as messages show them.
        n_records: how many records differ.
    """

    record: str
    field: str
    expected: str
    found: str
    n_records: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that is not the same on both sides.

    Attributes:
        path: inside the campaign.
        stage: what makes it.
        kind: `missing` where only the expected side has it, `extra` where only the other one has.
        place: where it first differs; None for pictures, and for files that hold the same in another form.
        problem: what is wrong with a damaged file.
        follows: a file that differs and that this one is made from; None for a root.
    """

    path: str
    stage: Stage
    kind: Kind
    place: Place | None = None
    problem: str = ""
    follows: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing found.

    Attributes:
        n_files: files on either side.
        differences: in the order of the stages.
    """

    n_files: int
    differences: tuple[Difference, ...]

    @property
    def roots(self) -> tuple[Difference, ...]:
        """Those that follow from no other."""
        return tuple(difference for difference in self.differences if difference.follows is None)

    @property
    def introduced_by(self) -> Stage | None:
        """The earliest stage with a difference; None where all is the same."""
        return self.differences[0].stage if self.differences else None


def compare(expected: Side, found: Side) -> Comparison:
    """Compare two sides file by file."""
    wanted, there = expected.files(), found.files()
    differences: list[Difference] = []
    for path in in_order(wanted.keys() | there.keys()):
        difference = _file(path, wanted.get(path), there.get(path), expected, found)
        if difference is None:
            continue
        source = next((other.path for other in differences if made_from(path, other.path)), None)
        differences.append(replace(difference, follows=source))
    return Comparison(len(wanted.keys() | there.keys()), tuple(differences))


def _file(path: str, wanted: str | None, there: str | None, expected: Side, found: Side) -> Difference | None:
    stage = stage_of(path)
    if stage is None:
        raise ValueError(f"{path} is made by no stage")
    if there is None or wanted is None:
        return Difference(path, stage, "missing" if there is None else "extra")
    for digest, side in ((wanted, expected), (there, found)):
        if not digest.startswith("sha256:"):
            return Difference(path, stage, "damaged", problem=f"{side.label}: {digest.removeprefix('damaged: ')}")
    if wanted == there:
        return None
    # What is wrong with the reference is no difference of this file, and ends the comparison.
    reference = expected.parts(path)
    try:
        place = first_place(reference, found.parts(path))
    except DataError as error:
        return Difference(path, stage, "damaged", problem=error.what)
    return Difference(path, stage, "differs", place)


def first_place(expected: Sequence[Part], found: Sequence[Part]) -> Place | None:
    """Return where two files' records first differ; None where they hold the same."""
    first: Place | None = None
    n_records = 0
    for one, other in zip_longest(expected, found):
        place = _record(one, other)
        if place is not None:
            n_records += 1
            first = first or place
    return None if first is None else replace(first, n_records=n_records)


def _record(expected: Part | None, found: Part | None) -> Place | None:
    if expected is None or found is None:
        part = expected or found
        there, gone = f"a record with {len(part.fields)} fields" if part else "", "no such record"
        return Place(part.name if part else "", "", *((there, gone) if found is None else (gone, there)), 1)
    for name in _names(expected.fields, found.fields):
        left, right = expected.fields.get(name, ABSENT), found.fields.get(name, ABSENT)
        if not same(left, right):
            field, shown_left, shown_right = both_shown(name, left, right)
            return Place(found.name, field, shown_left, shown_right, 1)
    return None


def _names(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return the fields of both, what a record says about itself before what sums it up."""
    return [*expected, *(name for name in found if name not in expected)]


def same(left: Any, right: Any) -> bool:
    """Return whether two values are the same; of a hashed one, whether it is the hash of the other."""
    if isinstance(left, Hashed) and isinstance(right, Hashed):
        return left == right
    if isinstance(left, Hashed) or isinstance(right, Hashed):
        hashed, value = (left, right) if isinstance(left, Hashed) else (right, left)
        return value is not ABSENT and hashed.digits == hash_digits(value)
    # 1 and 1.0 and true are one value in Python, and three in a file.
    return left is right or (type(left) is type(right) and bool(left == right) and _json(left) == _json(right))


def hash_digits(value: Any) -> str:
    """Return the digits by which a long value is kept."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()[:HASH_DIGITS]
