"""Reading runs: each folder by the reader that claims it, spread over processes, and only what has changed."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from exaid_evals.artifacts.redaction import first_few, printable
from exaid_evals.errors import DataError, ExaidError, UnknownFormatError, show_if_debugging
from exaid_evals.execution.choose import executor
from exaid_evals.execution.local import Executor, without_cycle_search
from exaid_evals.export.cache import (
    STAND_IN,
    Cache,
    Key,
    Known,
    Places,
    digest_of,
    entry_of,
    from_data,
    is_settled,
    listing_of,
    named_text,
    record_text,
    renamed,
    status_of,
    to_data,
)
from exaid_evals.export.finding import NO_RUNS, beside_runs, resolved
from exaid_evals.export.unread import unread_columns
from exaid_evals.files import files_in, folders_in, unreadable
from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.files.content import digests
from exaid_evals.runs.places import places_below
from exaid_evals.runs.registry import format_of, formats
from exaid_evals.runs.run_names import run_names

log = logging.getLogger("exaid_evals.export")

_FOLDERS_AT_ONCE = 50
_LOGGED_ONE_BY_ONE = 100


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that cannot be read.

    Attributes:
        run: what it is called.
        problem: what is wrong and what to do, without the place of the run.
        error: the same, with its place.
        path: where it lies.
    """

    run: str
    problem: str
    error: ExaidError
    path: Path = Path()


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading.

    Attributes:
        runs: in order of their names.
        failures: in order of their names.
        n_remembered: runs whose files were as they were at the last export, and were not opened.
        texts: name of a run → canonical text of its record, where it was made while reading.
        notes: what lies beside the runs in the folders that were named, and is none.
        sources: name → where the run lies, of failures too.
    """

    runs: tuple[Run, ...]
    failures: tuple[Failure, ...]
    n_remembered: int = 0
    texts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)


class _Outcome(NamedTuple):
    """What came of one run; a plain tuple, for thousands travel between processes.

    Attributes:
        path, part: where it lies.
        entry: JSON with the run and the canonical text of its record; None where it is remembered, is not plain data,
            or cannot be read.
        keep: whether the entry is to be remembered.
        known: of the files of a run that is remembered.
        remembered: what is, of a run that is remembered already for the next export too.
        run: the run itself, where it is not plain data.
        error: why it cannot be read.
        label: what the run calls itself.
        left_out: what lies beside the folder's runs and is none; stands with the first of them.
    """

    path: str
    part: str
    entry: bytes | None = None
    keep: bool = False
    known: Known | None = None
    remembered: Mapping[str, Any] | None = None
    run: Run | None = None
    error: ExaidError | None = None
    left_out: tuple[str, ...] = ()
    label: str = ""


def read_runs(
    folders: Sequence[Path],
    names: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    cache: Cache | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Reading:
    """Read every folder with the reader that claims it.

    Args:
        folders: what a user named; each holds one run, or several.
        names: what the runs are called; None takes what tells their paths apart.
        settings: of the readers.
        jobs: processes at most.
        cluster: whose workers read instead, as `execution.choose.executor` takes it.
        cache: of the output folder; None reads everything.
        advance: is called after each folder.

    Raises:
        ConfigError: no folder is given, or one is given twice.
        DataError: no run at all could be read; names every problem at once.
    """
    read = partial(_outcomes, settings=settings or Settings(), workers=executor(jobs, cluster), cache=cache)
    found, notes = _with_places_below(read(resolved(folders), advance=advance), read, settings or Settings())
    sources = [
        Source(folder if outcome.path == str(folder) else Path(outcome.path), outcome.part, outcome.label)
        for folder, outcome in found
    ]
    called = names if names is not None and len(names) == len(found) else run_names(sources)
    taken = _Taken(cache)
    for (folder, outcome), source, name in zip(found, sources, called, strict=True):
        taken.take(folder, source, outcome, name)
    taken.log_all()
    if taken.failures and not taken.runs:
        _raise_all(taken.failures)
    by_name = dict(zip(called, sources, strict=True))
    beside = [(folder.name, ", ".join(outcome.left_out)) for folder, outcome in found if outcome.left_out]
    return Reading(
        tuple(sorted(taken.runs, key=lambda run: run.name)),
        tuple(sorted(taken.failures, key=lambda one: one.run)),
        taken.n_remembered,
        taken.texts,
        (
            *notes,
            *(f"{folder}: beside its runs lie {others}: left out" for folder, others in beside),
            *unread_columns(taken.runs, by_name, settings or Settings()),
        ),
        by_name,
    )


def _with_places_below(
    found: list[tuple[Path, _Outcome]], read: Callable[..., list[tuple[Path, _Outcome]]], settings: Settings
) -> tuple[list[tuple[Path, _Outcome]], list[str]]:
    """Return the outcomes with those of the runs below folders that are none, and what to say of those folders.

    Of what a pattern names, a folder such as Sacred's `_sources` is passed over.
    """
    known = formats(settings)  # all are imported only where a folder is none
    kept, notes = [], []
    for folder, outcome in found:
        unknown = isinstance(outcome.error, UnknownFormatError) and folder.is_dir()
        below = places_below(folder, known) if unknown else []
        if below:
            passed = NO_RUNS.union(path.relative_to(folder).parts[0] for path in below)
            others = [one.name for one in folders_in(folder) if not (one.name in passed or one.name[0] in "._")]
            if tables := _unread_tables(below):
                notes.append(f"{folder.name}: {tables}: no column counts steps or names runs: left out")
            notes += [f"{folder.name}: nothing of a known format lies in {first_few(others, 8)}"] if others else []
            kept += read(below, advance=lambda: None)
        elif not (unknown and len(found) > 1 and folder.name.startswith("_")):
            kept.append((folder, outcome))
    return list({(one.path, one.part): (folder, one) for folder, one in kept}.values()), notes


_TABLES = (".csv", ".tsv")
_OWN = "exported_metrics.csv"


def _unread_tables(taken: Sequence[Path]) -> str:
    """Return the names of the tables that lie beside files of runs and are none; empty without one."""
    beside = [
        path.name
        for holder in dict.fromkeys(path.parent for path in taken if path.suffix in _TABLES)
        for path in files_in(holder, lambda name: name.endswith(_TABLES))
        if path not in taken and path.name != _OWN
    ]
    return first_few(beside, 8) if beside else ""


class _Taken:
    """Outcomes taken as runs, under their names."""

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache
        self._described: list[str] = []
        self.runs: list[Run] = []
        self.failures: list[Failure] = []
        self.texts: dict[str, str] = {}
        self.n_remembered = 0

    def take(self, folder: Path, source: Source, outcome: _Outcome, name: str) -> None:
        """Take one."""
        if outcome.error is not None:
            problem = _without_place(outcome.error, source.path)
            self.failures.append(Failure(name, problem, outcome.error, source.path))
            self._described.append(f"{name}: not read")
            return
        if outcome.run is not None:
            self.runs.append(renamed(outcome.run, name, source.path))
            return
        entry: Mapping[str, Any]
        if outcome.entry is not None:
            entry = orjson.loads(outcome.entry)
            if outcome.keep and self._cache is not None:
                self._cache.keep(entry, outcome.entry)
        elif outcome.remembered is not None:
            entry = outcome.remembered
            self.n_remembered += 1
        else:
            assert self._cache is not None  # noqa: S101 - only a cache makes an outcome without an entry
            assert outcome.known is not None  # noqa: S101
            entry = self._cache.keep_remembered(folder, source, outcome.known)
            self.n_remembered += 1
        run = from_data(entry["run"], name, source.path)
        self.texts[name] = named_text(entry["record"], name)
        self._described.append(
            f"{name}: {run.format}, {'read' if outcome.entry is not None else 'as at the last export'}"
        )
        self.runs.append(run)

    def log_all(self) -> None:
        """Log what was read, thousands of runs in one record."""
        if len(self._described) <= _LOGGED_ONE_BY_ONE:
            for line in self._described:
                log.debug("%s", line)
        else:
            log.debug("%s", "\n".join([f"{len(self._described)} runs:", *map(printable, self._described)]))


def _outcomes(
    folders: Sequence[Path], settings: Settings, workers: Executor, cache: Cache | None, advance: Callable[[], None]
) -> list[tuple[Path, _Outcome]]:
    """Return what came of every run, each once, with the folder that it was found in."""
    made: dict[Path, list[_Outcome]] = {}
    changed = []
    for folder in folders:
        remembered = cache.unchanged(folder) if cache else None
        made[folder] = [] if remembered is None else [_Outcome(str(folder), "", remembered=remembered)]
        if remembered is None:
            changed.append((str(folder), cache.known(folder) if cache else {}))
        else:
            advance()
    batches = [changed[start : start + _FOLDERS_AT_ONCE] for start in range(0, len(changed), _FOLDERS_AT_ONCE)]
    top = cache.out if cache else ""
    for batch, outcomes in workers.map_ordered(partial(_Work, settings, top), batches):
        for (name, _), of_folder in zip(batch, outcomes, strict=True):
            made[Path(name)] = of_folder
            advance()
    found: dict[tuple[str, str], tuple[Path, _Outcome]] = {}
    for folder, of_folder in made.items():
        for outcome in of_folder:
            # A folder of folds and a fold in it may both be named.
            found.setdefault((outcome.path, outcome.part), (folder, outcome))
    return list(found.values())


Item = tuple[str, Mapping[Key, Known]]


class _Work:
    """Reads batches of folders, in whichever process."""

    def __init__(self, settings: Settings, out: str) -> None:
        self._readers = formats(settings)
        self._places = Places(out) if out else None

    def __call__(self, batch: Sequence[Item]) -> list[list[_Outcome]]:
        """Return what came of each folder's runs."""
        with without_cycle_search():
            return [self._folder(Path(folder), known) for folder, known in batch]

    def _folder(self, folder: Path, known: Mapping[Key, Known]) -> list[_Outcome]:
        try:
            reader = format_of(folder, self._readers)
            sources = reader.sources(folder)
            if not sources:
                what = f"holds no run, and its format is {reader.name}"
                raise DataError(what, where=str(folder), remedy="wait for its end, or leave it out")
        except Exception as error:
            return [_Outcome(str(folder), "", error=_described(error, folder))]
        outcomes = [self._source(reader, source, folder, known)._replace(label=source.label) for source in sources]
        outcomes[0] = outcomes[0]._replace(left_out=self._left_out(folder, sources))
        return outcomes

    def _left_out(self, folder: Path, sources: Sequence[Source]) -> tuple[str, ...]:
        """Return what lies beside a folder's runs, with the format of what holds runs of another one."""
        return tuple(f"{one}{self._said_of(folder / one)}" for one in beside_runs(folder, sources))

    def _said_of(self, place: Path) -> str:
        try:
            return f" ({format_of(place, self._readers).name}: name it with --run)"
        except DataError:
            return ""

    def _source(self, reader: Format, source: Source, folder: Path, known: Mapping[Key, Known]) -> _Outcome:
        try:
            inputs = reader.inputs(source)
            if inputs is None or self._places is None:
                run, text = _read(reader, source)
                return _outcome(source, run, text)
            before = status_of(inputs)
            listed, names = listing_of(reader.listed(source), inputs, before, source.path)
            key = (self._places.of(source.path), source.part)
            old = known.get(key)
            if (
                old is not None
                and old.reader == reader.name
                and ((before == old.status and old.settled) or digest_of(inputs, before) == old.digest)
            ):
                settled = is_settled([*before, *(one for _, one in listed)], time.time_ns())
                known_now = old._replace(status=before, settled=settled, listed=listed, names=names)
                return _Outcome(str(source.path), source.part, known=known_now)
            with digests() as read:
                run, text = _read(reader, source)
            if isinstance(run, Run):
                return _outcome(source, run, text)
            # What was written while it was read has other times than before, and will be read again.
            settled = is_settled([*before, *(one for _, one in listed)], time.time_ns())
            known_now = Known(reader.name, before, digest_of(inputs, before, read), settled, listed, names)
            entry = entry_of(self._places.of(folder), key, known_now, text, run)
            return _Outcome(str(source.path), source.part, entry, keep=True)
        except Exception as error:
            return _Outcome(str(source.path), source.part, error=_described(error, source.path))


def _read(reader: Format, source: Source) -> tuple[bytes | Run, str]:
    """Return a run as JSON with the text of its record; itself, without a text, where it is not plain data."""
    run = reader.read(source, STAND_IN)
    if run.cases is None:
        with contextlib.suppress(TypeError):  # a number of more than 64 bits, say: it has no short form
            return orjson.dumps(to_data(run)), record_text(run)
    return run, ""


def _outcome(source: Source, run: bytes | Run, text: str) -> _Outcome:
    """Return what came of a run that is not to be remembered."""
    if isinstance(run, Run):
        return _Outcome(str(source.path), source.part, run=run)
    entry = orjson.dumps({"record": text, "run": orjson.Fragment(run)})
    return _Outcome(str(source.path), source.part, entry)


def _described(error: Exception, folder: Path) -> ExaidError:
    if isinstance(error, ExaidError):
        return error
    show_if_debugging(error)
    if isinstance(error, OSError) and error.strerror:
        where = (
            os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename or folder)
        )
        return unreadable(where, error)
    return DataError(
        f"cannot be read ({type(error).__name__}: {error})",
        where=str(folder),
        remedy="run it again with --debug for the traceback",
    )


def _without_place(error: ExaidError, folder: Path) -> str:
    """Return an error as it may stand in a result: a result does not depend on where its runs lay."""
    return printable(str(error).replace(f"{folder}/", "").replace(str(folder), "").removeprefix(": "))


def _raise_all(failures: Sequence[Failure]) -> None:
    if len(failures) == 1:
        raise failures[0].error
    lines = "\n".join(f"  - {failure.error}" for failure in failures)
    raise DataError(f"{len(failures)} runs cannot be read:\n{lines}")
