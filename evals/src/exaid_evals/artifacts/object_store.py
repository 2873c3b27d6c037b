"""Folders in an object store (`s3://`, `gs://`, `memory://` and the others of fsspec), worked on in a local copy.

The copy lies in the cache and stays there, so that only what differs is moved. It is a folder like any other, hence the
bytes of every file are those of a campaign on this machine. What a command changed is put into the store when it ends,
also where it failed: data first, then manifests and ledgers, which say that the data are there; what it removed goes
last. Each object is replaced whole. What a command that was killed wrote is left in the copy, and the next one puts it
into the store; what it removed comes back.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from exaid_evals.artifacts import cache
from exaid_evals.artifacts.atomic import described_holder, holder, writing
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.redaction import URLS_OF_COPIES, printable
from exaid_evals.errors import ConfigError, DataError, ExaidError, MissingDependencyError
from exaid_evals.files import inside, is_plain, unreadable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LOCK = ".state/store-lock.json"
_VOUCHING = ("manifests/", ".state/")  # their records say that the others are there
_OF_THIS_MACHINE = re.compile(
    r"\.state/(lock|lock\.json|store-lock\.json)|(.*/)?\..{1,60}\.[0-9a-f]{8}\.tmp", re.DOTALL
)
_AT_ONCE = 256
_CONTENT_MARKS = ("ETag", "etag", "md5Hash", "content_md5")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")


@contextlib.contextmanager
def local_copy(
    url: str, *, writes: bool, missing_ok: bool, report: Callable[[str], None] = lambda _line: None
) -> Iterator[Path]:
    """Yield a folder with what lies under a URL; what the block changes there is put into the store.

    Args:
        url: of a folder.
        writes: whether the block is a command that writes: no other one may meanwhile, on whichever machine.
        missing_ok: whether nothing may lie there yet.
        report: given a line before files are moved, and where they could not be.

    Raises:
        ConfigError: another command writes there, or the URL holds a password.
        MissingDependencyError: fsspec, or its part for this kind of store, is not installed.
        DataError: nothing lies there; or a file was changed in the copy and in the store.
        ExaidError: the store does not answer, or refuses.
    """
    store = _Store(url)
    place = _place_of(store.url)
    copy = _Copy(place, store, report)
    URLS_OF_COPIES[str(copy.folder)] = URLS_OF_COPIES[str(place)] = store.url
    with contextlib.ExitStack() as held:
        if not _prepared(copy, store, held, writes=writes, missing_ok=missing_ok):
            report(f"another command works on the copy of {store.url}: it is read as it is")
            yield copy.folder
            return
        try:
            yield copy.folder
        except BaseException:
            try:
                copy.put(locked=writes)
            except ExaidError as error:  # what failed first is raised
                report(f"not put into {store.url}: {error.what}; the next command does it")
            raise
        copy.put(locked=writes)


def _prepared(copy: _Copy, store: _Store, held: contextlib.ExitStack, *, writes: bool, missing_ok: bool) -> bool:
    """Take the locks and fetch; return False where another command of this machine has the copy, and this one reads."""
    from filelock import FileLock

    with FileLock(copy.place / "fetching"):  # whoever comes meanwhile waits: half a copy is none
        try:
            held.enter_context(writing(copy.place))
        except ConfigError:
            if writes:
                raise
            return False
        held.enter_context(store.locked(copy.report) if writes else contextlib.nullcontext())
        copy.fetch(missing_ok=missing_ok)
    return True


def fetched(place: str, report: Callable[[str], None] = lambda _line: None) -> str:
    """Return a place of this machine as it is; of a URL, the path of its copy, where what it names now lies.

    A pattern's copy is that of the folder before its first wildcard. What is written there is put into the store only
    by a command that is given the URL.

    Raises:
        ExaidError: as `local_copy`.
    """
    if "://" not in place:
        return place
    above = re.split(r"/[^/]*[*?\[]", place, maxsplit=1)[0]
    with local_copy(above, writes=False, missing_ok=False, report=report) as folder:
        return f"{folder}{place.removeprefix(above)}"


def _place_of(url: str) -> Path:
    """Return the folder that holds a store's copy: in the first folder for caches that can be written."""
    name = f"stores/{hashlib.sha256(url.encode()).hexdigest()[:24]}"
    for folder in cache.folders():
        place = Path(os.path.realpath(folder / name))
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            return place
    raise ConfigError("no folder for copies can be written", where="EXAID_CACHE_DIR", remedy="name one that can be")


class _Store:
    """What lies under a URL."""

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        if re.search(r"://[^/]*@|\?", url):
            what = "a URL with a user, password or query in it, which is not shown"
            raise ConfigError(
                what, where=f"{scheme}://", remedy="leave it out: the store's library reads the environment"
            )
        self.url = f"{scheme}://{rest.rstrip('/')}"
        last = self.url.rpartition("/")[2]
        self.name = last if is_plain(last) else "folder"  # runs are named by their folder
        try:
            from fsspec import url_to_fs

            self._system: AbstractFileSystem
            made = {"auto_mkdir": True} if scheme in ("file", "local") else {}  # as stores do, which have no folders
            self._system, self._root = url_to_fs(self.url, **made)
        except ImportError as error:
            package = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}.get(scheme)
            remedy = f"install it: `pip install fsspec{' ' + package if package else ''}`"
            raise MissingDependencyError(f"is not installed ({error})", where=self.url, remedy=remedy) from None
        except ValueError as error:
            remedy = "name a store that fsspec knows, such as s3://BUCKET/FOLDER, or a folder"
            raise ConfigError(str(error), where=self.url, remedy=remedy) from None
        except Exception as error:  # some connect at once
            raise self._failure(error) from None

    def listing(self) -> dict[str, str]:
        """Return name → what changes with its content, of every object below the folder.

        Raises:
            DataError: a name leads out of a folder.
        """
        with self._answering():
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._root, detail=True)
            except FileNotFoundError:
                return {}
        if self._root in found:
            raise DataError("is a file", where=self.url, remedy="name the folder that it lies in")
        names = {path.removeprefix(self._root).lstrip("/"): info for path, info in found.items()}
        return {
            name: _mark(info)
            for name, info in names.items()
            # Consoles of stores make empty objects for folders.
            if name and not (name.endswith("/") and not info.get("size")) and not _OF_THIS_MACHINE.fullmatch(name)
        }

    def get(self, names: Sequence[str], to: Sequence[Path]) -> None:
        """Copy objects into files."""
        with self._answering():
            self._system.get([self._path(name) for name in names], [str(path) for path in to])

    def put(self, names: Sequence[str], of: Sequence[Path]) -> None:
        """Replace objects by files."""
        with self._answering():
            self._system.put([str(path) for path in of], [self._path(name) for name in names])

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects."""
        with self._answering():
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    self._system.rm_file(self._path(name))

    @contextlib.contextmanager
    def locked(self, report: Callable[[str], None]) -> Iterator[None]:
        """Hold the folder against commands of other machines: by an object that is made only where there is none.

        Args:
            report: given a line where the store makes it all the same, as those do that know no such condition.

        Raises:
            ConfigError: another command holds it; says which, and what to do where it is gone.
        """
        path, mine = self._path(LOCK), canonical_bytes(holder()) + b"\n"
        with self._answering():
            try:
                self._system.pipe_file(path, mine, mode="create")
            except FileExistsError:
                theirs = self._system.cat_file(path, end=10_000)
                if not _died_here(theirs):
                    what = f"{described_holder(theirs)} is writing here"
                    remedy = f"wait until it ends; if it is gone, remove {LOCK} from the store"
                    raise ConfigError(what, where=self.url, remedy=remedy) from None
                self._system.pipe_file(path, mine)
            with contextlib.suppress(FileExistsError):
                self._system.pipe_file(path, mine, mode="create")
                report(f"{self.url} cannot hold a lock: see to it that no other machine writes there")
        try:
            yield
        finally:
            self.remove([LOCK])

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn what a store's library raises into an error that says what to do."""
        try:
            yield
        except ExaidError:
            raise
        except Exception as error:  # each library has exceptions of its own
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> ExaidError:
        what = f"the store refuses or does not answer ({type(error).__name__}: {error!s:.200})"
        remedy = "check the name, the credentials in the environment and the connection; nothing is lost here"
        return ExaidError(what, where=self.url, remedy=remedy)


def _mark(info: Mapping[str, Any]) -> str:
    """Return what changes with an object's content: its hash where the store knows one, else size and times."""
    marks = [str(info[key]) for key in _CONTENT_MARKS if info.get(key)]
    return marks[0] if marks else " ".join(str(info[key]) for key in ("size", *_TIMES) if key in info)


def _died_here(content: bytes) -> bool:
    """Return whether a lock is of a process of this machine that has ended."""
    with contextlib.suppress(ValueError, KeyError, TypeError, OverflowError, PermissionError):
        found = orjson.loads(content)
        if found["host"] == socket.gethostname() and type(found["pid"]) is int and found["pid"] > 0:
            try:
                os.kill(found["pid"], 0)
            except ProcessLookupError:
                return True
    return False


class _Copy:
    """A folder here, and what is known of how it was when it equalled the store.

    Args:
        place: holds the copy, `folder`, and what is known: name → [mark in the store, size, time].
        store: what it is a copy of.
        report: given a line before files are moved.
    """

    def __init__(self, place: Path, store: _Store, report: Callable[[str], None]) -> None:
        self.place, self.folder = place, place / "copy" / store.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._incoming = place / "incoming"
        self._incoming.mkdir(exist_ok=True)
        self._file, self._store, self.report = place / "known.json", store, report
        self._known: dict[str, list[Any]] = {}

    def fetch(self, *, missing_ok: bool) -> None:
        """Make the copy equal to the store, but for what was changed here and not put there yet."""
        self._known = cache.read(self._file) or {}
        there, changed = self._store.listing(), self._changed()
        if not (there or missing_ok or changed):
            raise DataError("no such folder", where=self._store.url, remedy="check the URL")
        stale = [name for name, mark in there.items() if self._known.get(name, [None])[0] != mark]
        lost = self._known.keys() & there.keys() - set(self._files())
        wanted = sorted({*stale, *lost})
        if wanted:
            self.report(f"fetch {_files(len(wanted))} of {self._store.url}")
        both = []
        for names in _some(wanted):
            parts = [self._incoming / str(number) for number in range(len(names))]
            self._store.get(names, parts)
            for name, part in zip(names, parts, strict=True):
                path = inside(self.folder, name)
                if name in changed and not filecmp.cmp(part, path, shallow=False):
                    both.append(name)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                part.replace(path)
                self._known[name] = [there[name], *_stamp(path)]
            self._write()
        if both:
            for shown in (self.folder, self.place):  # the remedy is about the copy, and not about its URL
                URLS_OF_COPIES.pop(str(shown), None)
            what = f"changed both in the store and in its copy: {', '.join(map(printable, both[:5]))}"
            remedy = f"look at both, and remove the file from {self.folder} to take the store's"
            raise DataError(what, where=self._store.url, remedy=remedy)
        for name in self._known.keys() - there.keys() - changed:
            inside(self.folder, name).unlink(missing_ok=True)
        self._known = {name: one for name, one in self._known.items() if name in there}
        self._write()

    def put(self, *, locked: bool) -> None:
        """Put into the store what was changed here, and remove from it what was removed here.

        Args:
            locked: whether the command holds the store already.

        Raises:
            DataError: the copy cannot be listed, as where somebody has removed it: that removes nothing from the store.
        """
        changed = sorted(self._changed())
        removed = sorted(self._known.keys() - set(self._files()))
        if not (changed or removed):
            return
        self.report(f"put {_files(len(changed))} into {self._store.url}")
        with contextlib.nullcontext() if locked else self._store.locked(self.report):
            for vouching in (False, True):
                for names in _some([name for name in changed if name.startswith(_VOUCHING) == vouching]):
                    self._store.put(names, [self.folder / name for name in names])
            self._store.remove(removed)
            there = self._store.listing()
        for name in changed:
            self._known[name] = [there.get(name), *_stamp(self.folder / name)]
        for name in removed:
            del self._known[name]
        self._write()

    def _files(self) -> Iterator[str]:
        """Yield the names of the copy's files that belong into the store."""
        for place, _, names in os.walk(self.folder, onerror=_raise):
            for name in names:
                found = Path(place, name).relative_to(self.folder).as_posix()
                if not _OF_THIS_MACHINE.fullmatch(found) and Path(place, name).is_file():
                    yield found

    def _changed(self) -> set[str]:
        """Return the names of the files that differ from what is known of them."""
        return {name for name in self._files() if self._known.get(name, [])[1:] != _stamp(self.folder / name)}

    def _write(self) -> None:
        cache.write(self._file, self._known)


def _files(n: int) -> str:
    return f"{n:,} file" if n == 1 else f"{n:,} files"


def _some(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield parts that are moved at the same time."""
    for first in range(0, len(names), _AT_ONCE):
        yield names[first : first + _AT_ONCE]


def _raise(error: OSError) -> None:
    """Refuse to go on: what cannot be listed is not what was removed."""
    raise unreadable(error.filename, error) from None


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
