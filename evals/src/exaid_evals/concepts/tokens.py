"""From a text to words and the marks between them.

A token is a word of letters and digits, or a mark. Hyphens and quotes only divide words, so that ``IL-6`` and ``IL 6``
agree. A full stop ends a sentence unless it ends an abbreviation; a line's end does unless the next line goes on in
lower case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, compress
from typing import NamedTuple

from exaid_evals.concepts.normalize import stem, word_key

CONTENT, FREE, JOIN, BREAK, STOP = range(5)
"""Kinds of tokens: a word that counts; one that a phrase may gain or lose; and, or, comma, slash; a bracket; an end."""
_STOP_BYTE = bytes([STOP])

CONJUNCTIONS = frozenset({"and", "or", "nor", "&", "/"})
FUNCTION_WORDS = frozenset(
    """
    a an the of in on at to with for by from s its his her their this that these those as is are was were be been being
    both some all any either has had have having
    """.split()  # noqa: SIM905 - a word list reads better than quoted strings
)
"""Words that a phrase may gain or lose without naming something else: *pain of the back*, *ears were low-set*."""
_MODIFIERS = frozenset(
    """
    left right bilateral unilateral mild moderate severe marked slight very relative subtle significant other more less
    also level serum plasma concentration circulating
    """.split()  # noqa: SIM905
)
# Adverbs of manner and degree; but anomaly, polydactyly, microcephaly, hepatomegaly, family.
_ADVERB = re.compile(r"[a-z]{3,}(?<!dacty)(?<!pha)(?<!mega)(?<!oma)(?<!fami)(?<!ear)ly")

_MARKS = {",": JOIN, "/": JOIN, "&": JOIN} | dict.fromkeys("()[]{}-–—", BREAK) | dict.fromkeys(".;:!?…•|", STOP)
# A dash counts where it stands alone: *ataxia - tremor*, *rash (-)*.
_WORDS = r"[^\W\d_][^\W_]*|\d+(?:[.,]\d+)+|[^\W_]+|\n|[,/&()\[\]{}.;:!?…•|]|(?<=\s)[-–—](?=\s)|(?<=\()[-–](?=\))"
# In groups, so that a split tells words and what stands between them.
_TOKEN = re.compile(f"({_WORDS})")
# The same for ASCII, in half the time: its classes are bitmaps.
_ASCII_TOKEN = re.compile(
    r"([A-Za-z][A-Za-z0-9]*|[0-9]+(?:[.,][0-9]+)+|[A-Za-z0-9]+|[\n,/&()\[\]{}.;:!?|]|(?<=\s)-(?=\s)|(?<=\()-(?=\)))"
)
# Where a text has addresses or contractions: an address names no concept, whatever words it holds; n't is a word.
_ADDRESS = re.compile(rf"(\S*?(?:://|www\.|\w@\w)\S*|{_WORDS})")
_CONTRACTED = re.compile(rf"(n['’]t\b|(?<!\S)-ve\b|[^\W_]+?(?=n['’]t\b)|{_WORDS})", re.IGNORECASE)
_ABBREVIATIONS = frozenset("vs dr mr mrs ms cf approx resp fig figs al no st".split())  # noqa: SIM905
_NEW_SENTENCE = re.compile(r"\s+[A-Z]|\s*$")
# Where a sentence ends whatever stands around it: a capital follows a mark or a line's end; or a line ends without a
# full stop, which may be that of an abbreviation, and the next one does not go on in lower case.
_SURE_END = re.compile(r"(?<=[.?!])[ \t]+(?=[A-Z])|(?<!\n)\n++(?=[A-Z])|(?<![.\s])\n(?![^\S\n]*[a-z])")
_HYPHEN = "ʹ"
_JOINING = re.compile(r"-(?=[^\W_])")
_LETTER = re.compile(r"(?<![^\W_])[A-Za-z]\Z")
_PREFIX = re.compile(
    r"(?<![^\W_])(?:anti|extra|hyper|hypo|infra|inter|intra|macro|micro|neuro|para|peri|poly|post|pre|retro|sub|supra)\Z",
    re.IGNORECASE,
)
_LONGEST_PREFIX = 6  # and the character before it
_ABSENCE = "absence"
_WRAPPED = re.compile(r"[^\S\n]*[a-z]")
_SHORT_FORM = re.compile(r"(?=(?:.*[A-Z]){2})[A-Z][A-Za-z0-9]{1,7}")


class Sentence(NamedTuple):
    """Some words and marks in their order; see Tokens."""

    spelled: Sequence[str]
    words: Sequence[str]
    keys: Sequence[str]
    stems: Sequence[str]
    kinds: Sequence[int]


@dataclass(slots=True)
class Tokens:
    """The words and marks of one text, in parallel sequences of equal length.

    Attributes:
        parts: what stands before the first token, the token, what stands before the next, …, what is behind the last.
        spelled: as written.
        words: in lower case; *not* for n't.
        keys, stems: of words; of marks the mark.
        kinds: CONTENT, FREE, JOIN, BREAK or STOP.
        short_forms: index of each token that is written like an abbreviation, with its spelling.
    """

    parts: list[str]
    spelled: list[str]
    words: Sequence[str]
    keys: Sequence[str]
    stems: Sequence[str]
    kinds: bytearray
    short_forms: dict[int, str]
    _starts: list[int] | None = field(default=None, repr=False, compare=False)
    _sentences: list[tuple[int, int]] | None = field(default=None, repr=False, compare=False)

    @property
    def starts(self) -> list[int]:
        """Code-point offsets."""
        if self._starts is None:
            self._starts = list(accumulate(map(len, self.parts)))[0:-1:2]
        return self._starts

    def end(self, index: int) -> int:
        """Code-point offset behind a token."""
        return self.starts[index] + len(self.spelled[index])

    def part(self, first: int, last: int) -> Sentence:
        """A range of tokens, with places counted from its first."""
        here = slice(first, last)
        return Sentence(self.spelled[here], self.words[here], self.keys[here], self.stems[here], self.kinds[here])

    def sentences(self) -> list[tuple[int, int]]:
        """Half-open ranges of tokens between ends of sentences, without empty ones."""
        if self._sentences is None:
            lengths = map(len, bytes(self.kinds).split(_STOP_BYTE))
            ends = list(accumulate(lengths, lambda end, length: end + length + 1))
            begins = [0, *(end + 1 for end in ends[:-1])]
            self._sentences = [(begin, end) for begin, end in zip(begins, ends, strict=True) if end > begin]
        return self._sentences


class Divided(NamedTuple):
    """A text in parts.

    Attributes:
        parts: each with its offset, in code points.
        contracted: whether the text has words such as *don't*.
    """

    parts: tuple[tuple[int, str], ...]
    contracted: bool


_Piece = tuple[str, str, str, int, bool]


class _Pieces(dict[str, _Piece]):
    """Each spelling met, of which clinical texts repeat most."""

    def __missing__(self, spelled: str) -> _Piece:
        piece = self[spelled] = _piece(spelled)
        return piece


class Tokenizer:
    """Divides texts; remembers each spelling."""

    _MEMORY = 200_000

    def __init__(self) -> None:
        self._memory = _Pieces()

    def __call__(self, text: str, *, contracted: bool | None = None) -> Tokens:
        """Divide a text.

        Args:
            text: any.
            contracted: whether words such as *don't* are two; by default where the text has one in lower case.
        """
        if len(self._memory) > self._MEMORY:
            self._memory.clear()
        joined = _JOINING.sub(_joint, text) if "-" in text else text
        parts = _pattern(joined, contracted).split(joined)
        spelled = parts[1::2]
        pieces = map(self._memory.__getitem__, spelled)
        words, keys, stems, kinds, marked = zip(*pieces, strict=True) if spelled else ((), (), (), (), ())
        if _ABSENCE in keys:
            keys, stems = _kinds_of_absence(words, keys, stems)
        tokens = Tokens(parts, spelled, words, keys, stems, bytearray(kinds), {})
        for index in compress(range(len(marked)), marked):
            self._mark(joined, tokens, index)
        return tokens

    @staticmethod
    def _mark(text: str, tokens: Tokens, index: int) -> None:
        """Decide about a token whose meaning depends on where it stands."""
        spelled, kinds = tokens.spelled[index], tokens.kinds
        if spelled == ".":
            before = tokens.words[index - 1] if index else ""
            short = before in _ABBREVIATIONS or (len(before) == 1 and before.isalpha())
            if short and not _NEW_SENTENCE.match(text, tokens.starts[index] + 1):
                kinds[index] = FREE
        elif spelled == "\n":
            if _WRAPPED.match("".join(tokens.parts[2 * index + 2 : 2 * index + 4])):
                kinds[index] = FREE  # a wrapped line goes on in lower case
        elif spelled == "A":
            if index == 0 or kinds[index - 1] == STOP:
                kinds[index] = FREE  # at the head of a sentence an article; elsewhere it may be that of hepatitis A
        else:
            tokens.short_forms[index] = spelled

    def name(self, name: str) -> tuple[str, ...]:
        """Keys of the words of a name that count, in order."""
        tokens = self(name)
        return tuple(
            key
            for key, word, kind in zip(tokens.keys, tokens.words, tokens.kinds, strict=True)
            if kind == CONTENT or (kind == FREE and word not in FUNCTION_WORDS)
        )


def _kinds_of_absence(
    words: Sequence[str], keys: Sequence[str], stems: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The absence of a septum is an absent septum; an absence seizure is the presence of one."""
    presence = [key == _ABSENCE and word != "of" for key, word in zip(keys, (*words[1:], ""), strict=True)]
    name = f"{_ABSENCE}-"  # with a hyphen it is its own stem
    return (
        tuple(name if one else key for one, key in zip(presence, keys, strict=True)),
        tuple(name if one else word for one, word in zip(presence, stems, strict=True)),
    )


def _joint(hyphen: re.Match[str]) -> str:
    """A word character for a hyphen behind a letter or prefix, so that no offset moves: *type A-1*, *pre-term*."""
    text, place = hyphen.string, hyphen.start()
    before, after = text[max(0, place - _LONGEST_PREFIX) : place], text[place + 1 : place + 5]
    lettered = after[0].isdigit() and _LETTER.search(before)
    prefixed = len(after) == 4 and after.isalpha() and _PREFIX.search(before)
    return _HYPHEN if lettered or prefixed else "-"


def divide(text: str) -> Divided:
    """Return the parts of a text, divided where a sentence surely ends: each can be read without the others."""
    if _has_address(text):  # it may hold anything, full stops too
        return Divided(((0, text),), contracted=False)
    contracted = _is_contracted(text)
    parts, start = [], 0
    for end in _SURE_END.finditer(text):
        parts.append((start, text[start : end.start()]))
        start = end.end()
    parts.append((start, text[start:]))
    return Divided(tuple(parts), contracted)


def _has_address(text: str) -> bool:
    return "@" in text or "://" in text or "www." in text


def _is_contracted(text: str) -> bool:
    return "n't" in text or "n’t" in text or "-ve" in text


def _pattern(text: str, contracted: bool | None) -> re.Pattern[str]:
    if _has_address(text):
        return _ADDRESS
    if _is_contracted(text) if contracted is None else contracted:
        return _CONTRACTED
    return _ASCII_TOKEN if text.isascii() else _TOKEN


def _piece(spelled: str) -> _Piece:
    """Word, key, stem, kind, and whether more depends on where it stands."""
    word = spelled.lower()
    if spelled in _MARKS or spelled == "\n":
        return word, word, word, _MARKS.get(spelled, STOP), spelled in ("\n", ".")
    if word in ("n't", "n’t"):
        return "not", "not", "not", CONTENT, False
    if word == "-ve":
        return "negative", "negative", "negative", CONTENT, False
    if not word.replace(_HYPHEN, "").isalnum():  # addresses, numbers
        return word, word, word, CONTENT, False
    if word in CONJUNCTIONS:
        return word, word, word, JOIN, False
    if word in FUNCTION_WORDS and spelled != "A":
        return word, word, "", FREE, False  # no phrase holds one
    key = word_key(spelled.replace(_HYPHEN, ""))
    free = word in _MODIFIERS or _ADVERB.fullmatch(word) is not None
    marked = spelled == "A" or _SHORT_FORM.fullmatch(spelled) is not None
    return word, key, stem(key), FREE if free else CONTENT, marked
