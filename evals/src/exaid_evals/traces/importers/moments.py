"""When a message was said, as files put it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from exaid_evals.artifacts.timestamps import parse_timestamp
from exaid_evals.errors import DataError
from exaid_evals.traces.importers.base import Moment, Reading, Spot, When
from exaid_evals.traces.model import MAX_T_MS

# Years 1970 to 9999, in ms: what the time stamp of a conversation's last message can be written as.
LATEST_MS = 253_402_300_799_999 - MAX_T_MS
_DIGITS = re.compile(r"[0-9]{1,20}")


def when_of(fields: Mapping[str, Any], content: str, spot: Spot, reading: Reading) -> When:
    """Return what a message's fields say of its time.

    `t_ms`, `timestamp` or `created_at`, of which a message has one, is when it was there: it was complete. `start_ms`
    or `started_at` is when it began, `end_ms` or `ended_at` again when it was complete, and `stream` its chunks as
    `[t_ms, n_chars]`. What ends in `_ms` counts from any moment of the conversation; the others are RFC 3339 with an
    offset, `created_at` also, as OpenAI's interfaces write it, seconds since 1970. Other times are reported, not
    guessed at.
    """
    stream = fields.get("stream")
    return When(
        start=_moment(fields, _START, spot, reading),
        end=_moment(fields, _END, spot, reading),
        stream=_chunks(stream, len(content), spot, reading) if isinstance(stream, list) and stream else (),
    )


def _chunks(stream: list[Any], n_chars: int, spot: Spot, reading: Reading) -> tuple[tuple[Moment, int], ...]:
    pairs = [pair for pair in stream if isinstance(pair, list) and len(pair) == 2 and None not in map(_whole, pair)]
    if len(pairs) < len(stream) or sum(length for _, length in pairs) != n_chars:
        what = f"is not a list of [t_ms, n_chars] whose lengths add up to the content's {n_chars}"
        reading.damage(spot.below("stream"), what, remedy="write each chunk's time and length, or leave `stream` out")
        return ()
    return tuple((Moment(t_ms, absolute=False), length) for t_ms, length in pairs)


def _moment(fields: Mapping[str, Any], keys: _Keys, spot: Spot, reading: Reading) -> Moment | None:
    for key, read in keys:
        value = fields.get(key)
        if value is None or value == "":
            continue
        moment = read(value)
        if moment is None or not 0 <= moment.ms <= LATEST_MS:
            remedy = "write whole milliseconds" if key.endswith("_ms") else "write it like 2024-12-19T12:00:00.000Z"
            reading.damage(spot.below(key), f"{value!r:.60} is not a time", remedy=remedy)
            return None
        return moment
    return None


def from_nanoseconds(value: object) -> Moment | None:
    """Return the moment of a `…UnixNano`, a number or its digits; None for 0, which means unset, and for no number."""
    number = _whole(value)
    if not number or number // 1_000_000 > LATEST_MS:
        return None
    return Moment(number // 1_000_000, absolute=True)


def _relative(value: object) -> Moment | None:
    number = _whole(value)
    return None if number is None else Moment(number, absolute=False)


def _stamp(value: object) -> Moment | None:
    if not isinstance(value, str):
        return None
    try:
        return Moment(round(parse_timestamp(value).timestamp() * 1000), absolute=True)
    except (DataError, OverflowError):
        return None


def _stamp_or_seconds(value: object) -> Moment | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Moment(round(value * 1000), absolute=True) if abs(value) < LATEST_MS else None
    return _stamp(value)


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_Keys = tuple[tuple[str, Callable[[object], Moment | None]], ...]
_START: _Keys = (("start_ms", _relative), ("started_at", _stamp_or_seconds))
_END: _Keys = (
    ("end_ms", _relative),
    ("ended_at", _stamp_or_seconds),
    ("t_ms", _relative),
    ("timestamp", _stamp),
    ("created_at", _stamp_or_seconds),
)
TIME_KEYS = tuple(key for key, _ in (*_START, *_END))
