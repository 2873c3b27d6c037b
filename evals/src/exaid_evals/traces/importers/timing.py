"""When messages were said, where files say it: as they say it, on the clock of the case."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exaid_evals.artifacts.ids import format_timestamp, parse_timestamp
from exaid_evals.errors import DataError
from exaid_evals.traces.importers.base import Moment, Reading, Spot, Utterance, When
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


# A day on which no agent talked: what has no date shows that it has none.
NO_DATE = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Times:
    """The times of one message, in ms since the first moment that the case's file knows; None where it does not."""

    start_ms: int | None = None
    end_ms: int | None = None
    stream: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class CaseTimes:
    """The times of one case.

    Attributes:
        epoch: time stamp of its first known moment.
        said: of each message.
        untimed: whether nothing is known of any.
        undated: whether the date is made up.
        partly: what there is to say where not all that the file has was used, or not every message has a time.
    """

    epoch: str
    said: tuple[Times, ...]
    untimed: bool
    undated: bool
    partly: str = ""


def timed(said: Sequence[Utterance], epoch: str, reading: Reading) -> CaseTimes:
    """Return when each message of a case was said, as far as the file knows.

    Times that run backwards are damage, since nothing here puts messages into another order; so is time beyond what a
    conversation may last. Dates and times from another beginning cannot be laid on one clock, and none is used.

    Args:
        said: the case's messages; at least one.
        epoch: time stamp of the first message where no date is known.
        reading: takes down times that cannot be.
    """
    moments = [item.when.moments for item in said]
    known = [moment for of_item in moments for moment in of_item]
    mixed = len({moment.absolute for moment in known}) > 1
    if not known or mixed:
        partly = "some times have dates and others do not, so none is used" if mixed else ""
        return CaseTimes(epoch, (Times(),) * len(said), untimed=True, undated=True, partly=partly)
    origin = next(of_item[0] for of_item in moments if of_item)
    _require_order(said, moments, reading)
    late = next((item for item, of_item in zip(said, moments, strict=True) if _after(origin, of_item) > MAX_T_MS), None)
    if late is not None:
        what = f"said more than {MAX_T_MS} ms after the case's first message"
        remedy = "correct the unit of the times, or give each conversation a case of its own"
        reading.damage(late.spot, what, remedy=remedy)
    partly = "" if all(moments) else "only some messages have times; the others keep none"
    dated = origin.absolute
    if dated:
        epoch = format_timestamp(datetime.fromtimestamp(origin.ms / 1000, UTC), milliseconds=True)
    times = tuple(_times(item, origin) for item in said)
    return CaseTimes(epoch, times, untimed=False, undated=not dated, partly=partly)


def _require_order(said: Sequence[Utterance], moments: Sequence[tuple[Moment, ...]], reading: Reading) -> None:
    last: int | None = None
    for item, of_item in zip(said, moments, strict=True):
        before = last
        for moment in of_item:
            if before is not None and moment.ms < before:
                what = f"time runs back, by {before - moment.ms} ms since the message before"
                reading.damage(item.spot, what, remedy="put the messages in order, or leave out their times")
                break
            before = moment.ms
        last = of_item[0].ms if of_item else last


def _after(origin: Moment, moments: Sequence[Moment]) -> int:
    return max((moment.ms - origin.ms for moment in moments), default=0)


def _times(item: Utterance, origin: Moment) -> Times:
    when = item.when
    stream = tuple((moment.ms - origin.ms, length) for moment, length in when.stream)
    start = stream[0][0] if stream else _since(origin, when.start)
    return Times(start, _since(origin, when.end), stream)


def _since(origin: Moment, moment: Moment | None) -> int | None:
    return None if moment is None else moment.ms - origin.ms
