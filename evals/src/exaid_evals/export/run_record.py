"""A run as the summary has it, and its canonical text, which is made where the run is read: in several processes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.runs.base import Predictions, Run, Training

STAND_IN = "\u2063run\u2063"
"""Stands for a run's name until all runs are known, of which names depend. U+2063 is an invisible separator."""
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
    """Return the canonical text of a run's record."""
    return canonical_json(run_record(run))


def named_text(text: str, name: str) -> str:
    """Return a record's text, made under the stand-in for its name, under the name itself.

    What follows the name in the order of keys marks its place, so that nothing that a file holds is taken for it.
    """
    at, _ = max((text.rfind(f"{_NAMELESS}{follows}"), follows) for follows in _FOLLOWING)
    if at < 0:
        raise ValueError("no record of a run that was read")
    rest = text[at + len(_NAMELESS) :]
    return f'{text[:at]}"run":{json.dumps(name, ensure_ascii=False)}{rest}'


_SETS = ("lower_is_better", "higher_is_better")
_DATA = tuple(item.name for item in fields(Run) if item.name not in ("origin", "cases"))


def to_data(run: Run) -> dict[str, Any]:
    """Return a run as plain data, without what is not data: where it lies, and its cases."""
    values = ((name, getattr(run, name)) for name in _DATA)
    data: dict[str, Any] = {name: value for name, value in values if value is not None and value != {} and value != ()}
    for name in _SETS:
        data[name] = sorted(data[name])
    for name in ("predictions", "training"):
        if name in data:
            data[name] = {one: getattr(data[name], one) for one in data[name].__slots__}
    return data


def from_data(data: Mapping[str, Any], name: str, origin: Path | None = None) -> Run:
    """Return the run of plain data, under its name, and where it lies."""
    arguments = {"metrics": {}, **data, "origin": origin}
    for one in _SETS:
        arguments[one] = frozenset(arguments[one])
    if "predictions" in arguments:
        arguments["predictions"] = Predictions(**arguments["predictions"])
    if "training" in arguments:
        arguments["training"] = Training(**arguments["training"])
    arguments["name"] = name
    arguments["warnings"] = _named(arguments.get("warnings", ()), name)
    return Run(**arguments)


def renamed(run: Run, name: str, origin: Path) -> Run:
    """Return the run under its name, in its warnings too, and where it lies."""
    return replace(run, name=name, warnings=_named(run.warnings, name), origin=origin)


def _named(warnings: Iterable[str], name: str) -> tuple[str, ...]:
    return tuple([line.replace(STAND_IN, name) for line in warnings])
