"""The default extractor: names and synonyms of installed vocabularies, offline.

A text is divided where a sentence surely ends, and each part is looked at alone: what it says depends on it, on the
abbreviations that the whole text introduces, and on the layout of the whole. Parts are remembered, for the windows and
summaries of a conversation say the same sentences over and over.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal, cast

from exaid_evals.concepts.base import Mention
from exaid_evals.concepts.compiled import Compiled, Settings, load_compiled
from exaid_evals.concepts.context import about_one_patient, not_affirmed
from exaid_evals.concepts.layout import has_layout, with_layout
from exaid_evals.concepts.matcher import Matcher
from exaid_evals.concepts.short_forms import definitions, letters, resolve, singular
from exaid_evals.concepts.tokens import (
    Divided,
    Tokenizer,
    divide,
    has_address,
    may_be_contracted,
    with_plain_spaces,
)

_KNOWN, _LONGEST_KNOWN = 16_384, 1024
"""How many of the parts last met are remembered, twice as many at most; and of how many code points each at most."""
_KNOWN_TEXTS = 1024
"""How many whole texts are remembered."""
_MOST_OVERLAPPING = 8
"""How many mentions are looked at for one that holds another."""
_AT_ONCE = 200_000
"""Code points of the texts that are read together: a call costs as much as a few sentences, and all take memory."""

_Meanings = tuple[tuple[str, str | None], ...]
"""Short forms, and the concept of each; None for one that is in no vocabulary."""
_Part = str | tuple[str, bool, _Meanings]
"""A part of a text; where it matters with whether words such as *don't* are two, and what the text means by its short
forms."""
_Read = tuple[
    tuple[tuple[str, int, int, bool, Literal["patient", "other"], bool], ...],
    _Meanings,
    tuple[str, ...],
    tuple[str, ...],
]
"""A part's mentions with offsets in it, the short forms that it introduces, those that it holds, and what it affirms.

Tuples, since many are remembered: the garbage collector stops looking through tuples of strings and numbers.
"""
_NOTHING: _Read = ((), (), (), ())
_Wanted = Callable[[bool, str, bool], bool]
"""Whether a mention is wanted that is negated, of that experiencer, nested."""
_INTRODUCED = itemgetter(1)
_Said = tuple[list[int], list[_Read]]
"""Where the parts of a text begin, and what each of them says."""


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
        self._known_before: dict[_Part, _Read] = {}
        self._of_text: dict[str, _Said] = {}

    @property
    def id(self) -> str:
        """Algorithm version and hash of vocabularies, stop list, settings and tokenizer rules."""
        return self._compiled.id

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find affirmed mentions; see the protocol."""
        return [_placed(said, self._affirmed) for said in self._say(texts)]

    def annotate(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find every mention; see the protocol.

        Of one patient the longest names alone are told: a chronic cough is no second finding beside its being a cough.
        What is written about diseases and groups names each, as those who annotate such texts do.
        """
        found = [_placed(said, _every) for said in self._say(texts)]
        return [
            _longest(mentions) if any(one.nested for one in mentions) and about_one_patient(text) else mentions
            for text, mentions in zip(texts, found, strict=True)
        ]

    def concept_sets(self, texts: Sequence[str]) -> list[frozenset[str]]:
        """Return the ids that each text affirms, without where."""
        return [frozenset().union(*[part[3] for part in parts]) for _, parts in self._say(texts)]

    def read_ahead(self, texts: Sequence[str]) -> None:
        """Read texts whose sentences will be asked about in other company: many at once take half the time."""
        for some in _batches(texts):
            self._parts([_keys(divide(with_plain_spaces(text))) for text in some])

    def name_of(self, concept_id: str) -> str:
        """Preferred name of a concept; its id where it has none."""
        return self._compiled.names.get(concept_id, concept_id)

    def _affirmed(self, negated: bool, experiencer: str, nested: bool) -> bool:
        denied = negated or experiencer != "patient"
        return not (nested or (denied and self._compiled.settings.negation))

    def _say(self, texts: Sequence[str]) -> list[_Said]:
        """Return what texts say."""
        # Another thread may forget all at any time.
        known = {text: self._of_text.get(text) for text in texts}
        read = {text: said for text, said in known.items() if said is not None}
        for some in _batches([text for text in known if text not in read]):
            new = dict(zip(some, self._newly_said(some), strict=True))
            read |= new
            if len(self._of_text) + len(new) > _KNOWN_TEXTS:
                self._of_text.clear()
            if len(new) <= _KNOWN_TEXTS:
                self._of_text |= new
        return [read[text] for text in texts]

    def _newly_said(self, texts: Sequence[str]) -> list[_Said]:
        texts = list(map(with_plain_spaces, texts))
        divided = [divide(text) for text in texts]
        keys = list(map(_keys, divided))
        read = self._parts(keys)
        defining = [index for index, parts in enumerate(read) if any(map(_INTRODUCED, parts))]
        if defining:
            again = self._parts([_with_meanings(keys[index], read[index]) for index in defining])
            for index, parts in zip(defining, again, strict=True):
                read[index] = parts
        said = [([offset for offset, _ in one.parts], parts) for one, parts in zip(divided, read, strict=True)]
        return [self._laid_out(text, one) if has_layout(text) else one for text, one in zip(texts, said, strict=True)]

    def _laid_out(self, text: str, said: _Said) -> _Said:
        """Return what a text says by its layout too, as one part."""
        mentions = _placed(said, _every)
        marked = with_layout(text, mentions)
        if marked is mentions:
            return said
        affirmed = tuple({one.concept_id: None for one in marked if self._affirmed(*one[3:])})
        return [0], [(marked, (), (), affirmed)]

    def _parts(self, texts: Sequence[Sequence[_Part]]) -> list[list[_Read]]:
        """Return what the parts of texts say."""
        found = [list(map(self._known.get, keys)) for keys in texts]
        pairs = [
            pair
            for keys, parts in zip(texts, found, strict=True)
            if None in parts
            for pair in zip(keys, parts, strict=True)
        ]
        if pairs:
            read = {key: part for key, part in pairs if part is not None}
            read |= self._read({key: None for key, _ in pairs if key not in read})
            return [
                [part or read[key] for key, part in zip(keys, parts, strict=True)]
                for keys, parts in zip(texts, found, strict=True)
            ]
        return cast("list[list[_Read]]", found)

    def _read(self, parts: Iterable[_Part]) -> dict[_Part, _Read]:
        """Return what parts of texts say that were not met lately."""
        alike: dict[tuple[bool, bool, bool], list[_Part]] = {}
        read = dict[_Part, _Read]()
        before = self._known_before
        for part in parts:
            if (known := before.get(part)) is not None:
                read[part] = known
                continue
            text, contracted, _ = (part, False, ()) if isinstance(part, str) else part
            # ASCII takes half the time.
            alike.setdefault((contracted, text.isascii(), has_address(text)), []).append(part)
        for (contracted, _, _), some in alike.items():
            read.update(zip(some, self._newly_read(some, contracted=contracted), strict=True))
        if len(self._known) + len(read) > _KNOWN:
            self._known_before, self._known = self._known, {}
        self._known |= {part: one for part, one in read.items() if len(_text(part)) <= _LONGEST_KNOWN}
        return read

    def _newly_read(self, parts: Sequence[_Part], *, contracted: bool) -> list[_Read]:
        tokens = self._tokenize(*map(_text, parts), contracted=contracted)
        spelled, ends = tokens.spelled, tokens.part_ends()
        acronyms, matches = self._compiled.tables.acronyms, self._matcher.match(tokens)
        if listed := letters(tokens, acronyms) if "/" in tokens.words else ():
            matches = sorted([*matches, *listed])
        introduced: defaultdict[int, dict[str, str | None]] = defaultdict(dict)
        short_forms: defaultdict[int, list[str]] = defaultdict(list)
        if tokens.short_forms:
            place = {index: bisect_left(ends, index) for index in tokens.short_forms}
            for index, short in tokens.short_forms.items():
                short_forms[place[index]].append(singular(short))
            for index, (short, concept_id) in definitions(tokens, matches).items():
                introduced[place[index]].setdefault(short, concept_id)
            local = {index: _meanings(parts[at]) or introduced[at] for index, at in place.items()}
            matches = resolve(tokens, matches, local, acronyms)
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
            mentions = tuple(found.get(at, ()))
            affirmed = tuple({one[0]: None for one in mentions if self._affirmed(*one[3:])})
            new, held = tuple(introduced.get(at, {}).items()), tuple(short_forms.get(at, ()))
            read[at] = (mentions, new, held, affirmed)
        return read


def _every(*_: object) -> bool:
    return True


def _placed(said: _Said, wanted: _Wanted) -> tuple[Mention, ...]:
    """Return the mentions of a text that are wanted."""
    return tuple(
        [
            Mention(concept_id, offset + start, offset + end, negated, experiencer, nested)
            for offset, (mentions, *_) in zip(*said, strict=True)
            for concept_id, start, end, negated, experiencer, nested in mentions
            if wanted(negated, experiencer, nested)
        ]
    )


def _longest(mentions: tuple[Mention, ...]) -> tuple[Mention, ...]:
    """Leave out phenotypes that lie within longer names of phenotypes; the name of a disease is no such name."""
    longer = [one for one in mentions if not one.nested and one.concept_id.startswith("HP:")]
    begins = [one.start for one in longer]

    def told(one: Mention) -> bool:
        before = longer[max(0, bisect_right(begins, one.start) - _MOST_OVERLAPPING) : bisect_right(begins, one.start)]
        return any(one.end <= other.end for other in before)

    return tuple([one for one in mentions if not (one.nested and told(one))])


def _text(part: _Part) -> str:
    return part if isinstance(part, str) else part[0]


def _meanings(part: _Part) -> dict[str, str | None]:
    return {} if isinstance(part, str) else dict(part[2])


def _keys(divided: Divided) -> list[_Part]:
    """Return the parts of a text as they are read: what its short forms mean is not known yet."""
    if not divided.contracted:
        return [part for _, part in divided.parts]
    return [(part, True, ()) if may_be_contracted(part) else part for _, part in divided.parts]


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


def _with_meanings(parts: Sequence[_Part], read: Sequence[_Read]) -> list[_Part]:
    """Add to the parts of a text what it means by their short forms: what introduced them first."""
    introduced: dict[str, str | None] = {}
    for _, meanings, _, _ in read:
        for short, concept_id in meanings:
            introduced.setdefault(short, concept_id)
    with_meanings = list[_Part]()
    for part, (_, _, short_forms, _) in zip(parts, read, strict=True):
        meant = tuple([(short, introduced[short]) for short in sorted(introduced.keys() & short_forms)])
        with_meanings.append((_text(part), not isinstance(part, str) and part[1], meant) if meant else part)
    return with_meanings


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
