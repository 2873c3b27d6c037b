"""The two sides of a comparison: the files of a campaign, which stage makes each, and what they hold as records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from exaid_evals.artifacts.hashing import content_chunks, sha256_file
from exaid_evals.artifacts.jsonl import scan_document, scan_jsonl
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError

_JSON_LINES = (".jsonl", ".jsonl.gz")
_TEXTS = (".tex", ".md", ".html", ".txt")
_LARGEST = 1 << 30
_NUMBERS = ("sequence_num", "flush_index", "decision_index", "event_index")
_NAMES = ("case_id", "variant_id", "against", "measure", "trace_id")
LINE = "line"
"""The one field of a line of text."""


@dataclass(frozen=True, slots=True)
class Part:
    """A record of a file.

    Attributes:
        name: where it stands and what it is, for readers: `line 5 (gate_flush 3)`.
        fields: dotted name → value; lists of plain values stay whole.
    """

    name: str
    fields: Mapping[str, Any]


def has_parts(path: str) -> bool:
    """Return whether a file, by its name, is more than a picture."""
    return path.endswith((*_JSON_LINES, ".json", ".csv", *_TEXTS))


def read_parts(path: Path) -> list[Part]:
    """Return a file's records; none for what has none, such as a figure.

    Raises:
        DataError: the file cannot be read, or is not what its name says.
    """
    name = path.name
    if name.endswith(_JSON_LINES):
        return list(_json_lines(path))
    if name.endswith(".json"):
        return [_document(path)]
    if name.endswith(".csv"):
        return list(_rows(_text(path)))
    if name.endswith(_TEXTS):
        return [Part(f"line {number}", {LINE: line}) for number, line in enumerate(_text(path).splitlines(), start=1)]
    return []


def flattened(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return dotted name → leaf of a structure.

    >>> flattened({"a": {"b": 1, "c": [1, 2]}, "d": [{"e": 2}], "f": {}})
    {'a.b': 1, 'a.c': [1, 2], 'd[0].e': 2, 'f': {}}
    """
    if isinstance(value, Mapping) and value:
        dot = f"{prefix}." if prefix else ""
        return {name: leaf for key, item in value.items() for name, leaf in flattened(item, f"{dot}{key}").items()}
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return {
            name: leaf
            for number, item in enumerate(value)
            for name, leaf in flattened(item, f"{prefix}[{number}]").items()
        }
    return {prefix: value}


def _json_lines(path: Path) -> Iterator[Part]:
    for line in scan_jsonl(path):
        if line.value is None:
            # One line that is not a record differs like any other; the file's other records can still be named.
            yield Part(f"line {line.number}", {"(no record)": line.problem})
            continue
        title = _title(line.value)
        yield Part(f"line {line.number}{f' ({title})' if title else ''}", flattened(line.value))


def _title(record: Mapping[str, Any]) -> str:
    """Return what a record is, in a few words: its type, and what distinguishes it from others of that type."""
    words = [str(record["record_type"])] if "record_type" in record else []
    number = next((str(record[name]) for name in _NUMBERS if name in record), None)
    if number is not None:
        return " ".join([*(words or ["message"]), number])
    return " ".join([*words, *(str(record[name]) for name in _NAMES if name in record)])


def _document(path: Path) -> Part:
    line = next(scan_document(path, max_bytes=_LARGEST), None)
    if line is None or line.value is None:
        return Part("document", {"(no JSON)": line.problem if line else "empty"})
    return Part("document", flattened(line.value))


def _rows(text: str) -> Iterator[Part]:
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        yield Part("table", {"(no CSV)": str(error)})
        return
    if not rows:
        return
    header = {f"column {number}": name for number, name in enumerate(rows[0], start=1)}
    yield Part("header", header)
    # Of columns of one name, all but the first go by their number.
    columns = [column if name in rows[0][:at] else name for at, (column, name) in enumerate(header.items())]
    for number, row in enumerate(rows[1:], start=1):
        # What lies beyond the header's columns still has a place.
        names = [*columns, *(f"column {extra}" for extra in range(len(columns) + 1, len(row) + 1))]
        yield Part(f"row {number} ({', '.join(row[:1])})", dict(zip(names, row, strict=False)))


def _text(path: Path) -> str:
    try:
        return b"".join(content_chunks(path)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"invalid UTF-8 at byte {error.start}", where=str(path), remedy="write or copy it again"
        ) from None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that makes files: its number as the user writes it, its verb, and the folders that it fills."""

    number: str
    verb: str
    folders: tuple[str, ...]

    def __str__(self) -> str:
        """Return how messages call it."""
        return f"{self.number} {self.verb}"


STAGES = (
    Stage("01", "make-traces", ("cases", "traces", "manifests")),
    Stage("02", "run-variants", ("runs",)),
    Stage("03", "compute-metrics", ("metrics",)),
    Stage("04", "export", ("exports",)),
)

# In the order in which one is made from the other; the longer of two prefixes comes first where both fit.
_KINDS = ("cases/", "traces/", "manifests/", "runs/", "metrics/", "metrics/tables/", "metrics/figures/", "exports/")
_COMPARISONS = "metrics/comparisons.metrics.jsonl"
_CONVERSATION = ("cases/", "traces/", "manifests/")
_SOURCES: dict[str, tuple[str, ...]] = {
    "cases/": (),
    "traces/": ("cases/",),
    "manifests/": ("cases/", "traces/"),
    "runs/": ("cases/", "manifests/"),
    "metrics/": (*_CONVERSATION, "runs/"),
    "metrics/tables/": (*_CONVERSATION, "runs/", "metrics/"),
    "metrics/figures/": (*_CONVERSATION, "runs/", "metrics/"),
    "exports/": (*_CONVERSATION, "runs/", "metrics/"),
}


def stage_of(path: str) -> Stage | None:
    """Return the stage that makes a file, from its path inside the campaign; None for what no stage makes.

    >>> str(stage_of("runs/V3/case-1.jsonl.gz")), stage_of(".state/report.jsonl")
    ('02 run-variants', None)
    """
    folder = path.partition("/")[0]
    return next((stage for stage in STAGES if folder in stage.folders), None)


def chosen_stages(numbers: Iterable[str]) -> tuple[Stage, ...]:
    """Return the stages that a user means by numbers (`02`, `2`) or verbs.

    Raises:
        ConfigError: names what is not a stage.
    """
    known = {name: stage for stage in STAGES for name in (stage.number, stage.number.lstrip("0"), stage.verb)}
    wanted = list(numbers)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        there = ", ".join(str(stage) for stage in STAGES)
        raise ConfigError(f"no stage is called {', '.join(unknown)}", where="--stages", remedy=f"there are {there}")
    chosen = {known[name].number for name in wanted}
    return tuple(stage for stage in STAGES if stage.number in chosen)


def in_order(paths: Iterable[str]) -> list[str]:
    """Return paths sorted so that what is made from something comes behind it."""
    return sorted(paths, key=lambda path: (_KINDS.index(_kind(path)), path == _COMPARISONS, path))


def _kind(path: str) -> str:
    return max((prefix for prefix in _KINDS if path.startswith(prefix)), key=len)


def made_from(path: str, other: str) -> bool:
    """Return whether a file is made from another one, directly or not.

    >>> made_from("runs/V3/case-1.jsonl.gz", "traces/case-1.jsonl.gz")
    True
    >>> made_from("runs/V3/case-1.jsonl.gz", "traces/case-2.jsonl.gz")
    False
    >>> made_from("metrics/tables/main.tex", "runs/V0/case-1.jsonl.gz")
    True
    """
    kind, source = _kind(path), _kind(other)
    if kind == "runs/" and source == "traces/":
        return path.rpartition("/")[2] == other.rpartition("/")[2]  # of the same case
    if path == _COMPARISONS and source == "metrics/":
        return other != path
    return source in _SOURCES[kind]


OWN_EXPORT = "campaign"
"""What the one run of a campaign's own export is called."""

LOGS = "logs"
"""Folders of what was said while something was done, with the time of day: no result."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A value of which only a hash is kept: the first digits of the sha256 of its canonical JSON."""

    digits: str


class Side(Protocol):
    """One side of a comparison.

    Attributes:
        label: how messages call what this side has: `expected`, `made again`, `here`.
    """

    label: str

    def files(self) -> Mapping[str, str]:
        """Return path → content hash; in place of the hash of a damaged file, what is wrong with it."""

    def parts(self, path: str) -> Sequence[Part]:
        """Return a file's records.

        Raises:
            DataError: the file is damaged.
        """


class FolderSide:
    """A campaign's folder.

    Args:
        root: the campaign.
        label: how messages call what it has.
        stages: whose files count.
    """

    def __init__(self, root: Path, label: str, stages: Iterable[Stage]) -> None:
        self.label = label
        self._root = root
        self._stages = tuple(stages)

    def files(self) -> Mapping[str, str]:
        """Hash every file of the stages."""
        return {path: _hash_or_problem(self._root / path) for path in files_of(self._root, self._stages)}

    def parts(self, path: str) -> Sequence[Part]:
        """Read a file's records."""
        return read_parts(self._root / path)


def files_of(root: Path, stages: Iterable[Stage]) -> list[str]:
    """Return the paths inside a campaign of what stages have made, without hidden files and folders; sorted."""
    folders = [root / folder for stage in stages for folder in stage.folders]
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file() and path.parent.name != LOGS)
    names = (path.relative_to(root).as_posix() for path in found)
    return sorted(name for name in names if "/." not in name and stage_of(name) is not None)


def stages_with_files(campaign: Campaign) -> tuple[Stage, ...]:
    """Return the stages that a campaign has been through.

    An export of other runs, which may lie in the campaign's folder too, is not a result of the campaign.
    """
    return tuple(
        stage
        for stage in STAGES
        if files_of(campaign.root, [stage]) and (stage.verb != "export" or _is_own_export(campaign))
    )


def holds_export_of_others(campaign: Campaign) -> bool:
    """Return whether an export lies in the campaign's folder that is not of this campaign alone."""
    return not _is_own_export(campaign)


def _is_own_export(campaign: Campaign) -> bool:
    try:
        summary = json.loads((campaign.exports / "exported_summary.json").read_text(encoding="utf-8"))
        return [run["run"] for run in summary["runs"]] == [OWN_EXPORT]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True  # missing or damaged: exactly what a comparison is to find


def _hash_or_problem(path: Path) -> str:
    try:
        return sha256_file(path)
    except DataError as error:
        return f"damaged: {error.what}"
