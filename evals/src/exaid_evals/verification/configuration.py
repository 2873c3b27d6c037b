"""The resolved configuration of the stages as data, kept beside a campaign, and in what two of them differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.jsonl import parse_line
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.files import read_regular
from exaid_evals.verification.compare import ABSENT, both_shown, same
from exaid_evals.verification.sides import flattened

StageConfiguration = dict[str, Any]
"""File name in the folder of configurations → what was resolved from it: a mapping, or the sorted stop entities."""

Configuration = dict[str, StageConfiguration]
"""Number of a stage → its configuration."""

_FILE = "configuration.json"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that differs.

    Attributes:
        stage: number of the first stage that reads it.
        file: in the folder of configurations.
        key: dotted; empty for an entry of a list of words.
        expected, found: as messages show them.
    """

    stage: str
    file: str
    key: str
    expected: str
    found: str


def note_configuration(campaign: Campaign, stage: str, files: StageConfiguration) -> None:
    """Keep what a stage has resolved beside the ledgers, so that `verify` can later name a setting that changed.

    What a stage knew of a file that it does not name now, such as the variants of an earlier call, is kept.
    """
    known = noted_configuration(campaign)
    merged = {**known, stage: {**known.get(stage, {}), **files}}
    if merged != known:
        write_bytes(campaign.state / _FILE, canonical_bytes(merged) + b"\n")


def noted_configuration(campaign: Campaign) -> Configuration:
    """Return what the stages have kept; empty where nothing was, or the file is damaged, for it is not a result."""
    try:
        noted = parse_line(read_regular(campaign.state / _FILE, 16 << 20).strip(), 1).value
    except DataError:
        return {}
    if noted is None or not all(isinstance(files, dict) for files in noted.values()):
        return {}
    return noted


def settings_that_differ(expected: Configuration, found: Configuration) -> list[Setting]:
    """Return every setting in which two configurations differ, by the first stage that reads it.

    Only stages and variants that both know are compared: a campaign of two variants is no other configuration.
    """
    settings: dict[tuple[str, str, str], Setting] = {}
    for stage in sorted(expected.keys() & found.keys()):
        for file in sorted(expected[stage].keys() & found[stage].keys()):
            # As files have them: numbers rounded, tuples as lists.
            left, right = (json.loads(canonical_bytes(side[stage][file])) for side in (expected, found))
            for key, one, other in _differences(left, right):
                settings.setdefault((file, key, one), Setting(stage, file, key, one, other))
    return list(settings.values())


def _differences(left: Any, right: Any) -> Iterator[tuple[str, str, str]]:
    words = (*left, *right) if isinstance(left, list) and isinstance(right, list) else (None,)
    if all(isinstance(word, str) for word in words):
        for word in sorted(set(left) - set(right)):
            yield "", f"{word!r}", "nothing"
        for word in sorted(set(right) - set(left)):
            yield "", "nothing", f"{word!r}"
        return
    one, other = flattened(left), flattened(right)
    for key in [*one, *(key for key in other if key not in one)]:
        before, after = one.get(key, ABSENT), other.get(key, ABSENT)
        if isinstance(before, list) and isinstance(after, list):
            for at, (old, new) in enumerate(zip_longest(before, after, fillvalue=ABSENT)):
                if not same(old, new):
                    yield both_shown(f"{key}[{at}]", old, new)
        elif not same(before, after):
            yield both_shown(key, before, after)
