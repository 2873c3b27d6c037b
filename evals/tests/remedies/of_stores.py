"""Folders in an object store."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import fsspec
import orjson
import pytest

from exaid_evals.artifacts import cache, object_store
from exaid_evals.artifacts.object_store import LOCK, local_copy
from remedies.rows import Row

STORE = fsspec.filesystem("memory")
FOLDER = "memory://remedies/a"
OTHER = {"host": "elsewhere", "pid": 1, "since": "2026-01-01T00:00:00Z", "command": "exaid-evals x"}


def copied(url: str = FOLDER, *, missing_ok: bool = True, cached: Path = Path("cache"), killed: bool = False) -> None:
    """Open a folder of a store as a command does that writes; if it is killed, it has written `a` before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "folders", lambda: [cached])
        if killed:
            patch.setattr(object_store._Copy, "put", lambda *_, **__: None)
        with local_copy(url, writes=True, missing_ok=missing_ok) as folder:
            if killed:
                (folder / "a").write_bytes(b"here")


def read(url: str) -> None:
    """Open a folder of a store as a command does that reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "folders", lambda: [Path("cache")])
        with local_copy(url, writes=False, missing_ok=False):
            pass


def stored(name: str = "a", content: bytes = b"there") -> None:
    """Put one object into the store, alone."""
    STORE.store.clear()
    STORE.pipe_file(f"/remedies/a/{name}", content)


def changed_here_and_there() -> None:
    """Leave a copy with another `a` than the store has."""
    STORE.store.clear()
    copied(killed=True)
    stored()


def without_the_copys_file() -> None:
    """Remove `a` from the copy."""
    [path] = Path("cache").rglob("a/a")
    path.unlink()


ROWS = [
    Row(
        "check the URL",
        partial(copied, "memory://nothing", missing_ok=False),
        partial(copied, missing_ok=False),
        before=stored,
    ),
    Row("name the folder that it lies in", partial(read, FOLDER + "/a"), partial(read, FOLDER), before=stored),
    Row(
        "leave it out: the store's library reads the environment",
        partial(copied, "memory://me:secret@remedies/a"),
        copied,
    ),
    Row(
        "name a store that fsspec knows, such as s3://BUCKET/FOLDER, or a folder", partial(copied, "nosuch://x"), copied
    ),
    Row(
        "look at both, and remove the file from {} to take the store's",
        copied,
        before=changed_here_and_there,
        does=(without_the_copys_file,),
    ),
    Row(
        "wait until it ends; if it is gone, remove {} from the store",
        copied,
        before=partial(stored, LOCK, orjson.dumps(OTHER)),
        does=(partial(STORE.rm_file, f"/remedies/a/{LOCK}"),),
    ),
    Row(
        "check the name, the credentials in the environment and the connection; nothing is lost here",
        partial(copied, "file:///proc/none"),
        copied,
    ),
    Row("name one that can be", partial(copied, cached=Path("/proc/none")), copied),
]
