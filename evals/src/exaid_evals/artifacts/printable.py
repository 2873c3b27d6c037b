"""Text of others as it may be shown: in messages, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

URLS_OF_COPIES: dict[str, str] = {}
"""Path of a local copy of an object store's folder → its URL, of this process."""


def with_urls(text: str) -> str:
    """Return a text with a store's URL in place of its copy's path: what a user named, and can name again."""
    for copy, url in URLS_OF_COPIES.items():
        text = text.replace(copy, url)
    return text


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


def clipped(text: str, most: int) -> str:
    """Return a text of so many characters at most, its end as `…` where it has more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def first_few(names: Sequence[str], most: int = 5, more: str = " and {} more", between: str = ", ") -> str:
    """Return the first names as a line, and how many others there are.

    >>> first_few(["a", "b", "c"], 2), first_few(["a", "b"], 2), first_few(["a", "b"], 1, " …")
    ('a, b and 1 more', 'a, b', 'a …')
    """
    return between.join(names[:most]) + (more.format(len(names) - most) if len(names) > most else "")


def printable_lines(text: str) -> str:
    r"""Escape the same, but for the line ends of a message of several lines.

    >>> printable_lines("2 problems:\n  - a\x1b[2J")
    '2 problems:\n  - a\\x1b[2J'
    """
    return "\n".join(printable(line) for line in text.split("\n"))
