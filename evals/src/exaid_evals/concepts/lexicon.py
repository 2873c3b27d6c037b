"""The default extractor: names and synonyms of installed vocabularies, offline.

A text is divided where a sentence surely ends, and each part is looked at alone: what it says depends on it, and on
the abbreviations that the whole text introduces. Parts are remembered, for the windows and summaries of a conversation
say the same sentences over and over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from exaid_evals.concepts.base import Mention
from exaid_evals.concepts.compiled import Compiled, Settings, load_compiled
from exaid_evals.concepts.context import not_affirmed
from exaid_evals.concepts.matcher import Matcher
from exaid_evals.concepts.short_forms import definitions, resolve, singular
from exaid_evals.concepts.tokens import Tokenizer, divide

_KNOWN, _LONGEST_KNOWN = 16_384, 1024
"""How many parts of texts are remembered, and of how many code points at most."""
_KNOWN_TEXTS = 1024
"""How many whole texts are remembered."""

_Meanings = tuple[tuple[str, str | None], ...]
"""Short forms, and the concept of each; None for one that is in no vocabulary."""


class _Read(NamedTuple):
    """What was found in a part of a text.

    Attributes:
        mentions: with offsets in the part.
        introduced: the short forms that it introduces.
        short_forms: those that it holds.
    """

    mentions: tuple[Mention, ...]
    introduced: _Meanings
    short_forms: frozenset[str]


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
        self._known: dict[tuple[str, bool, _Meanings], _Read] = {}
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
        read = [(offset, part, self._read(part, text.contracted)) for offset, part in text.parts]
        introduced: dict[str, str | None] = {}
        for _, _, one in read:
            for short, concept_id in one.introduced:
                introduced.setdefault(short, concept_id)
        found: list[Mention] = []
        for offset, part, one in read:
            if introduced and not one.short_forms.isdisjoint(introduced):
                meant = tuple((short, introduced[short]) for short in sorted(one.short_forms & introduced.keys()))
                one = self._read(part, text.contracted, meant)
            found += [_moved(mention, offset) for mention in one.mentions] if offset else one.mentions
        return tuple(found)

    def _read(self, part: str, contracted: bool, meant: _Meanings = ()) -> _Read:
        """Return what a part of a text says, given what the whole text means by the short forms in it."""
        key = part, contracted, meant
        known = self._known.get(key)
        if known is None:
            known = self._newly_read(part, contracted, dict(meant))
            if len(part) <= _LONGEST_KNOWN:
                if len(self._known) >= _KNOWN:
                    self._known.clear()
                self._known[key] = known
        return known

    def _newly_read(self, part: str, contracted: bool, meant: Mapping[str, str | None]) -> _Read:
        tokens = self._tokenize(part, contracted=contracted)
        matches = self._matcher.match(tokens)
        introduced: Mapping[str, str | None] = {}
        if tokens.short_forms:
            introduced = definitions(part, tokens, matches)
            matches = resolve(tokens, matches, meant or introduced, self._compiled.tables.acronyms)
        mentions: tuple[Mention, ...] = ()
        if matches:
            denied, of_others = not_affirmed(tokens, matches)
            mentions = tuple(
                Mention(
                    match.concept_id,
                    tokens.starts[match.first],
                    tokens.end(match.last - 1),
                    index in denied,
                    "other" if index in of_others else "patient",
                    match.nested,
                )
                for index, match in enumerate(matches)
            )
        return _Read(mentions, tuple(introduced.items()), frozenset(map(singular, tokens.short_forms.values())))


def _moved(mention: Mention, by: int) -> Mention:
    return Mention(
        mention.concept_id,
        mention.start + by,
        mention.end + by,
        mention.negated,
        mention.experiencer,
        mention.nested,
    )


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
