"""Text of others as it may be shown: in messages, on a terminal."""

from __future__ import annotations

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


def printable_lines(text: str) -> str:
    r"""Escape the same, but for the line ends of a message of several lines.

    >>> printable_lines("2 problems:\n  - a\x1b[2J")
    '2 problems:\n  - a\\x1b[2J'
    """
    return "\n".join(printable(line) for line in text.split("\n"))
