"""Reading runs: each folder by the reader that claims it, spread over processes, and only what has changed."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from exaid_evals.artifacts.printable import printable
from exaid_evals.errors import ConfigError, DataError, ExaidError, show_if_debugging
from exaid_evals.export.base import ExportedRun, Reader, Settings, Source
from exaid_evals.export.cache import Cache, Key, Known, digest_of, is_settled, status_of
from exaid_evals.export.content import digests
from exaid_evals.export.registry import reader_of, readers
from exaid_evals.export.run_data import STAND_IN, from_data, renamed, to_data
from exaid_evals.workers import spread

log = logging.getLogger("exaid_evals.export")

_FOLDERS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that cannot be read.

    Attributes:
        run: what it is called.
        problem: what is wrong and what to do, without the place of the run.
        error: the same, with its place.
    """

    run: str
    problem: str
    error: ExaidError


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading.

    Attributes:
        runs: in order of their names.
        failures: in order of their names.
        n_remembered: runs whose files were as they were at the last export, and were not opened.
    """

    runs: tuple[ExportedRun, ...]
    failures: tuple[Failure, ...]
    n_remembered: int = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one run.

    Attributes:
        source: where it lies.
        data: the run as JSON; None where it is remembered, is no plain data, or cannot be read.
        run: the run itself, where it is no plain data.
        known: of its files; None where it is not to be remembered.
        error: why it cannot be read.
    """

    source: Source
    data: bytes | None = None
    run: ExportedRun | None = None
    known: Known | None = None
    error: ExaidError | None = None


def read_runs(
    folders: Sequence[Path],
    names: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    jobs: int = 1,
    cache: Cache | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Reading:
    """Read every folder with the reader that claims it.

    Args:
        folders: what a user named; each holds one run, or several.
        names: what the runs are called; None takes what tells their paths apart.
        settings: of the readers.
        jobs: processes at most.
        cache: of the output folder; None reads everything.
        advance: is called after each folder.

    Raises:
        ConfigError: no folder is given, or one is given twice.
        DataError: no run at all could be read; names every problem at once.
    """
    resolved = [Path(os.path.realpath(folder)) for folder in folders]
    if not resolved:
        raise ConfigError("no run to export", remedy="name folders with --run")
    repeated = [str(folder) for folder, count in Counter(resolved).items() if count > 1]
    if repeated:
        raise ConfigError(f"given twice: {', '.join(repeated)}", where="--run", remedy="name each run once")
    found = _outcomes(resolved, settings or Settings(), jobs, cache, advance)
    called = names if names is not None and len(names) == len(found) else run_names([one.source for _, one in found])
    runs, failures, n_remembered = [], [], 0
    for (folder, outcome), name in zip(found, called, strict=True):
        if outcome.error is not None:
            failures.append(Failure(name, _without_place(outcome.error, outcome.source.path), outcome.error))
            log.debug("%s: not read", name)
            continue
        if outcome.run is not None:
            run = renamed(outcome.run, name)
        else:
            remembered = outcome.data is None
            n_remembered += remembered
            data = _data_of(outcome, folder, cache)
            run = from_data(data, name)
            if cache is not None and outcome.known is not None:
                cache.keep(folder, outcome.source, outcome.known, data)
            log.debug("%s: %s, %s", name, run.format, "as at the last export" if remembered else "read")
        runs.append(replace(run, origin=outcome.source.path))
    if failures and not runs:
        _raise_all(failures)
    return Reading(
        tuple(sorted(runs, key=lambda run: run.name)), tuple(sorted(failures, key=lambda one: one.run)), n_remembered
    )


def _outcomes(
    folders: Sequence[Path], settings: Settings, jobs: int, cache: Cache | None, advance: Callable[[], None]
) -> list[tuple[Path, _Outcome]]:
    """Return what came of every run, each once, with the folder that it was found in."""
    batches = [
        [(folder, cache.known(folder) if cache else {}) for folder in folders[start : start + _FOLDERS_AT_ONCE]]
        for start in range(0, len(folders), _FOLDERS_AT_ONCE)
    ]
    top = cache.out if cache else ""
    found: dict[tuple[str, str], tuple[Path, _Outcome]] = {}
    for batch, outcomes in spread(partial(_Work, settings, top), batches, jobs=jobs):
        for (folder, _), of_folder in zip(batch, outcomes, strict=True):
            for outcome in of_folder:
                # A folder of folds and a fold in it may both be named.
                found.setdefault((str(outcome.source.path), outcome.source.part), (folder, outcome))
            advance()
    return list(found.values())


Item = tuple[Path, Mapping[Key, Known]]


class _Work:
    """Reads batches of folders, in whichever process."""

    def __init__(self, settings: Settings, out: str) -> None:
        self._readers = readers(settings)
        self._out = out

    def __call__(self, batch: Sequence[Item]) -> list[list[_Outcome]]:
        """Return what came of each folder's runs."""
        # Reading makes many small objects and no cycles: looking for these would take a fifth of the time.
        was_on = gc.isenabled()
        gc.disable()
        try:
            return [self._folder(folder, known) for folder, known in batch]
        finally:
            if was_on:
                gc.enable()

    def _folder(self, folder: Path, known: Mapping[Key, Known]) -> list[_Outcome]:
        try:
            reader = reader_of(folder, self._readers)
            sources = reader.sources(folder)
            if not sources:
                raise DataError("holds no run", where=str(folder), remedy=f"its format is {reader.name}")
        except Exception as error:
            return [_Outcome(Source(folder), error=_told(error, folder))]
        return [self._source(reader, source, known) for source in sources]

    def _source(self, reader: Reader, source: Source, known: Mapping[Key, Known]) -> _Outcome:
        try:
            inputs = reader.inputs(source)
            if inputs is None or not self._out:
                return _read(reader, source)
            before = status_of(inputs)
            old = known.get((Cache.place(source.path, self._out), source.part)) if known else None
            if (
                old is not None
                and old.reader == reader.name
                and ((before == old.status and old.settled) or digest_of(inputs, before) == old.digest)
            ):
                return _Outcome(source, known=replace(old, status=before, settled=is_settled(before, time.time_ns())))
            with digests() as read:
                outcome = _read(reader, source)
            if outcome.data is None:
                return outcome
            # What was written while it was read has other times than before, and will be read again.
            known_now = Known(reader.name, before, digest_of(inputs, before, read), is_settled(before, time.time_ns()))
            return replace(outcome, known=known_now)
        except Exception as error:
            return _Outcome(source, error=_told(error, source.path))


def _read(reader: Reader, source: Source) -> _Outcome:
    run = reader.read(source, STAND_IN)
    if run.cases is None:
        try:
            return _Outcome(source, data=orjson.dumps(to_data(run)))
        except TypeError:  # a number of more than 64 bits, say: it has no short form, and travels as it is
            pass
    return _Outcome(source, run=run)


def _told(error: Exception, folder: Path) -> ExaidError:
    if isinstance(error, ExaidError):
        return error
    show_if_debugging(error)
    if isinstance(error, OSError) and error.strerror:
        where = (
            os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename or folder)
        )
        return DataError(f"cannot be read ({error.strerror})", where=where, remedy="check its permissions")
    return DataError(
        f"cannot be read ({type(error).__name__}: {error})", where=str(folder), remedy="look at it with --debug"
    )


def _data_of(outcome: _Outcome, folder: Path, cache: Cache | None) -> dict[str, Any]:
    if outcome.data is not None:
        data: dict[str, Any] = orjson.loads(outcome.data)
        return data
    assert cache is not None  # noqa: S101 - only a cache makes an outcome without data
    return cache.remembered(folder, outcome.source)


def _without_place(error: ExaidError, folder: Path) -> str:
    """Return an error as it may stand in a result: a result does not depend on where its runs lay."""
    return printable(str(error).replace(f"{folder}/", "").replace(str(folder), "").removeprefix(": "))


def _raise_all(failures: Sequence[Failure]) -> None:
    if len(failures) == 1:
        raise failures[0].error
    lines = "\n".join(f"  - {failure.error}" for failure in failures)
    raise DataError(f"{len(failures)} runs cannot be read:\n{lines}")


def run_names(sources: Sequence[Source]) -> list[str]:
    """Return the shortest trailing parts of the paths, with the part of a file, that tell the runs apart.

    >>> run_names([Source(Path("/a/seed-1")), Source(Path("/a/seed-2"))])
    ['seed-1', 'seed-2']
    >>> run_names([Source(Path("/a/x/results")), Source(Path("/a/y/results"), "7")])
    ['x/results', 'y/results/7']
    """
    if not sources:
        return []
    depth, deepest = 1, max(len(source.path.parts) for source in sources)
    while True:
        names = [
            "/".join([*source.path.parts[-depth:], source.part][: None if source.part else -1]) for source in sources
        ]
        names = [printable(name.lstrip("/")) or "/" for name in names]
        if len(set(names)) == len(names):
            return names
        if depth >= deepest:  # names that differ in what cannot be printed alone
            seen: Counter[str] = Counter()
            for number, name in enumerate(names):
                seen[name] += 1
                names[number] = f"{name} ({seen[name]})" if seen[name] > 1 else name
            return names
        depth += 1
