"""How paths and foreign text are shown to a user."""

from __future__ import annotations

import os
from pathlib import Path


def printable(text: str) -> str:
    r"""Escape what a terminal would obey, turn round or swallow: a hostile file must not write the report.

    >>> printable("a\x1b[2Jb\nc"), printable("é – ≥"), printable("a\u202eb"), printable("\udcff")
    ('a\\x1b[2Jb\\nc', 'é – ≥', 'a\\u202eb', '\\udcff')
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def shown(path: Path) -> str:
    """Return a path as it is shown: relative to the working directory where it lies below it."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - resolve() would rename links
    below = Path.cwd().as_posix().rstrip("/") + "/"
    return printable(absolute.removeprefix(below))
