"""The extractor `words`: every content word is a concept, so that the measures work outside medicine.

A word is looked at as it is spelled, in lower case: no synonym, no inflection and no denial is known. What an update
puts in other words counts as not reported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals.concepts.base import Mention
from exaid_evals.concepts.tokens import FUNCTION_WORDS
from exaid_evals.errors import ConfigError

VERSION = 1
MIN_LENGTH = 3
"""Code points of a word; numbers count from two digits on."""

# Beyond those that a clinical phrase may gain or lose.
_MORE_FUNCTION_WORDS = frozenset(
    """
    and but not nor yet for you your yours our ours him hers them they who whom whose which what when where why how can
    could may might must shall should will would did does doing done been being here there then than too very just only
    into onto upon over under about above below after before between during through while because since until also any
    each few more most other some such same own off out once again further now let get got its itself
    """.split()  # noqa: SIM905 - a word list reads better than quoted strings
)
_WORD = re.compile(r"[^\W\d_]{3,}|\d{2,}(?:[.,]\d+)*")


class WordExtractor:
    """Finds content words. A text's result depends on that text alone."""

    def __init__(self, stop_words: frozenset[str]) -> None:
        self._stop_words = stop_words
        digest = hashlib.sha256(" ".join(sorted(stop_words)).encode()).hexdigest()
        self.id = f"words-{VERSION}:{digest[:8]}"

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find each content word of each text.

        >>> [found] = build({}, stop_entities=frozenset()).mentions(["The 42 Cats."])
        >>> [one.concept_id for one in found]
        ['word:42', 'word:cats']
        """
        return [tuple(self._in(text)) for text in texts]

    def _in(self, text: str) -> list[Mention]:
        return [
            Mention(f"word:{word}", match.start(), match.end())
            for match in _WORD.finditer(text)
            if (word := match.group().casefold()) not in self._stop_words
        ]


def build(settings: Mapping[str, Any], *, stop_entities: frozenset[str]) -> WordExtractor:
    """Build the extractor.

    Args:
        settings: none are known.
        stop_entities: words that are no concepts either.

    Raises:
        ConfigError: a setting is given.
    """
    if settings:
        raise ConfigError(f"words has no setting {', '.join(sorted(settings))}", remedy="remove it")
    return WordExtractor(stop_entities | FUNCTION_WORDS | _MORE_FUNCTION_WORDS)
