"""The machine: processors, memory, room for data, fonts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from exaid_evals.doctor.base import STUB, Environment, Finding

_GIB = 1 << 30
_LEAST_FREE = _GIB // 2
_LEAST_MEMORY = 2 * _GIB


def hardware(_: Environment) -> Iterator[Finding]:
    """Count processors and memory."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("machine", "processors", "ok", f"{usable} usable")
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # no such question on this system
        return
    enough = memory >= _LEAST_MEMORY
    remedy = "" if enough else "run stages with -j 1; a worker takes about 400 MB"
    yield Finding("machine", "memory", "ok" if enough else "problem", f"{memory / _GIB:.1f} GiB", remedy)


def data_folder(environment: Environment) -> Iterator[Finding]:
    """Look whether the data folder, or where it would be made, has room and may be written."""
    root = environment.campaign.root
    there = next((folder for folder in (root, *root.parents) if folder.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        remedy = "name another --data-dir, or change the folder's permissions"
        yield Finding("data", str(root), "problem", "cannot be written", remedy, STUB)
        return
    free = shutil.disk_usage(there).free
    enough = free >= _LEAST_FREE
    remedy = "" if enough else "make room, or name another --data-dir; a campaign of 40 cases takes 10 MB"
    state = "there" if root.is_dir() else "will be made"
    yield Finding(
        "data", str(root), "ok" if enough else "problem", f"{state}, {free / _GIB:.1f} GiB free", remedy, STUB
    )


def fonts(_: Environment) -> Iterator[Finding]:
    """Look for the typefaces that figures are set in, which Matplotlib ships; by path, for importing it is slow."""
    spec = find_spec("matplotlib")
    locations = (spec.submodule_search_locations or []) if spec else []
    folder = Path(next(iter(locations), "/nonexistent")) / "mpl-data" / "fonts" / "ttf"
    names = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        remedy = "run `make setup`: some systems take the fonts out of Matplotlib"
        yield Finding("figures", "fonts", "missing", ", ".join(absent), remedy, STUB)
    else:
        yield Finding("figures", "fonts", "ok", f"as Matplotlib ships them, {folder}", needed_for=STUB)
