"""When messages were said, where files say it: as they say it, on the clock of the case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from exaid_evals.artifacts.timestamps import format_timestamp
from exaid_evals.traces.importers.base import Moment, Reading, Utterance
from exaid_evals.traces.model import MAX_T_MS

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
        reading: is told of times that cannot be.
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
