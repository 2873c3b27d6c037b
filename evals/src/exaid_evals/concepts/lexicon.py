"""The default extractor: names and synonyms of installed vocabularies, offline.

A text is divided where a sentence surely ends, and each part is looked at alone: what it says depends on it, and on
the abbreviations that the whole text introduces. Parts are remembered, for the windows and summaries of a conversation
say the same sentences over and over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

from exaid_evals.concepts.base import Mention
from exaid_evals.concepts.compiled import Compiled, Settings, load_compiled
from exaid_evals.concepts.context import not_affirmed
from exaid_evals.concepts.matcher import Matcher
from exaid_evals.concepts.short_forms import definitions, resolve, singular
from exaid_evals.concepts.tokens import Tokenizer, divide, has_address, may_be_contracted

_KNOWN, _LONGEST_KNOWN = 16_384, 1024
"""How many parts of texts are remembered, and of how many code points at most."""
_KNOWN_TEXTS = 1024
"""How many whole texts are remembered."""
_AT_ONCE = 200_000
"""Code points of the texts that are read together: a call costs as much as a few sentences, and all take memory."""

_Meanings = tuple[tuple[str, str | None], ...]
"""Short forms, and the concept of each; None for one that is in no vocabulary."""
_Part = tuple[str, bool, _Meanings]
"""A part of a text, whether words such as *don't* are two, and what the text means by the part's short forms."""
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
        self._of_text: dict[str, tuple[Mention, ...]] = {}

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
        # Another thread may forget all at any time.
        known = {text: self._of_text.get(text) for text in texts}
        read = {text: mentions for text, mentions in known.items() if mentions is not None}
        for some in _batches([text for text in known if text not in read]):
            annotated = dict(zip(some, self._annotate(some), strict=True))
            read |= annotated
            if len(self._of_text) + len(annotated) > _KNOWN_TEXTS:
                self._of_text.clear()
            if len(annotated) <= _KNOWN_TEXTS:
                self._of_text |= annotated
        return [read[text] for text in texts]

    def name_of(self, concept_id: str) -> str:
        """Preferred name of a concept; its id where it has none."""
        return self._compiled.names.get(concept_id, concept_id)

    def _annotate(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        divided = [divide(text) for text in texts]
        asked: list[list[_Part]] = [
            [(part, contracted and may_be_contracted(part), ()) for _, part in parts] for parts, contracted in divided
        ]
        read = dict[_Part, _Read]()
        self._read(chain.from_iterable(asked), read)
        if any(introduced for _, introduced, _ in read.values()):
            asked = [_with_meanings(parts, read) for parts in asked]
            self._read(chain.from_iterable(asked), read)
        return [
            tuple(
                [
                    Mention(concept_id, offset + start, offset + end, negated, experiencer, nested)
                    for (offset, _), part in zip(parts, keys, strict=True)
                    for concept_id, start, end, negated, experiencer, nested in read[part][0]
                ]
            )
            for (parts, _), keys in zip(divided, asked, strict=True)
        ]

    def _read(self, parts: Iterable[_Part], read: dict[_Part, _Read]) -> None:
        """Add what parts of texts say."""
        alike: dict[tuple[bool, bool, bool], dict[_Part, None]] = {}
        for part in parts:
            if part not in read:
                known = self._known.get(part)
                if known is not None:
                    read[part] = known
                else:  # ASCII takes half the time
                    kind = part[1], part[0].isascii(), has_address(part[0])
                    alike.setdefault(kind, {})[part] = None
        for some in alike.values():
            newly = dict(zip(some, self._newly_read(list(some)), strict=True))
            read |= newly
            if len(self._known) + len(newly) > _KNOWN:
                self._known.clear()
            self._known |= {part: one for part, one in newly.items() if len(part[0]) <= _LONGEST_KNOWN}

    def _newly_read(self, parts: Sequence[_Part]) -> list[_Read]:
        tokens = self._tokenize(*[part for part, _, _ in parts], contracted=parts[0][1])
        spelled, ends = tokens.spelled, tokens.part_ends()
        matches = self._matcher.match(tokens)
        introduced: defaultdict[int, dict[str, str | None]] = defaultdict(dict)
        short_forms: defaultdict[int, list[str]] = defaultdict(list)
        if tokens.short_forms:
            place = {index: bisect_left(ends, index) for index in tokens.short_forms}
            for index, short in tokens.short_forms.items():
                short_forms[place[index]].append(singular(short))
            for index, (short, concept_id) in definitions(tokens, matches).items():
                introduced[place[index]].setdefault(short, concept_id)
            local = {index: dict(parts[at][2]) or introduced[at] for index, at in place.items()}
            matches = resolve(tokens, matches, local, self._compiled.tables.acronyms)
        found: dict[int, list[tuple[str, int, int, bool, Literal["patient", "other"], bool]]] = {}
        denied, of_others = not_affirmed(tokens, matches)
        starts, begin, end = tokens.starts, 0, -1
        for index, (first, last, concept_id, nested) in enumerate(matches):
            if first > end:
                at = bisect_left(ends, first)
                begin, end = starts[ends[at - 1]] + 1 if at else 0, ends[at]
                here = found[at] = []
            here.append(
                (
                    concept_id,
                    starts[first] - begin,
                    starts[last - 1] + len(spelled[last - 1]) - begin,
                    index in denied,
                    "other" if index in of_others else "patient",
                    nested,
                )
            )
        read = [_NOTHING] * len(parts)
        for at in found.keys() | short_forms.keys():
            read[at] = (tuple(found.get(at, ())), tuple(introduced.get(at, {}).items()), tuple(short_forms.get(at, ())))
        return read


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield some texts at a time, each at least one."""
    batch, n = list[str](), 0
    for text in texts:
        if batch and n + len(text) > _AT_ONCE:
            yield batch
            batch, n = [], 0
        batch.append(text)
        n += len(text)
    if batch:
        yield batch


def _with_meanings(parts: list[_Part], read: Mapping[_Part, _Read]) -> list[_Part]:
    """Add to the parts of a text what it means by their short forms: what introduced them first."""
    introduced: dict[str, str | None] = {}
    for part in parts:
        for short, concept_id in read[part][1]:
            introduced.setdefault(short, concept_id)
    if not introduced:
        return parts
    return [
        (part, contracted, tuple([(short, introduced[short]) for short in sorted(introduced.keys() & read[key][2])]))
        for key in parts
        for part, contracted, _ in [key]
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
