"""When messages were said, where files say it, and when they are taken to have been said, where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from exaid_evals.artifacts.timestamps import format_timestamp
from exaid_evals.traces.importers.base import Reading, Utterance
from exaid_evals.traces.model import MAX_T_MS

# A day on which no agent talked: what has no date shows that it has none.
NO_DATE = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Clock:
    """How times that nobody recorded are made.

    Attributes:
        chars_per_second: the speed at which messages are laid one after the other.
        epoch: time stamp of the first message of a case whose date is unknown.
    """

    chars_per_second: float
    epoch: str = NO_DATE


@dataclass(frozen=True, slots=True)
class Times:
    """The times of one case.

    Attributes:
        epoch: time stamp of its first message.
        times: of each message, in ms since the first.
        untimed: whether the times are made, not recorded.
        undated: whether the date is made.
        partly: whether some messages had times all the same.
    """

    epoch: str
    times: tuple[int, ...]
    untimed: bool
    undated: bool
    partly: bool = False


def timed(said: Sequence[Utterance], clock: Clock, reading: Reading) -> Times:
    """Return when each message of a case was said.

    Recorded times are used where every message has one, all of one kind; else messages are laid one after the
    other, without pauses. Time that runs backwards is damage, since nothing here puts messages into another order;
    so is time beyond what a talk may last.

    Args:
        said: the case's messages; at least one.
        clock: for times that are not recorded.
        reading: is told of times that cannot be.
    """
    moments = [item.moment for item in said]
    known = [moment for moment in moments if moment is not None]
    if len(known) < len(said) or len({moment.absolute for moment in known}) > 1:
        return Times(clock.epoch, _laid(said, clock.chars_per_second), untimed=True, undated=True, partly=bool(known))
    start = known[0].ms
    for item, earlier, later in zip(said[1:], known, known[1:], strict=False):
        if later.ms < earlier.ms:
            what = f"time runs back, by {earlier.ms - later.ms} ms since the message before"
            reading.damage(item.spot, what, remedy="put the messages in order, or leave out their times")
    times = tuple(moment.ms - start for moment in known)
    late = next((item for item, t_ms in zip(said, times, strict=True) if t_ms > MAX_T_MS), None)
    if late is not None:
        what = f"said more than {MAX_T_MS} ms after the case's first message"
        reading.damage(late.spot, what, remedy="correct the unit of the times, or give each talk a case of its own")
    if not known[0].absolute:
        return Times(clock.epoch, times, untimed=False, undated=True)
    epoch = format_timestamp(datetime.fromtimestamp(start / 1000, UTC), milliseconds=True)
    return Times(epoch, times, untimed=False, undated=False)


def _laid(said: Sequence[Utterance], chars_per_second: float) -> tuple[int, ...]:
    times = []
    at = 0
    for item in said:
        times.append(at)
        at += -int(-len(item.content) * 1000 // chars_per_second)
    return tuple(times)
