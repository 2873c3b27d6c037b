"""What formats share that hold several runs in one file: a table with a row a run, a study, a log of a search."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.tracked import numbers_of, seed_in, settings_of, undefined_warning
from exaid_evals.runs.finished import run_of
from exaid_evals.runs.history import History
from exaid_evals.runs.rows import Row, history_of


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
        """Tell whether such a file lies here."""
        return self.file_of(place) is not None

    def sources(self, place: Path) -> Sequence[Source]:
        """Return a run a part of the file."""
        path = self.file_of(place)
        if path is None:
            raise DataError("the file is gone", where=str(place), remedy="has something removed it?")
        return [Source(path, part) for part in self._entries(path)]

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the runs that have a history, by their parts."""
        path = self.file_of(place)
        try:
            return {part: Source(path, part) for part, one in self._entries(path).items() if one.rows} if path else {}
        except DataError:
            return {}  # reading the runs tells what is wrong

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the file."""
        return [source.path]

    def read(self, source: Source, name: str) -> Run:
        """Read a run."""
        entry = self._entry(source)
        if entry.rows and not entry.metrics:
            history = self.history(source, source.part)
            run = run_of(history, self.name, name, source, self.settings)
            metrics, warnings = dict(run.metrics), list(run.warnings)
            attributes, training, primary = {**run.attributes, **entry.attributes}, run.training, run.default_primary
        else:
            metrics, undefined = numbers_of(entry.metrics)
            warnings = [f"{name}: {one}" for one in [*entry.warnings, *undefined_warning(undefined)]]
            attributes, training = dict(entry.attributes), None
            primary = next(iter((*entry.higher, *entry.lower)), None)
        return Run(
            name=name,
            format=self.name,
            metrics=metrics,
            config=settings_of(entry.config),
            seed=seed_in(entry.config),
            fold=entry.fold,
            trial=entry.trial,
            group=entry.group,
            training=training,
            attributes=attributes,
            lower_is_better=frozenset(entry.lower),
            higher_is_better=frozenset(entry.higher),
            default_primary=primary,
            warnings=tuple(warnings),
            origin=source.path,
        )

    def history(self, source: Source, name: str) -> History:
        """Read what a run logged.

        Raises:
            DataError: it logged nothing.
        """
        entry = self._entry(source)
        if not entry.rows:
            raise DataError("holds no history of this run", where=f"{source.path}: {source.part}")
        return history_of(
            name, self.name, entry.rows, config=entry.config, warnings=entry.warnings, step_name=entry.step
        )

    def _entry(self, source: Source) -> Entry:
        entry = self._entries(source.path).get(source.part)
        if entry is None:
            raise DataError(f"the run {source.part!r} is gone", where=str(source.path))
        return entry

    def _entries(self, path: Path) -> Mapping[str, Entry]:
        if path not in self._held:
            self._held[path] = self.entries(path)
        return self._held[path]


def file_in(place: Path, suffixes: Sequence[str], fits: Any, first: Sequence[str] = ()) -> Path | None:
    """Return a file that fits: the place itself, or of those in a folder the first by its usual names, else by name."""
    if place.is_file():
        return place if place.name.lower().endswith(tuple(suffixes)) and fits(place) else None
    try:
        with os.scandir(place) as entries:
            names = sorted(one.name for one in entries if one.name.lower().endswith(tuple(suffixes)) and one.is_file())
    except OSError:
        return None
    names.sort(key=lambda name: first.index(name) if name in first else len(first))
    return next((place / name for name in names if fits(place / name)), None)
