"""The default extractor: names and synonyms of installed vocabularies, offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals.concepts.base import Mention
from exaid_evals.concepts.compiled import Compiled, Settings, load_compiled
from exaid_evals.concepts.context import not_affirmed
from exaid_evals.concepts.matcher import Matcher
from exaid_evals.concepts.short_forms import resolve
from exaid_evals.concepts.tokens import Tokenizer

_KNOWN, _LONGEST_KNOWN = 2048, 16_384
"""How many texts are remembered, and of how many code points at most: what is asked about again costs nothing."""


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
        self._known: dict[str, tuple[Mention, ...]] = {}

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
        return [self._known[text] if text in self._known else self._remember(text) for text in texts]

    def name_of(self, concept_id: str) -> str:
        """Preferred name of a concept; its id where it has none."""
        return self._compiled.names.get(concept_id, concept_id)

    def _remember(self, text: str) -> tuple[Mention, ...]:
        found = self._annotate(text)
        if len(text) <= _LONGEST_KNOWN:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[text] = found
        return found

    def _annotate(self, text: str) -> tuple[Mention, ...]:
        tokens = self._tokenize(text)
        matches = self._matcher.match(tokens)
        if tokens.short_forms:
            matches = resolve(text, tokens, matches, self._compiled.tables.acronyms)
        if not matches:
            return ()
        denied, of_others = not_affirmed(tokens, matches)
        return tuple(
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
