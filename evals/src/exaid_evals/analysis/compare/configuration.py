"""The settings of runs: flat, without what only names a run, and those in which runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.export.readers.summary import is_incidental
from exaid_evals.export.readers.tracked import plain

_SEEDS = frozenset({"seed", "random_seed", "random_state", "global_seed", "rng_seed"})
ABSENT = "absent"


def flat_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as dotted key → plain value, in order of keys.

    A list stays one value. Text that is a number becomes the number, since some trackers keep only text; a whole number
    that came as a fraction (32.0) becomes whole.
    """
    return {key: _value(value) for key, value in sorted(_flat(config).items())}


def seed_key(settings: Mapping[str, Any]) -> str | None:
    """Return the setting that holds the seed: the one of the shortest key whose last part is called so."""
    named = [key for key in settings if key.rpartition(".")[2].lower() in _SEEDS]
    return min(named, key=lambda key: (key.count("."), key), default=None)


def making(settings: Mapping[str, Any], without: str | None = None) -> dict[str, Any]:
    """Return the settings that say how a run was made; none that seeds, names, places or times it, nor `without`."""
    return {key: value for key, value in settings.items() if key != without and not is_incidental(key)}


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
        try:
            number = float(value)
        except ValueError:
            return value
        # `nan`, `inf` and `1_000` are words here.
        if number - number != 0 or "_" in value:
            return value
        value = number
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
