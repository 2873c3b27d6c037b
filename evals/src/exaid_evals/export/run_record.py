"""A run as the summary has it, and its canonical text, which is made where the run is read: in several processes."""

from __future__ import annotations

import json
from typing import Any

import orjson

from exaid_evals.artifacts.canonical import canonical_json, rounded
from exaid_evals.export.run_data import STAND_IN
from exaid_evals.runs.base import Run

# What Python writes without an exponent.
_LEAST, _MOST = 1e-4, 1e16
_ALWAYS = ("format", "metrics", "attributes", "signature", "stub")
_WHERE_THERE = ("per_class", "config", "seed", "fold", "trial", "group", "git_hash", "git_dirty")
_NAMELESS = f'"run":{json.dumps(STAND_IN, ensure_ascii=False)}'
_FOLLOWING = (',"seed":', ',"signature":')
"""The keys of a record that may come next after its name; what a file fills with keys of its own stands above them."""


def run_record(run: Run) -> dict[str, Any]:
    """Return a run as the summary has it; what a format does not have is left out."""
    record: dict[str, Any] = {"run": run.name, **{name: getattr(run, name) for name in _ALWAYS}}
    record |= {name: value for name in _WHERE_THERE if (value := getattr(run, name)) not in (None, {})}
    for name, part in (("predictions", run.predictions), ("history", run.training)):
        if part is not None:  # `asdict` copies deeply, which shows in thousands of runs
            record[name] = {one: getattr(part, one) for one in part.__slots__}
    return record


def record_text(run: Run) -> str:
    """Return the canonical text of a run's record.

    orjson writes it like `canonical_json`, several times as fast, but for the few numbers that Python writes with an
    exponent, and what it refuses.
    """
    record = run_record(run)
    try:
        return orjson.dumps(_rounded(record), option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError):  # orjson's error of text that is not Unicode is of the former
        return canonical_json(record)


def _rounded(value: Any) -> Any:
    """Return data with its numbers rounded.

    Raises:
        ValueError: a number is NaN, infinite, or written with an exponent.
    """
    kind = type(value)
    if kind is float:
        short = rounded(value)
        if short and not _LEAST <= abs(short) < _MOST:  # NaN lies nowhere
            raise ValueError("written in another way")
        return short
    if kind is dict:
        return {key: item if type(item) is str else _rounded(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_rounded(item) for item in value]
    if kind is str or kind is int or kind is bool or value is None:
        return value
    raise TypeError(kind)


def named_text(text: str, name: str) -> str:
    """Return a record's text, made under the stand-in for its name, under the name itself.

    What follows the name in the order of keys marks its place, so that nothing that a file holds is taken for it.
    """
    at, _ = max((text.rfind(f"{_NAMELESS}{follows}"), follows) for follows in _FOLLOWING)
    if at < 0:
        raise ValueError("no record of a run that was read")
    rest = text[at + len(_NAMELESS) :]
    return f'{text[:at]}"run":{json.dumps(name, ensure_ascii=False)}{rest}'
