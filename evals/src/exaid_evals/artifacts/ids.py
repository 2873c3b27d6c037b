"""How cases, messages, summaries and moments are named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from exaid_evals.errors import ConfigError, DataError


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


CASE_ID_PATTERN = r"^case-[a-z0-9][a-z0-9._-]{0,99}$"
_CASE_ID = re.compile(CASE_ID_PATTERN)


def case_id_of(raw: object) -> str:
    """Return the id of a case from its name in a data set: lower case, prefixed with `case-`.

    >>> case_id_of(37470964), case_id_of("PMC9452660"), case_id_of("case-pmc9452660")
    ('case-37470964', 'case-pmc9452660', 'case-pmc9452660')

    Raises:
        DataError: the name holds characters that no file name should.
    """
    text = str(raw).strip().lower()
    case_id = text if text.startswith("case-") else f"case-{text}"
    if not _CASE_ID.fullmatch(case_id) or ".." in case_id:
        raise DataError(
            f"{raw!r} makes no case id", remedy="use letters, digits, `.`, `_` and `-`, at most 100 of them"
        )
    return case_id


def known_case_ids(wanted: Iterable[str], known: Sequence[str], *, among: str = "") -> list[str]:
    """Return the ids that a user's `--cases` means, sorted and each once: with or without `case-`, in any case.

    >>> known_case_ids(["PMC2", "case-1", "1"], ["case-1", "case-pmc2"])
    ['case-1', 'case-pmc2']

    Args:
        wanted: as the user wrote them.
        known: the ids that there are.
        among: what they are the ids of, for the message: " among the frozen traces".

    Raises:
        ConfigError: names every one that is unknown, and near ones.
    """
    there = set(known)
    found: set[str] = set()
    problems = []
    for name in dict.fromkeys(wanted):
        try:
            case_id = case_id_of(name)
        except DataError as error:
            problems.append(ConfigError(error.what, where="--cases", remedy=error.remedy))
            continue
        if case_id in there:
            found.add(case_id)
            continue
        import difflib

        near = difflib.get_close_matches(case_id, known, n=3)
        remedy = f"did you mean {' or '.join(near)}?" if near else f"ids look like {known[0] if known else 'case-…'}"
        problems.append(ConfigError(f"no case is called {case_id}{among}", where="--cases", remedy=remedy))
    if problems:
        raise ConfigError.of(problems)
    return sorted(found)


def trace_id(case_id: str, sequence_num: int) -> str:
    """Return the id of a message: `trc-{id}-{seq:03d}`.

    >>> trace_id("case-37470964", 7)
    'trc-37470964-007'
    """
    return f"trc-{case_id.removeprefix('case-')}-{sequence_num:03d}"


def summary_event_id(case_id: str, variant_id: str, event_index: int) -> str:
    """Return the id of a summary: `{case_id}-{variant_id}-se-{index:03d}`.

    >>> summary_event_id("case-1", "V3", 2)
    'case-1-V3-se-002'
    """
    return f"{case_id}-{variant_id}-se-{event_index:03d}"
