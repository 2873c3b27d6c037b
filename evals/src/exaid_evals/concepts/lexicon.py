"""The default extractor: names and synonyms of installed vocabularies, offline.

A text is divided where a sentence surely ends, and each part is looked at alone: what it says depends on it, and on
the abbreviations that the whole text introduces. Parts are remembered, for the windows and summaries of a conversation
say the same sentences over and over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from exaid_evals.concepts.base import Mention
from exaid_evals.concepts.compiled import Compiled, Settings, load_compiled
from exaid_evals.concepts.context import not_affirmed
from exaid_evals.concepts.matcher import Matcher
from exaid_evals.concepts.short_forms import definitions, resolve, singular
from exaid_evals.concepts.tokens import PART_END, Tokenizer, divide

_KNOWN, _LONGEST_KNOWN = 16_384, 1024
"""How many parts of texts are remembered, and of how many code points at most."""
_KNOWN_TEXTS = 1024
"""How many whole texts are remembered."""

_Meanings = tuple[tuple[str, str | None], ...]
"""Short forms, and the concept of each; None for one that is in no vocabulary."""
_Part = tuple[str, bool, _Meanings]
"""A part of a text, whether the text has words such as *don't*, and what it means by the part's short forms."""


_Read = tuple[tuple[tuple[str, int, int, bool, Literal["patient", "other"], bool], ...], _Meanings, tuple[str, ...]]
"""A part's mentions with offsets in it, the short forms that it introduces, those that it holds.

Tuples, since many are remembered: the garbage collector stops looking through tuples of strings and numbers.
"""
_NOTHING: _Read = ((), (), ())


class LexiconExtractor:
    """Matches normalised words against a compiled vocabulary; see the modules it is made of for the rules.

    Args:
        compiled: the tables, of which `load_compiled` keeps a copy on disk.

    Attributes:
        development_seeds: seeds of the stub generator whose conversations were looked at while the rules were written.
            Seeds 42 to 44 are those of the campaigns that the handbook shows, which everybody had in view. A seed whose
            errors led to a change of the rules belongs here from then on.
    """

    development_seeds = frozenset({1, 2, 3, 42, 43, 44, 1001, 1002, 1003})

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self._tokenize = Tokenizer()
        self._matcher = Matcher(compiled.tables)
        self._known: dict[_Part, _Read] = {}
        self._of_text = lru_cache(_KNOWN_TEXTS)(self._annotate)

    @property
    def id(self) -> str:
        """Algorithm version and hash of vocabularies, stop list, settings and tokenizer rules."""
        return self._compiled.id

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find affirmed mentions; see the protocol."""
        annotated = self.annotate(texts)
        if not self._compiled.settings.negation:
            return [tuple(one for one in found if not one.nested) for found in annotated]
        return [
            tuple(one for one in found if not (one.nested or one.negated or one.experiencer != "patient"))
            for found in annotated
        ]

    def annotate(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find every mention; see the protocol."""
        return [self._of_text(text) for text in texts]

    def name_of(self, concept_id: str) -> str:
        """Preferred name of a concept; its id where it has none."""
        return self._compiled.names.get(concept_id, concept_id)

    def _annotate(self, whole: str) -> tuple[Mention, ...]:
        text = divide(whole)
        parts: list[_Part] = [(part, text.contracted, ()) for _, part in text.parts]
        read = self._read(parts)
        introduced: dict[str, str | None] = {}
        for _, own, _ in read:
            for short, concept_id in own:
                introduced.setdefault(short, concept_id)
        if introduced:
            meant = (sorted(introduced.keys() & short_forms) for _, _, short_forms in read)
            read = self._read(
                [
                    (part, contracted, tuple([(short, introduced[short]) for short in shorts]))
                    for (part, contracted, _), shorts in zip(parts, meant, strict=True)
                ]
            )
        return tuple(
            [
                Mention(concept_id, offset + start, offset + end, negated, experiencer, nested)
                for (offset, _), (mentions, _, _) in zip(text.parts, read, strict=True)
                for concept_id, start, end, negated, experiencer, nested in mentions
            ]
        )

    def _read(self, parts: Sequence[_Part]) -> list[_Read]:
        """Return what the parts of a text say."""
        # Another thread may forget all at any time.
        read = {part: self._known.get(part) for part in parts}
        new = [part for part, known in read.items() if known is None]
        newly: dict[_Part, _Read] = {}
        for ascii_only in (True, False):  # the others take twice the time
            alike = [part for part in new if part[0].isascii() is ascii_only]
            if alike:
                newly.update(zip(alike, self._newly_read(alike), strict=True))
        if len(self._known) + len(newly) > _KNOWN:
            self._known.clear()
        self._known.update((part, one) for part, one in newly.items() if len(part[0]) <= _LONGEST_KNOWN)
        return [read[part] or newly[part] for part in parts]

    def _newly_read(self, parts: Sequence[_Part]) -> list[_Read]:
        tokens = self._tokenize(*[part for part, _, _ in parts], contracted=parts[0][1])
        ends = [index for index, spelled in enumerate(tokens.spelled) if spelled == PART_END]
        matches = self._matcher.match(tokens)
        place = {index: bisect_left(ends, index) for index in tokens.short_forms}
        introduced: defaultdict[int, dict[str, str | None]] = defaultdict(dict)
        short_forms: defaultdict[int, list[str]] = defaultdict(list)
        if place:
            for index, spelled in tokens.short_forms.items():
                short_forms[place[index]].append(singular(spelled))
            for index, (short, concept_id) in definitions(tokens, matches).items():
                introduced[place[index]].setdefault(short, concept_id)
            local = {index: dict(parts[at][2]) or introduced[at] for index, at in place.items()}
            matches = resolve(tokens, matches, local, self._compiled.tables.acronyms)
        found: defaultdict[int, list[tuple[str, int, int, bool, Literal["patient", "other"], bool]]] = defaultdict(list)
        denied, of_others = not_affirmed(tokens, matches)
        for index, match in enumerate(matches):
            at = bisect_left(ends, match.first)
            begin = tokens.end(ends[at - 1]) if at else 0
            first, last = tokens.starts[match.first] - begin, tokens.end(match.last - 1) - begin
            experiencer: Literal["patient", "other"] = "other" if index in of_others else "patient"
            found[at].append((match.concept_id, first, last, index in denied, experiencer, match.nested))
        return [
            (tuple(found[at]), tuple(introduced[at].items()), tuple(short_forms[at]))
            if at in found or at in short_forms
            else _NOTHING
            for at in range(len(parts))
        ]


def build(settings: Mapping[str, Any], *, stop_entities: frozenset[str]) -> LexiconExtractor:
    """Make the extractor from a configuration.

    Args:
        settings: ``vocabularies`` (list of names in order of precedence, default all), ``negation`` (default true).
        stop_entities: names that are never concepts; normalised like all names.

    Raises:
        ConfigError: a setting is unknown or has a wrong type.
        MissingDependencyError: a vocabulary's package is not installed.
    """
    return LexiconExtractor(load_compiled(Settings.of(settings), stop_entities))
