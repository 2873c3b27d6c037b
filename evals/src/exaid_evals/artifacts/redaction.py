"""Text of others as it may be shown: in one line on a terminal, without control characters and without secrets."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

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


REDACTED = "[redacted]"
_SHORTEST_SHOWN = 4
_SHORTEST_STORED = 8
"""Shorter values (a local server's key `none`) are not secrets, and taking them out would mangle a model's answers."""

_LOOKS_SECRET = re.compile(
    r"\b(?P<scheme>(?i:bearer)\s{1,20})[A-Za-z0-9+/=._~-]{8,}"
    r"|\b(?i:sk|rk|pk)-[A-Za-z0-9_-]{16,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\b(?:gh[opsur]_|hf_|glpat-|github_pat_)[A-Za-z0-9_]{20,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
)

_LONG_RUN = re.compile(r"[A-Za-z0-9]{12,}")


class Redactor:
    """Takes secrets out of texts.

    Args:
        secrets: the values. Each is also found where characters of it are URL-encoded (in either case, and several
            times over), escaped as JSON or HTML entities, or in base64 (at any offset) or hexadecimal as a whole.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        secrets = sorted(set(secrets))
        self._stored = _pattern(tuple(secret for secret in secrets if len(secret) >= _SHORTEST_STORED))
        self._shown = _pattern(tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SHOWN))

    def stored(self, text: str) -> str:
        """Return a text without known values: for a model's answer, of which nothing else may change."""
        return self._stored.sub(REDACTED, text) if self._stored else text

    def shown(self, text: str) -> str:
        """Return a text without known values and without what looks like a key: for messages of any origin."""
        known = self._shown.sub(REDACTED, text) if self._shown else text
        return _LOOKS_SECRET.sub(lambda match: f"{match.group('scheme') or ''}{REDACTED}", known)


def looks_secret(text: str) -> bool:
    """Return whether a text holds what is hardly anything but a key: what looks like one, with a long run of no words.

    >>> [looks_secret(text) for text in ("sk-proj-0123456789abcdef", "gpt-4o-mini", "runs/sk-learn-results-2024-best")]
    [True, False, False]
    """
    return any(
        any(character.isdigit() for character in run) and not run.isdigit()
        for match in _LOOKS_SECRET.finditer(text)
        for run in _LONG_RUN.findall(match[0])
    )


@lru_cache(maxsize=32)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    # The longest first, so that a secret that begins like another is taken out whole.
    ordered = sorted(secrets, key=lambda secret: (-len(secret), secret))
    forms = ["".join(map(_character, secret)) for secret in ordered]
    packed = {form for secret in secrets for form in _packed(secret)}
    forms += [
        "".join(one if one.isalnum() else _character(one) for one in form) + "={0,2}"
        for form in sorted(packed, key=lambda form: (-len(form), form))
    ]
    return re.compile("|".join(forms)) if forms else None


def _packed(secret: str) -> set[str]:
    """Return the forms that a secret has as a whole."""
    raw = secret.encode("utf-8", "surrogateescape")
    forms = {raw.hex(), raw.hex().upper()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            # Within a longer text the secret begins at any of three positions of a base64 group. The groups that
            # hold nothing but the secret are the same whatever stands around it.
            padded = encode(b"\0" * offset + raw).decode()
            inner = padded[4 if offset else 0 : (offset + len(raw)) // 3 * 4]
            if len(inner) >= _SHORTEST_STORED:
                forms.add(inner)
        forms.add(encode(raw).decode().rstrip("="))
    return forms


@lru_cache(maxsize=4096)
def _character(character: str) -> str:
    """Return a pattern of the forms of a character. Repetitions are bounded, so that no text takes long."""
    if character.isalnum() and character.isascii():
        # Letters and digits are escaped by nobody who does not mean to hide them, or escapes everything.
        escaped = [rf"%(?:25){{0,3}}{_hex(character.encode())}", rf"\\{{1,4}}(?:u00|x){_hex(character.encode())}"]
        entities = [rf"#0{{0,5}}{ord(character)};", rf"#[xX]0{{0,5}}{_hex(character.encode())};"]
        return rf"(?:{character}|{'|'.join(escaped)}|&(?:amp;){{0,3}}(?:{'|'.join(entities)}))"
    units = character.encode("utf-16-be", "surrogatepass").hex()
    raw = character.encode("utf-8", "surrogateescape")
    forms = [
        "".join(rf"%(?:25){{0,3}}{_hex(bytes([byte]))}" for byte in raw),
        "".join(rf"\\{{1,4}}u{_either_case(units[at : at + 4])}" for at in range(0, len(units), 4)),
        rf"\\{{1,4}}{re.escape(character)}",
    ]
    forms += [rf"\\{{1,4}}x{_hex(raw)}"] if len(raw) == 1 else []
    forms += [r"\+"] if character == " " else []
    from html.entities import html5

    names = [re.escape(name) for name, value in html5.items() if value == character and name.endswith(";")]
    entities = [*names, rf"#0{{0,5}}{ord(character)};", rf"#[xX]0{{0,5}}{_either_case(f'{ord(character):x}')};"]
    # The character itself comes last: a `%` must not be found in its own `%25`.
    return rf"(?:{'|'.join(forms)}|&(?:amp;){{0,3}}(?:{'|'.join(entities)})|{re.escape(character)})"


def _hex(raw: bytes) -> str:
    return _either_case(raw.hex())


def _either_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits.lower())
