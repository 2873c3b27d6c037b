"""The settings of runs: flat, without what only names a run, and those in which runs differ."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.runs.files.summary import is_code_version, is_incidental
from exaid_evals.runs.files.tracked import plain

_SEEDS = frozenset({"seed", "random_seed", "random_state", "global_seed", "rng_seed"})
ABSENT = "absent"
_WRITTEN = re.compile(r"-?(0|[1-9]\d*)(\.(\d*[1-9]|0))?([eE][+-]?\d+)?")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_DIGITS = 15
"""That a number keeps; text of more is kept as it is."""
_GREATEST = 10**300
"""A greater whole number has no floating-point form, and is text."""


def flat_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as dotted key → plain value, in order of keys.

    A list stays one value. Text that is a number, a truth value or none becomes that, since some trackers keep only
    text; but not where something would be lost: versions `1.10` and `1.1` are two, and so are `007` and `7`. A whole
    number that came as a fraction (32.0) becomes whole.
    """
    return {key: _value(value) for key, value in sorted(_flat(config).items())}


def seed_keys(settings: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """Return for each run the setting that holds its seed; None where there is none.

    Of several (`seed` and `trainer.seed`) the one that varies over the runs, then the one of the shortest key.

    Args:
        settings: of each run.
    """
    varying = set(differing(settings))
    found = []
    for one in settings:
        named = [key for key in one if is_seed(key)]
        # A key that some runs lack differs among them and need not vary where it is.
        values = {key: {setting_text(other, key) for other in settings if key in other} for key in named}
        order = sorted(named, key=lambda key: (key not in varying or len(values[key]) < 2, key.count("."), key))
        found.append(order[0] if order else None)
    return found


def is_seed(key: str) -> bool:
    """Tell whether a setting is called a seed."""
    return key.rpartition(".")[2].lower() in _SEEDS


def making(settings: Mapping[str, Any], without: str | None = None) -> dict[str, Any]:
    """Return the settings that say how a run was made; none that seeds, names, places or times it, nor `without`.

    The version of the code is one: another program may give another result.
    """
    return {
        key: value
        for key, value in settings.items()
        if key != without and (is_code_version(key) or not is_incidental(key))
    }


def passed_over(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys in which settings differ and that count for nothing, but for seeds: what names or places runs."""
    ignored = [{key: one[key] for key in one.keys() - making(one).keys() if not is_seed(key)} for one in settings]
    return differing(ignored)


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys in which settings differ; one that some lack differs."""
    keys = sorted({key for one in settings for key in one})
    return [key for key in keys if len({setting_text(one, key) for one in settings}) > 1]


def setting_text(settings: Mapping[str, Any], key: str) -> str:
    """Return a setting as it is shown and compared: text as it is, the rest as JSON; `absent` where there is none."""
    if key not in settings:
        return ABSENT
    value = settings[key]
    if isinstance(value, str):
        return value
    # More digits than a file of ours keeps: 1e-7 and 2e-7 are two learning rates.
    return f"{value:.12g}" if isinstance(value, float) else canonical_json(value)


def _flat(config: Mapping[str, Any], prefix: str = "", deep: int = 0) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value and deep < 20:
            flat.update(_flat(value, f"{prefix}{key}.", deep + 1))
        else:
            flat[f"{prefix}{key}"] = plain(value)
    return flat


def _value(value: Any) -> Any:
    if isinstance(value, str):
        if value in _WORDS:
            return _WORDS[value]
        digits = re.sub(r"[eE].*|\D", "", value).lstrip("0")
        if not _WRITTEN.fullmatch(value) or len(digits) > _DIGITS or not math.isfinite(float(value)):
            return value
        value = float(value)
    if isinstance(value, int) and abs(value) > _GREATEST:
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
