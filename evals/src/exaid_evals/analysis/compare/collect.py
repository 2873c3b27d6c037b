"""The runs that a list means, of any source, mixed; their settings, and those in which they differ."""

from __future__ import annotations

import glob
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.redaction import first_few
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.base import Format, Source
from exaid_evals.runs.files.summary import SEEDS, is_code_version, is_incidental
from exaid_evals.runs.files.values import plain
from exaid_evals.runs.history import History
from exaid_evals.runs.registry import USUAL_PLACES, chosen, find_run, names_in, runs_in

ABSENT = "absent"
_WRITTEN = re.compile(r"-?(0|[1-9]\d*)(\.(\d*[1-9]|0))?([eE][+-]?\d+)?")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_DIGITS = 15
"""That a number keeps; text of more is kept as it is."""
_GREATEST = 10**300
"""A greater whole number has no floating-point form, and is text."""


def flat_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as dotted key → plain value, in order of keys.

    A list stays one value. Text that is a number, a truth value or none becomes that, since some trackers keep only
    text; but not where something would be lost: versions `1.10` and `1.1` are two, and so are `007` and `7`. A whole
    number that came as a fraction (32.0) becomes whole.
    """
    return {key: _value(value) for key, value in sorted(_flat(config).items())}


def seed_keys(settings: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """Return for each run the setting that holds its seed; None where there is none.

    Of several (`seed` and `trainer.seed`) the one that varies over the runs, then the one of the shortest key.
    """
    varying = set(differing(settings))
    found = []
    for one in settings:
        named = [key for key in one if is_seed(key)]
        # A key that some runs lack differs among them and need not vary where it is.
        values = {key: {setting_text(other, key) for other in settings if key in other} for key in named}
        order = sorted(named, key=lambda key: (key not in varying or len(values[key]) < 2, key.count("."), key))
        found.append(order[0] if order else None)
    return found


def is_seed(key: str) -> bool:
    """Return whether a setting is called a seed."""
    return key.rpartition(".")[2].lower() in SEEDS


def making(settings: Mapping[str, Any], without: str | None = None) -> dict[str, Any]:
    """Return the settings that say how a run was made; none that seeds, names, places or times it, nor `without`.

    The version of the code is one: another program may give another result.
    """
    return {
        key: value
        for key, value in settings.items()
        if key != without and (is_code_version(key) or not is_incidental(key))
    }


def passed_over(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys in which settings differ and that count for nothing, but for seeds: what names or places runs."""
    ignored = [{key: one[key] for key in one.keys() - making(one).keys() if not is_seed(key)} for one in settings]
    return differing(ignored)


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys in which settings differ; one that some lack differs."""
    keys = sorted({key for one in settings for key in one})
    return [key for key in keys if len({setting_text(one, key) for one in settings}) > 1]


def setting_text(settings: Mapping[str, Any], key: str) -> str:
    """Return a setting as it is shown and compared: text as it is, the rest as JSON; `absent` where there is none."""
    if key not in settings:
        return ABSENT
    value = settings[key]
    if isinstance(value, str):
        return value
    # More digits than a file of ours keeps: 1e-7 and 2e-7 are two learning rates.
    return f"{value:.12g}" if isinstance(value, float) else canonical_json(value)


def _flat(config: Mapping[str, Any], prefix: str = "", deep: int = 0) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value and deep < 20:
            flat.update(_flat(value, f"{prefix}{key}.", deep + 1))
        else:
            flat[f"{prefix}{key}"] = plain(value)
    return flat


def _value(value: Any) -> Any:
    if isinstance(value, str):
        if value in _WORDS:
            return _WORDS[value]
        digits = re.sub(r"[eE].*|\D", "", value).lstrip("0")
        if not _WRITTEN.fullmatch(value) or len(digits) > _DIGITS or not math.isfinite(float(value)):
            return value
        value = float(value)
    if isinstance(value, int) and abs(value) > _GREATEST:
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


_PATTERN = frozenset("*?[")


@dataclass(frozen=True)
class Run:
    """A run that is compared.

    Attributes:
        name: unique among the runs that are compared.
        history: as its source read it.
        settings: dotted key → value, with what seeds or names the run.
        seed_at: the key that holds the seed; None where there is none.
    """

    name: str
    history: History
    settings: Mapping[str, Any]
    seed_at: str | None

    @property
    def seed(self) -> str | None:
        """The seed, as text."""
        return None if self.seed_at is None else str(self.settings[self.seed_at])


@dataclass(frozen=True, slots=True)
class Collected:
    """The runs, and those that could not be read, each with why."""

    runs: tuple[Run, ...]
    unreadable: tuple[str, ...]


def collect(
    listed: str | Sequence[str], places: Sequence[Path], source: str | None = None, *, all_needed: bool = True
) -> Collected:
    """Read the runs of a list.

    A part of the list is, in this order: an existing file or folder (every run in it), a pattern of files and folders,
    a pattern of run names in the places, a run name. A run that is listed twice, or by a link to its
    folder, is read once. One that is damaged is reported while the others go on.

    Args:
        listed: parts, or text with commas between them; a path that holds a comma may stand alone.
        places: files or folders in which names are looked for.
        source: only this one.
        all_needed: whether a name that nothing has is an error; else it is reported as one that cannot be read.

    Raises:
        ConfigError: the list is empty, or a folder of it holds no run; there is no such source.
        DataError: a name or pattern that nothing has, or no run could be read.
    """
    known = _Known(chosen(source))
    if isinstance(listed, str):
        parts = [listed] if _exists(listed) else [part.strip() for part in listed.split(",") if part.strip()]
    else:
        parts = list(listed)
    if not parts:
        raise ConfigError("names no run", where="--runs", remedy="write names, files or patterns with commas between")
    read: dict[tuple[str, str], History] = {}
    unreadable: dict[str, None] = {}
    placed: set[tuple[str, ...]] = set()
    for part in parts:
        meant = list(_meant(part, places, known))
        if not meant:
            # W&B is asked for it, or the error says which runs there are: nobody wants a comparison that lacks a run
            # because of a mistyped name.
            try:
                read.setdefault(("", part), find_run(part, places, source))
            except DataError as error:
                if all_needed:
                    raise
                unreadable.setdefault(_readable(str(error)))
        for place, name, form, found in sorted(meant, key=lambda one: one[3].folder.is_symlink()):
            key = str(place.resolve()), name
            lies = form.name, os.path.realpath(found.folder), found.path.name * found.path.is_file(), found.part
            if key in read or lies in placed:
                continue
            placed.add(lies)
            try:
                history = form.history(found, name)
            except DataError as error:
                unreadable.setdefault(_readable(str(error)))
                continue
            if not _again(key[0], history, read):
                read[key] = history
    if not read:
        raise DataError("no run could be read:\n" + "\n".join(f"  - {why}" for why in unreadable))
    return Collected(tuple(_named(list(read.items()))), tuple(unreadable))


def without_code_versions(runs: Sequence[Run]) -> tuple[tuple[Run, ...], list[str]]:
    """Return runs whose settings say nothing of the version of the code, and a note of that."""
    settings = [run.settings for run in runs]
    keys = {key for one in settings for key in one if is_code_version(key)}
    versions = [key for key in differing(settings) if key in keys]
    notes = [
        f"runs of different versions of the code are pooled, as asked: "
        f"{first_few(sorted({setting_text(one, key) for one in settings if key in one}))} ({key})"
        for key in versions
    ]
    pooled = tuple(replace(run, settings={k: v for k, v in run.settings.items() if k not in keys}) for run in runs)
    return pooled, notes


Meant = tuple[Path, str, Format, Source]
"""Place, name, format and source of a run that a part of the list means."""


class _Known:
    """The formats that are asked; what a place holds is looked up once, for a list names it as often as runs."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self.names = ", ".join(form.name for form in formats)
        self.runs_in = cache(lambda place: runs_in(place, formats))
        self.names_in = cache(lambda place: names_in(place, formats))


def _meant(part: str, places: Sequence[Path], known: _Known) -> Iterator[Meant]:
    """Yield each run that a part means; nothing for a name that no place holds."""
    if _exists(part):
        yield from _in(Path(part), known)
        return
    if _PATTERN & set(part):
        yield from _matching(part, places, known)
        return
    for place in places:
        having = [(form, source) for form, name, source in known.names_in(place) if name == part]
        if len(having) > 1:
            names = ", ".join(form.name for form, _ in having)
            raise ConfigError(f"several sources have the run ({names})", where=part, remedy="say which with --source")
        if having:
            yield place, part, *having[0]
            return


def _exists(path: str) -> bool:
    # Path.exists raises for a list of names that is longer than a file name may be.
    return os.path.exists(path)  # noqa: PTH110


def _matching(pattern: str, places: Sequence[Path], known: _Known) -> Iterator[Meant]:
    paths = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 - the pattern may be absolute
    found = [one for path in paths if known.runs_in(path) for one in _in(path, known)]
    if not found:
        found = [
            (place, name, form, source)
            for place in places
            for form, name, source in known.names_in(place)
            if fnmatchcase(name, pattern)
        ]
    if not found:
        raise DataError(
            f"no run, file or folder fits {pattern!r}",
            where="--runs",
            remedy="quote the pattern, and name the folder to look in with --from",
        )
    yield from found


def _in(path: Path, known: _Known) -> Iterator[Meant]:
    """Yield the runs of a file or folder; of formats that share one, that is an error and no guess."""
    found = known.runs_in(path)
    if not found:
        raise ConfigError(f"holds no run of a known source ({known.names})", where=str(path), remedy="check the path")
    seen: dict[str, str] = {}
    for form, name, source in found:
        if name in seen:
            what = f"several sources have the run {name!r} ({seen[name]}, {form.name})"
            raise ConfigError(what, where=str(path), remedy="say which with --source")
        seen[name] = form.name
        yield path, name, form, source


def _named(read: Sequence[tuple[tuple[str, str], History]]) -> Iterator[Run]:
    """Yield runs whose names differ: those that share one get the folder before it, or a number behind it."""
    counts = Counter(_readable(history.run_name) for _, history in read)
    used: set[str] = set()
    settings = [flat_settings(history.config) for _, history in read]
    for ((place, _), history), own, seed_at in zip(read, settings, seed_keys(settings), strict=True):
        name = _readable(history.run_name)
        if counts[name] > 1:
            path = Path(place)
            name = _readable(f"{(path.parent if path.is_file() else path).name}/{name}")
        label, number = name, 1
        while label in used:
            number += 1
            label = f"{name} ({number})"
        used.add(label)
        warnings = tuple(map(_readable, history.warnings))
        yield Run(label, replace(history, run_name=label, warnings=warnings), own, seed_at)


def _readable(text: str) -> str:
    r"""Return text in which bytes of a file name that are not UTF-8 stand as `\xff`: files hold no others."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _again(place: str, history: History, read: Mapping[tuple[str, str], History]) -> bool:
    """Return whether a run has been read: from the file that a folder of the list holds, or the other way round."""
    # A run in the same place has another name and is another run, whatever it holds.
    return any(
        (place.startswith(other + os.sep) or other.startswith(place + os.sep)) and _same(known, history)
        for (other, _), known in read.items()
        if other
    )


def _same(one: History, other: History) -> bool:
    if one.source != other.source or one.config != other.config or one.series.keys() != other.series.keys():
        return False
    # As text: NaN is not an equal of itself.
    return all(repr(series.points) == repr(other.series[metric].points) for metric, series in one.series.items())


@dataclass(frozen=True)
class RunSelection:
    """The runs of an analysis.

    Attributes:
        runs: names, files, folders and patterns, with commas between them; or the project, a folder or one of W&B's
            (`entity/project`), whose runs are named later.
        places: files or folders in which names are looked for.
        source: only this one.
        config: thresholds of the anomalies, the metric that counts, directions.
        pool_code_versions: whether the version of the code (`git_hash`, …) counts for no setting.
    """

    runs: str | Path
    places: Sequence[Path] = (Path(),)
    source: str | None = None
    config: AnalysisConfig = field(default_factory=AnalysisConfig)
    pool_code_versions: bool = False

    def read(self) -> Collected:
        """Read the runs; of a project on W&B's server, where nothing here has its name, all that it has.

        Raises:
            ConfigError: wrong usage.
            DataError: a run is not there, or none can be read.
        """
        project, asked = str(self.runs), chosen(self.source)
        if not _exists(project) and "," not in project and self.source in (None, "wandb"):
            here = {name for place in self.places if place.exists() for _, name, _ in names_in(place, asked)}
            for form in asked if project not in here else ():
                if (listed := form.online_runs(project)) is not None:
                    return collect(listed, self.places, form.name, all_needed=False)
        return collect(project, self.places, self.source)

    def read_named(self, names: Sequence[str]) -> Collected:
        """Read runs of the project by their names.

        They are looked for in the project, where it is a folder; else in the usual places, and on W&B's server.

        Raises:
            ConfigError: no run is named, or several formats have one.
            DataError: a run is not there.
        """
        if Path(self.runs).is_dir():
            return collect(list(names), [Path(self.runs), *self.places], self.source)
        places = [*map(Path, USUAL_PLACES), *self.places]
        known = {name for place in places if place.exists() for _, name, _ in names_in(place, chosen(self.source))}
        listed = [name if name in known or "/" in name else f"{self.runs}/{name}" for name in names]
        online = self.source or ("wandb" if any(name not in known for name in names) else None)
        return collect(listed, places, online)

    def alike(self, runs: tuple[Run, ...]) -> tuple[tuple[Run, ...], list[str]]:
        """Return the runs with the settings that count, and notes of those that do not."""
        return without_code_versions(runs) if self.pool_code_versions else (runs, [])
