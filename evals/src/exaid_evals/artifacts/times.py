"""RFC 3339 time stamps, in UTC with a Z; and whether times were recorded, or rest on an assumed speed of text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from exaid_evals.errors import DataError


def parse_timestamp(text: str) -> datetime:
    """Return the moment that an RFC 3339 time stamp names.

    Raises:
        DataError: the text is not a time stamp, or names no offset.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise DataError(f"{text!r} is not an RFC 3339 time stamp", remedy="write it like 2024-12-19T12:00:00Z")
    return moment.astimezone(UTC)


def format_timestamp(moment: datetime, *, milliseconds: bool = False) -> str:
    """Write a moment as `2024-12-19T12:00:00Z`, or with three decimals."""
    spec = "milliseconds" if milliseconds else "seconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def at_offset(epoch: str, t_ms: int) -> str:
    """Return the time stamp `t_ms` milliseconds after `epoch`.

    >>> at_offset("2024-12-19T12:00:00Z", 61_250)
    '2024-12-19T12:01:01.250Z'
    """
    return format_timestamp(parse_timestamp(epoch) + timedelta(milliseconds=t_ms), milliseconds=True)


RECORDED = "recorded"
COMPLETE = "complete"
ASSUMED = "assumed"
NONE = "none"
PARTLY = "partly"

_KNOWN = frozenset({RECORDED, COMPLETE})


def basis_of_times(start_ms: int | None, end_ms: int | None, *, streamed: bool) -> str:
    """Return what is known of a message's time: `recorded` is the stream or both ends, `complete` the end alone.

    From a start alone the text arrives at an assumed speed, so that its time is `assumed`; without it, `none`.
    """
    if streamed or (start_ms is not None and end_ms is not None):
        return RECORDED
    if end_ms is not None:
        return COMPLETE
    return NONE if start_ms is None else ASSUMED


def basis_of_messages(bases: Iterable[str]) -> str | None:
    """Return the basis of a conversation from those of its messages; None without messages.

    A message that is known to have been complete at a moment arrives whole at it, and rests on no assumed speed.

    >>> [basis_of_messages(bases) for bases in (["complete", "recorded"], ["recorded", "none"], ["none"])]
    ['recorded', 'partly', 'assumed']
    """
    return together(RECORDED if basis in _KNOWN else ASSUMED for basis in bases)


def together(bases: Iterable[str | None]) -> str | None:
    """Return the basis of several cases from theirs; None counts for nothing, and is returned where there is no other.

    >>> together(["recorded", None]), together(["recorded", "assumed"]), together(["partly"]), together([None])
    ('recorded', 'partly', 'partly', None)
    """
    found = {basis for basis in bases if basis is not None}
    if len(found) > 1:
        return PARTLY
    return found.pop() if found else None
