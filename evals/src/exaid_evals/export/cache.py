"""Runs as the summary has them, remembered in the output folder, and read again only when their files have changed.

An entry holds, of every file that its run depends on, size, times and inode, and one digest over their contents. Where
the former are as they were, nothing is opened. Where they are not (the files were copied, or touched), the contents
decide. A file that was written less than two seconds before it was read could change again without its times showing
it, so its contents decide too. An entry counts only for the program that wrote it: its source is part of the key.

The file is not a result: it holds full numbers and times of files, and deleting it costs only time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.ledger import source_hash
from exaid_evals.errors import DataError
from exaid_evals.files import read_regular
from exaid_evals.runs.base import Predictions, Run, Settings, Source, Training
from exaid_evals.runs.files.content import chunks
from exaid_evals.runs.registry import FORMATS

STAND_IN = "\u2063run\u2063"
"""Stands for a run's name until all runs are known, of which names depend. U+2063 is an invisible separator."""
_ALWAYS = ("format", "metrics", "attributes", "signature", "stub")
_WHERE_THERE = ("per_class", "config", "seed", "fold", "trial", "group", "git_hash", "git_dirty")
_NAMELESS = f'"run":{json.dumps(STAND_IN, ensure_ascii=False)}'
_FOLLOWING = (',"seed":', ',"signature":')
"""The keys of a record that may come next after its name; what a file fills with keys of its own stands above them."""


def run_record(run: Run) -> dict[str, Any]:
    """Return a run as the summary has it; what a format does not have is left out."""
    record: dict[str, Any] = {"run": run.name, **{name: getattr(run, name) for name in _ALWAYS}}
    record |= {name: value for name in _WHERE_THERE if (value := getattr(run, name)) not in (None, {})}
    for name, part in (("predictions", run.predictions), ("history", run.training)):
        if part is not None:  # `asdict` copies deeply, which shows in thousands of runs
            record[name] = {one: getattr(part, one) for one in part.__slots__}
    return record


def record_text(run: Run) -> str:
    """Return the canonical text of a run's record."""
    return canonical_json(run_record(run))


def named_text(text: str, name: str) -> str:
    """Return a record's text, made under the stand-in for its name, under the name itself.

    What follows the name in the order of keys marks its place, so that nothing that a file holds is taken for it.
    """
    at, _ = max((text.rfind(f"{_NAMELESS}{follows}"), follows) for follows in _FOLLOWING)
    if at < 0:
        raise ValueError("no record of a run that was read")
    rest = text[at + len(_NAMELESS) :]
    return f'{text[:at]}"run":{json.dumps(name, ensure_ascii=False)}{rest}'


_SETS = ("lower_is_better", "higher_is_better")
_DATA = tuple(item.name for item in fields(Run) if item.name not in ("origin", "cases"))


def to_data(run: Run) -> dict[str, Any]:
    """Return a run as plain data, without what is not data: where it lies, and its cases."""
    values = ((name, getattr(run, name)) for name in _DATA)
    data: dict[str, Any] = {name: value for name, value in values if value is not None and value != {} and value != ()}
    for name in _SETS:
        data[name] = sorted(data[name])
    for name in ("predictions", "training"):
        if name in data:
            data[name] = {one: getattr(data[name], one) for one in data[name].__slots__}
    return data


def from_data(data: Mapping[str, Any], name: str, origin: Path | None = None) -> Run:
    """Return the run of plain data, under its name, and where it lies."""
    arguments = {"metrics": {}, **data, "origin": origin}
    for one in _SETS:
        arguments[one] = frozenset(arguments[one])
    if "predictions" in arguments:
        arguments["predictions"] = Predictions(**arguments["predictions"])
    if "training" in arguments:
        arguments["training"] = Training(**arguments["training"])
    arguments["name"] = name
    arguments["warnings"] = _named(arguments.get("warnings", ()), name)
    return Run(**arguments)


def renamed(run: Run, name: str, origin: Path) -> Run:
    """Return the run under its name, in its warnings too, and where it lies."""
    return replace(run, name=name, warnings=_named(run.warnings, name), origin=origin)


def _named(warnings: Iterable[str], name: str) -> tuple[str, ...]:
    return tuple([line.replace(STAND_IN, name) for line in warnings])


FILE = ".state/export_runs.jsonl"
_SETTLED_AFTER_NS = 2_000_000_000
_MOST_BYTES = 1 << 30

Status = tuple[int, ...] | None


class Known(NamedTuple):
    """What is remembered of a run's files.

    Attributes:
        reader: its format.
        status: of each input, in order; None for one that is not there.
        digest: of their contents.
        settled: whether equal times prove equal contents.
        listed: name and status of each folder whose names decide what the run is; empty where more does.
        names: of the inputs that are there, below the run's folder; empty without `listed`.
    """

    reader: str
    status: tuple[Status, ...]
    digest: str
    settled: bool
    listed: tuple[tuple[str, Status], ...] = ()
    names: tuple[str, ...] = ()


def _known_of(entry: Mapping[str, Any]) -> Known:
    """Return what an entry remembers of a run's files."""
    status = tuple(None if one is None else tuple(one) for one in entry["status"])
    listed = tuple((name, None if one is None else tuple(one)) for name, one in entry["listed"])
    return Known(entry["reader"], status, entry["digest"], entry["settled"], listed, tuple(entry["names"]))


def status_of(paths: Iterable[Path | str]) -> tuple[Status, ...]:
    """Return size, times and inode of each file; None for what is not there, or is not a file."""
    found: list[Status] = []
    for path in paths:
        try:
            one = os.stat(path)  # noqa: PTH116 - of many
        except OSError:
            found.append(None)
            continue
        is_file = stat.S_ISREG(one.st_mode)
        found.append((one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino) if is_file else None)
    return tuple(found)


def listing_of(
    folders: Sequence[Path], inputs: Sequence[Path], status: Sequence[Status], run: Path
) -> tuple[tuple[tuple[str, Status], ...], tuple[str, ...]]:
    """Return name and status of the folders whose names decide what a run is, and the names of the inputs there are."""
    if not folders:
        return (), ()
    start = len(str(run))
    listed = tuple([(path[start:], _status_of_folder(path)) for path in map(str, folders)])
    return listed, tuple([str(path)[start:] for path, one in zip(inputs, status, strict=True) if one is not None])


def _status_of_folder(path: str) -> Status:
    try:
        one = os.stat(path)  # noqa: PTH116 - of many
    except OSError:
        return None
    return one.st_mtime_ns, one.st_ctime_ns, one.st_ino


def is_settled(status: Sequence[Status], now_ns: int) -> bool:
    """Return whether every file was written well before now."""
    return all(one is None or max(one[-3], one[-2]) < now_ns - _SETTLED_AFTER_NS for one in status)


def digest_of(paths: Sequence[Path], status: Sequence[Status], read: Mapping[Path, bytes] | None = None) -> str:
    """Return one digest over the contents of files, in order, with what is not there.

    Raises:
        DataError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path, one in zip(paths, status, strict=True):
        if one is None:
            digest.update(b"-")
            continue
        digest.update(b"+%s\0" % os.fsencode(path.name) + ((read or {}).get(path) or _sha256(path)))
    return digest.hexdigest()


def _sha256(path: Path) -> bytes:
    digest = hashlib.sha256()
    for chunk in chunks(path):
        digest.update(chunk)
    return digest.digest()


Key = tuple[str, str]


def entry_of(place: str, key: Key, known: Known, record: str, run: bytes) -> bytes:
    """Return what is remembered of a run, as one line of JSON."""
    path, part = key
    new = {"folder": place, "path": path, "part": part, **known._asdict(), "record": record}
    return orjson.dumps({**new, "run": orjson.Fragment(run)})


class Places:
    """Paths relative to the output folder, so that both can be moved together."""

    def __init__(self, out: str) -> None:
        self._out = out
        self._of_holder: dict[str, str] = {}

    def of(self, path: Path) -> str:
        """Return a path relative to the output folder; any bytes are text."""
        head, name = os.path.split(path)
        if name in ("", ".", "..") or f"{self._out}/".startswith(f"{head}/{name}/"):
            return self._relative(str(path))
        if head not in self._of_holder:  # what holds it is looked up once for all that lies in it
            self._of_holder[head] = self._relative(head)
        return f"{self._of_holder[head]}/{os.fsencode(name).decode('latin-1')}"

    def _relative(self, path: str) -> str:
        return os.fsencode(os.path.relpath(path, self._out)).decode("latin-1")


class Cache:
    """The remembered runs of one output folder."""

    def __init__(self, out: Path, settings: Settings, reader_names: Sequence[str], *, remember: bool = True) -> None:
        """Read what is remembered; a file that is damaged, or of another program or settings, counts as empty.

        Args:
            out: the output folder.
            settings: of the readers; with others, another run would come out.
            reader_names: of all readers, whose sources are part of the key.
            remember: take up what is remembered; else everything is read again.
        """
        self._path = out / FILE
        self.out = os.path.realpath(out)
        self._program = _program(settings, reader_names)
        self._before = b""
        self._old: dict[str, dict[Key, tuple[dict[str, Any], bytes]]] = {}
        self._new: list[tuple[str, Key, bytes]] = []
        self._place = Places(self.out)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, DataError):
            self._before = read_regular(self._path, _MOST_BYTES)
            self._old = self._entries(self._before) if remember else {}

    def known(self, folder: Path) -> dict[Key, Known]:
        """Return what is remembered of the runs in a folder: path and part of each → its files."""
        if not self._old:
            return {}
        return {key: _known_of(entry) for key, (entry, _) in self._old.get(self._place.of(folder), {}).items()}

    def unchanged(self, folder: Path) -> Mapping[str, Any] | None:
        """Remember the run that a folder is, and return what is remembered of it, where nothing of it has changed.

        The folder's names are looked at and the times of its files, and nothing is opened or listed; None where that
        does not suffice to know.
        """
        place = self._place.of(folder)
        found = self._old.get(place)
        if found is None or len(found) > 1:
            return None
        [(key, (entry, line))] = found.items()
        if key != (place, "") or not entry["listed"] or not entry["settled"]:
            return None
        top, known = str(folder), _known_of(entry)
        if any(_status_of_folder(f"{top}{name}") != one for name, one in known.listed):
            return None
        if status_of(f"{top}{name}" for name in known.names) != tuple(one for one in known.status if one is not None):
            return None
        self._new.append((place, key, line))
        return entry

    def keep(self, entry: Mapping[str, Any], line: bytes) -> None:
        """Remember a run for the next export."""
        self._new.append((entry["folder"], (entry["path"], entry["part"]), line))

    def keep_remembered(self, folder: Path, source: Source, known: Known) -> Mapping[str, Any]:
        """Remember a run again, whose contents are as they were, and return what is remembered of it."""
        place, key = self._place.of(folder), (self._place.of(source.path), source.part)
        entry, line = self._old[place][key]
        if entry["settled"] != known.settled or orjson.loads(orjson.dumps([known.status, known.listed])) != [
            entry["status"],
            entry["listed"],
        ]:
            line = entry_of(place, key, known, entry["record"], orjson.dumps(entry["run"]))
        self._new.append((place, key, line))
        return entry

    def write(self) -> None:
        """Write what is to be remembered, and nothing that was not part of this export."""
        lines = [orjson.dumps({"program": self._program}), *(line for *_, line in sorted(self._new))]
        content = b"\n".join(lines) + b"\n"
        if self._new and content != self._before:
            write_bytes(self._path, content)

    def _entries(self, content: bytes) -> dict[str, dict[Key, tuple[dict[str, Any], bytes]]]:
        head, *lines = content.split(b"\n")
        found: dict[str, dict[Key, tuple[dict[str, Any], bytes]]] = {}
        if orjson.loads(head) == {"program": self._program}:
            for line in lines:
                if line:
                    entry = orjson.loads(line)
                    found.setdefault(entry["folder"], {})[entry["path"], entry["part"]] = entry, line
        return found


def _program(settings: Settings, reader_names: Sequence[str]) -> str:
    files = (settings.mapping, settings.patterns)
    return sha256_structure(
        {
            "source": source_hash(),
            "others": {name: FORMATS.source_hash(name) for name in reader_names},
            "settings": {
                "require_prompts": list(settings.require_prompts),
                "metric_value": settings.metric_value,
                "files": [None if path is None else sha256_file(path) for path in files],
            },
        }
    )
