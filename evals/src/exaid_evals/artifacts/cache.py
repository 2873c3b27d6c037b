"""A folder of compiled tables, kept between processes. Losing it costs seconds; nothing depends on it."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from exaid_evals.errors import DataError
from exaid_evals.files import read_regular

_MOST_BYTES = 1 << 30


def versions(*distributions: str) -> dict[str, str]:
    """Installed versions, for keys of caches."""
    return {name: metadata.version(name) for name in distributions}


def folders() -> list[Path]:
    """Where compiled tables may lie, best first.

    ``EXAID_CACHE_DIR`` if set; else ``$XDG_CACHE_HOME/exaid-evals``, else ``~/.cache/exaid-evals``; and last the
    system's folder for temporary files, for a home that is missing or read-only.
    """
    found = []
    if chosen := os.environ.get("EXAID_CACHE_DIR"):
        found.append(Path(chosen))
    elif base := os.environ.get("XDG_CACHE_HOME"):
        found.append(Path(base) / "exaid-evals")
    else:
        with contextlib.suppress(RuntimeError):  # no HOME and no such user
            found.append(Path.home() / ".cache" / "exaid-evals")
    # One folder per user: a folder shared by all would let one user choose another's tables.
    user = os.getuid() if hasattr(os, "getuid") else "user"
    found.append(Path(tempfile.gettempdir()) / f"exaid-evals-{user}")
    return found


def read(path: Path) -> Any | None:
    """What a file holds; None if it is absent, damaged or another user's."""
    collecting = gc.isenabled()
    try:
        if hasattr(os, "getuid") and path.stat().st_uid not in (os.getuid(), 0):
            return None
        checksum, _, body = read_regular(path, _MOST_BYTES).partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return None
        gc.disable()  # it would look through half a million new lists several times, and find nothing to free
        return orjson.loads(body)
    except (OSError, ValueError, DataError):
        return None
    finally:
        if collecting:
            gc.enable()


def write(path: Path, value: Any) -> None:
    """Store a value whole or not at all.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def get_or_make(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Read a value from the cache, or make it and store it in the first folder that takes it.

    Args:
        name: key, a file name without suffix; it must change with all that the value depends on.
        make: computes the value, which must survive JSON unchanged.
    """
    paths = [folder / f"{name}.json" for folder in folders()]
    for path in paths:
        value = read(path)
        if isinstance(value, dict):
            return value
    value = make()
    for path in paths:
        with contextlib.suppress(OSError):
            write(path, value)
            break
    return value
