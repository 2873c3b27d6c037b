"""A run as plain data and back, exactly: what travels between processes and is remembered between exports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from exaid_evals.runs.base import Predictions, Run, Training

STAND_IN = "\u2063run\u2063"
"""Stands for a run's name until all runs are known, of which names depend. U+2063 is an invisible separator."""

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
