"""Keeping secrets out of whatever is stored or shown: known values, however written, and what looks like a key."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
_SHORTEST_SHOWN = 4
_SHORTEST_STORED = 8
"""Shorter values (a local server's key `none`) are not secrets, and taking them out would mangle a model's answers."""

_LOOKS_SECRET = re.compile(
    r"\b(?P<scheme>bearer\s+)[A-Za-z0-9+/=._~-]{8,}"
    r"|\bsk-[A-Za-z0-9_-]{16,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}",
    re.IGNORECASE,
)


class Redactor:
    """Takes secrets out of texts.

    Args:
        secrets: the values; each is also found URL-encoded, in base64 (at any offset) and in hexadecimal.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        secrets = sorted(set(secrets))
        self._stored = _pattern(secret for secret in secrets if len(secret) >= _SHORTEST_STORED)
        self._shown = _pattern(secret for secret in secrets if len(secret) >= _SHORTEST_SHOWN)

    def stored(self, text: str) -> str:
        """Return a text without known values: for a model's answer, of which nothing else may change."""
        return self._stored.sub(REDACTED, text) if self._stored else text

    def shown(self, text: str) -> str:
        """Return a text without known values and without what looks like a key: for messages of any origin."""
        known = self._shown.sub(REDACTED, text) if self._shown else text
        return _LOOKS_SECRET.sub(lambda match: f"{match.group('scheme') or ''}{REDACTED}", known)


def _pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets for form in _forms(secret)}
    # The longest first, so that a secret that begins like another is taken out whole.
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), raw.hex(), raw.hex().upper()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            # Within a longer text the secret begins at any of three positions of a base64 group. The groups that
            # hold nothing but the secret are the same whatever stands around it.
            padded = encode(b"\0" * offset + raw).decode()
            inner = padded[4 if offset else 0 : (offset + len(raw)) // 3 * 4]
            if len(inner) >= _SHORTEST_STORED:
                forms.add(inner)
        forms.add(encode(raw).decode())
        forms.add(encode(raw).decode().rstrip("="))
    return forms
