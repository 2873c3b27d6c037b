"""A clinical case, and what every source of cases gives."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from exaid_evals.artifacts.jsonl import parse_line, require_record
from exaid_evals.artifacts.schemas import header
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.files import open_regular

if TYPE_CHECKING:
    from exaid_evals.config.mas_generation import DatasetConfig

Item = TypeVar("Item")
SCHEMA = "exaid.case"

# The sections of MAC's cases, in their order; the last stands in follow-up presentations only.
SECTIONS = (
    "Basic Information",
    "Clinical Presentation",
    "Physical Examination",
    "Past Medical History",
    "Initial Test Results",
    "Further Diagnostic Tests",
)
UNPARSED_SECTION = "Presentation"


@dataclass(frozen=True, slots=True)
class Case:
    """A case as the agents are given it.

    Attributes:
        case_id: `case-…`.
        source: name of the source that gave it.
        category: the field of medicine, lower case.
        diagnosis: the case's published (or underlying) diagnosis.
        initial_presentation: section → text, in order, before the decisive tests.
        follow_up_presentation: the same with the later tests.
        diagnosis_id: the diagnosis in an ontology, where the source knows it.
    """

    case_id: str
    source: str
    category: str
    diagnosis: str
    initial_presentation: Mapping[str, str]
    follow_up_presentation: Mapping[str, str]
    diagnosis_id: str | None = None


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may need to find its cases.

    Attributes:
        config: the data set's configuration.
        campaign: where a source that makes cases writes them.
        mac_dir: the folder of MAC, which may be empty or absent; None where no place for it is known.
        may_write: whether a source that makes cases may write them; off in a dry run.
    """

    config: DatasetConfig
    campaign: Campaign
    mac_dir: Path | None
    may_write: bool = True


class CaseSource(Protocol):
    """Gives all its cases; selection is another's business."""

    def __call__(self, context: SourceContext) -> Sequence[Case]:
        """Return every case: a tuple, or a sequence that reads cases (which name their source) when they are asked for.

        Raises:
            ConfigError: the cases are not where they should be.
            DataError: they are there, but damaged.
        """


def to_record(case: Case) -> dict[str, Any]:
    """Return a case as `exaid.case`; sections lose their order, which readers restore."""
    record: dict[str, Any] = {**header(SCHEMA), **content_of(case)}
    record["initial_presentation"] = dict(case.initial_presentation)
    record["follow_up_presentation"] = dict(case.follow_up_presentation)
    if case.diagnosis_id is not None:
        record["diagnosis_id"] = case.diagnosis_id
    return record


def from_record(record: Mapping[str, Any]) -> Case:
    """Build a case from a valid record."""
    return Case(
        case_id=record["case_id"],
        source=record["source"],
        category=record["category"],
        diagnosis=record["diagnosis"],
        initial_presentation=in_order(record["initial_presentation"]),
        follow_up_presentation=in_order(record["follow_up_presentation"]),
        diagnosis_id=record.get("diagnosis_id"),
    )


def content_of(case: Case) -> dict[str, Any]:
    """Return everything that a conversation about the case may depend on, for hashes.

    Sections are lists of pairs, since their order is part of what the agents read.
    """
    return {
        "case_id": case.case_id,
        "source": case.source,
        "category": case.category,
        "diagnosis": case.diagnosis,
        "initial_presentation": [list(section) for section in case.initial_presentation.items()],
        "follow_up_presentation": [list(section) for section in case.follow_up_presentation.items()],
    }


class CaseFile(Sequence[Case]):
    """The cases in a file of records, each read when it is asked for.

    Raises:
        DataError: the file cannot be read, or a line is not a record.
    """

    def __init__(self, path: Path) -> None:
        """Find where each case begins."""
        self._path = path
        with open_regular(path) as stream:
            self._starts = array("Q", accumulate(map(len, stream), initial=0))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Case]: ...
    def __getitem__(self, index: int | slice) -> Case | Sequence[Case]:
        """Read a case; a slice reads none."""
        if isinstance(index, slice):
            return Chosen(self, range(len(self))[index])
        at = range(len(self))[index]
        with open_regular(self._path) as stream:
            stream.seek(self._starts[at])
            return self._case(stream.readline(), at + 1)

    def __iter__(self) -> Iterator[Case]:
        """Read all of them, without opening the file for each."""
        with open_regular(self._path) as stream:
            for number, line in enumerate(stream, start=1):
                yield self._case(line, number)

    def _case(self, line: bytes, number: int) -> Case:
        return from_record(require_record(parse_line(line.removesuffix(b"\n"), number), self._path))


class Chosen(Sequence[Item]):
    """Some items of a sequence, each taken from it when it is asked for.

    Args:
        items: the sequence.
        places: index of each item in it.
    """

    def __init__(self, items: Sequence[Item], places: Sequence[int]) -> None:
        self._items, self._places = items, places

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        """Return an item, or a sequence of some."""
        if isinstance(index, slice):
            return Chosen(self._items, self._places[index])
        return self._items[self._places[index]]


def in_order(sections: Mapping[str, str]) -> dict[str, str]:
    """Return sections in the order of `SECTIONS`, unknown ones last and by name."""
    rank = {name: index for index, name in enumerate(SECTIONS)}
    return {name: sections[name] for name in sorted(sections, key=lambda name: (rank.get(name, len(rank)), name))}


def require_unique(case_ids: Iterable[str], *, where: str) -> None:
    """Refuse two cases with one id: their traces would overwrite each other.

    Raises:
        DataError: names every repeated id.
    """
    repeated = sorted(case_id for case_id, n in Counter(case_ids).items() if n > 1)
    if repeated:
        raise DataError(f"repeated case ids: {', '.join(repeated)}", where=where, remedy="give each an id of its own")
