"""How cases, messages and summaries are named. Ids become file names, so their alphabet is closed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from exaid_evals.errors import ConfigError, DataError

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
