"""What formats of training tools share.

`ToolFile`: a file of rows in a folder of the run's own, known by its beginning. `ManyRuns`: several runs in one file,
such as a table with a row a run, a study, or a log of a search.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

from exaid_evals.errors import DataError
from exaid_evals.files import files_in, first_bytes, folders_in, natural_order
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.content import as_utf8
from exaid_evals.runs.files.document import read_yaml
from exaid_evals.runs.files.summary import seed_in, settings_of
from exaid_evals.runs.files.values import numbers_of, undefined_warning
from exaid_evals.runs.history import History
from exaid_evals.runs.history_files import (
    BESIDE,
    batch_rows,
    config_beside,
    leading_metric,
    run_of,
)
from exaid_evals.runs.rows import Row, history_of

HEAD_BYTES = 1 << 16
"""Logs begin with the program that makes them, and a result of Ray's is one long line."""


_FOLDERS_AT_MOST = 500
"""That hold no run and are looked into, of one depth: whoever names a disk is not to wait for all of it."""
_NO_PLACES = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})


class ToolFile(Format):
    """Base of a format whose run is a folder with one file of rows.

    Attributes:
        files: patterns of the file's path below the run's folder, the usual first.
        sign: what the beginning of the file must hold.
        below: how many folders deep below the place that a user names runs are looked for.
        configs: YAML files with the run's settings, below its folder.
        left_out: patterns of columns that measure nothing (times, hosts, ids), in lower case.
        leading: the metrics that rank runs of this tool, the first that is there; empty for none of its own.
        step: the column that counts the steps; None takes the usual ones.
        finals: whether final results that lie beside the file are the run's too.
    """

    files: ClassVar[tuple[str, ...]]
    sign: ClassVar[re.Pattern[bytes]]
    below: ClassVar[int] = 4  # Hydra's multirun/<date>/<time>/<number>
    configs: ClassVar[tuple[str, ...]] = ()
    left_out: ClassVar[tuple[str, ...]] = ()
    leading: ClassVar[tuple[str, ...]] = ()
    step: ClassVar[str | None] = None
    finals: ClassVar[bool] = True
    has_history = True

    def claims(self, place: Path) -> bool:
        """Return whether a file of this tool lies here, or in a folder of its own below."""
        return next(self._runs(place), None) is not None

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the runs, by the numbers at the ends of their folders' names."""
        return [Source(path) for path in self._runs(place)]

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the runs by the names of their folders, with as much of the path as tells them apart."""
        found = [*self._runs(place)]
        if found == [place]:
            return {place.stem if place.is_file() else place.resolve().name: Source(place)}
        return {path.relative_to(place).as_posix(): Source(path) for path in found}

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the file of rows, and what may lie beside it."""
        path = self.file_of(source.path)
        folder = path.parent if path else source.path
        return [*([path] if path else []), *(folder / name for name in (*self.configs, *BESIDE))]

    def read(self, source: Source, name: str) -> Run:
        """Read a run."""
        own = self.file_of(source.path) if self.finals and source.path.is_dir() else None
        run = run_of(self.history(source, source.path.stem), self, name, source, own)
        leading = next((one for one in self.leading if one in run.metrics), run.default_primary)
        return replace(run, default_primary=leading)

    def history(self, source: Source, name: str) -> History:
        """Read a history."""
        path = self.file_of(source.path)
        if path is None:
            raise DataError("the file of the run is gone", where=str(source.path), remedy="restore it, or name another")
        warnings: list[str] = []
        try:
            rows = [self._kept(row) for row in self.rows(path, warnings)]
        except (ArithmeticError, AttributeError, LookupError, TypeError) as error:  # a value of another kind
            what = f"is not what {self.name} writes ({type(error).__name__}: {error!s:.200})"
            raise DataError(what, where=str(path), remedy="write or copy it again") from error
        if not any(rows):
            raise DataError("holds no step", where=str(path), remedy="wait for its end, or leave it out")
        config = self.config(path, warnings)
        batches = batch_rows(path.parent, warnings)
        return history_of(name, self.name, rows, config=config, warnings=warnings, step_name=self.step, batches=batches)

    @abstractmethod
    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows of the file in order of logging.

        Raises:
            DataError: the file cannot be read, or holds none of the tool's rows.
        """

    def config(self, path: Path, warnings: list[str]) -> dict[str, Any]:
        """Return the settings that lie beside the file; those that cannot be read are reported in `warnings`."""
        for place in (path.parent / name for name in self.configs):
            if place.is_file():
                try:
                    return read_yaml(place)
                except DataError as error:
                    warnings.append(f"{place.name}: {error.what}, so that the run's settings are not known")
        return config_beside(path, warnings)

    def file_of(self, place: Path) -> Path | None:
        """Return the file of rows of a run: the place itself, or the first that fits in it; None without one."""
        if place.is_file():
            return place if any(_fits(place, pattern) for pattern in self.files) and self._begins_so(place) else None
        return next((path for pattern in self.files for path in self._fitting(place, pattern)), None)

    def _fitting(self, place: Path, pattern: str) -> Iterator[Path]:
        candidates = sorted(place.glob(pattern)) if "*" in pattern else [place / pattern]
        candidates += [path.with_name(f"{path.name}.gz") for path in candidates if "*" not in pattern]
        yield from (path for path in candidates if path.is_file() and self._begins_so(path))

    def _alike(self, place: Path, own: Path) -> list[Path]:
        """Return the place, or each of its files of rows where they have names of their own and are several."""
        named = [pattern for pattern in self.files if "*" not in pattern and _fits(own, pattern)]
        if own == place or named or own.parent != place:
            return [place]
        pattern = next(pattern for pattern in self.files if "/" not in pattern and _fits(own, pattern))
        files = [*self._fitting(place, pattern)]
        return files if len(files) > 1 else [place]

    def _kept(self, row: Row) -> Row:
        return {key: value for key, value in row.items() if not self._is_left_out(key)} if self.left_out else row

    def _is_left_out(self, column: str) -> bool:
        return any(fnmatchcase(column.lower(), pattern) for pattern in self.left_out)

    def _begins_so(self, path: Path) -> bool:
        return self.sign.search(head(path)) is not None

    def _runs(self, place: Path) -> Iterator[Path]:
        own = self.file_of(place)
        if own is not None:
            yield from self._alike(place, own)
            return
        level = [place] if place.is_dir() else []
        for depth in range(1, self.below + 1):
            level = _places_in(level[:_FOLDERS_AT_MOST])
            if any(self.file_of(folder) is not None for folder in level):
                every = [place]  # where there are runs, none may be missing
                for _ in range(depth):
                    every = _places_in(every)
                found = [folder for folder in every if self.file_of(folder) is not None]
                yield from sorted(found, key=lambda path: (str(path.parent), natural_order(path.name)))
                return


def _places_in(holders: Iterable[Path]) -> list[Path]:
    below = (folder for holder in holders for folder in folders_in(holder))
    return [folder for folder in below if not folder.name.startswith(".") and folder.name not in _NO_PLACES]


def head(path: Path) -> bytes:
    """Return the first bytes of a file's text; none of what is not an ordinary file, or cannot be read."""
    found = first_bytes(path, HEAD_BYTES)
    if path.suffix == ".gz":
        unpacked = zlib.decompressobj(wbits=31)
        with contextlib.suppress(zlib.error):
            found = unpacked.decompress(found, HEAD_BYTES)
    return b"".join(as_utf8(iter([found])))


def _fits(path: Path, pattern: str) -> bool:
    parts = pattern.split("/")
    path = path.with_suffix("") if path.suffix == ".gz" and not pattern.endswith(".gz") else path
    return len(path.parts) >= len(parts) and all(
        fnmatchcase(name, part) for name, part in zip(path.parts[-len(parts) :], parts, strict=True)
    )


@dataclass
class Entry:
    """One run of several.

    Attributes:
        metrics: name → number, or what stands there in place of one.
        config: settings.
        fold, trial, group: its place among the others.
        rows: of its history; empty for a run that has none.
        step: the column of `rows` that counts the steps.
        attributes: whatever else is known of it.
        lower, higher: metrics of which the file says how they improve.
        warnings: what is odd, without the run's name.
    """

    metrics: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    fold: int | None = None
    trial: str | None = None
    group: str | None = None
    rows: list[Row] = field(default_factory=list)
    step: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    lower: tuple[str, ...] = ()
    higher: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)


class ManyRuns(Format):
    """Base of a format whose files hold several runs each."""

    has_history = True
    grows = False
    many = True

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        # What a file holds, read once for all of its runs.
        self._held: dict[Path, Mapping[str, Entry]] = {}

    @abstractmethod
    def file_of(self, place: Path) -> Path | None:
        """Return the file of this format that a place is or holds; None without one."""

    @abstractmethod
    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read a file: part → run.

        Raises:
            DataError: it cannot be read.
        """

    def claims(self, place: Path) -> bool:
        """Return whether such a file lies here."""
        return self.file_of(place) is not None

    def files_of(self, place: Path) -> list[Path]:
        """Return the file that a place is or holds, and others there that are of its kind and of this format."""
        first = self.file_of(place)
        if first is None or first == place:
            return [first] if first else []
        alike = sorted(path for path in first.parent.glob(f"*{first.suffix}") if path != first)
        return [first, *(path for path in alike if self.file_of(path) is not None)]

    def sources(self, place: Path) -> Sequence[Source]:
        """Return a run a part of each file."""
        files = self.files_of(place)
        if not files:
            raise DataError("the file is gone", where=str(place), remedy="restore it, or name another")
        return [Source(path, part) for path in files for part in self._entries(path)]

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the runs that have a history, by their parts, and by their files where these are several."""
        files = self.files_of(place)
        found = {}
        for path in files:
            with contextlib.suppress(DataError):  # reading the runs tells what is wrong
                for part, one in self._entries(path).items():
                    if one.rows:
                        found[part if len(files) == 1 else f"{path.stem}/{part}"] = Source(path, part)
        return found

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the file."""
        return [source.path]

    def read(self, source: Source, name: str) -> Run:
        """Read a run."""
        entry = self._entry(source)
        if entry.rows and not entry.metrics:
            run = run_of(self.history(source, source.part), self, name, source)
        else:
            metrics, undefined = numbers_of(entry.metrics)
            primary = next(iter((*entry.higher, *entry.lower)), None) or leading_metric(metrics, {})
            warnings = [*entry.warnings, *undefined_warning(undefined)]
            made = Run(name, self.name, metrics, default_primary=primary, warnings=tuple(warnings))
            run = self.completed(source, made)
        return replace(
            run,
            config=settings_of(entry.config),
            seed=seed_in(entry.config),
            fold=entry.fold,
            trial=entry.trial,
            group=entry.group,
            attributes={**run.attributes, **entry.attributes},
            lower_is_better=frozenset(entry.lower),
            higher_is_better=frozenset(entry.higher),
        )

    def history(self, source: Source, name: str) -> History:
        """Read what a run logged."""
        entry = self._entry(source)
        if not entry.rows:
            where = f"{source.path}: {source.part}"
            raise DataError("holds no history of this run", where=where, remedy="look at what the run logged")
        return history_of(
            name, self.name, entry.rows, config=entry.config, warnings=entry.warnings, step_name=entry.step
        )

    def _entry(self, source: Source) -> Entry:
        entry = self._entries(source.path).get(source.part)
        if entry is None:
            remedy = "check the path; something may have removed it meanwhile"
            raise DataError(f"the run {source.part!r} is gone", where=str(source.path), remedy=remedy)
        return entry

    def _entries(self, path: Path) -> Mapping[str, Entry]:
        if path not in self._held:
            self._held[path] = self.entries(path)
        return self._held[path]


def file_in(place: Path, suffixes: Sequence[str], fits: Any, first: Sequence[str] = ()) -> Path | None:
    """Return a file that fits: the place itself, or of those in a folder the first by its usual names, else by name."""
    if place.is_file():
        return place if place.name.lower().endswith(tuple(suffixes)) and fits(place) else None
    found = files_in(place, lambda name: name.lower().endswith(tuple(suffixes)))
    found.sort(key=lambda path: first.index(path.name) if path.name in first else len(first))
    return next(filter(fits, found), None)
