"""Whether times were recorded, or rest on an assumed speed of the text: of a message, a case, a campaign."""

from __future__ import annotations

from collections.abc import Iterable

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
