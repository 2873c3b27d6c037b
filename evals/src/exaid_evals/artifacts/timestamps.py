"""RFC 3339 time stamps, always in UTC with a Z."""

from __future__ import annotations

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
