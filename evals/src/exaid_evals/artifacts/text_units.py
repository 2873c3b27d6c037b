"""CTU, the vendor-neutral unit of text that every measure counts in."""

from __future__ import annotations

CHARS_PER_CTU = 4
CTU_DEFINITION = "ceil(len(text) / 4)"


def ctu(text: object) -> int:
    """Return the text's length in character-based text units: ceil(code points / 4); 0 for what is not text.

    >>> ctu(""), ctu("abcd"), ctu("abcde"), ctu("é" * 5), ctu(None)
    (0, 1, 2, 2, 0)
    """
    return -(-len(text) // CHARS_PER_CTU) if isinstance(text, str) else 0
