"""From a text to words and the marks between them.

A token is a word of letters and digits, or a mark. Hyphens and quotes only divide words, so that ``IL-6`` and ``IL 6``
agree. A full stop ends a sentence unless it ends an abbreviation; a line's end does unless the next line goes on in
lower case. Many parts of texts are divided at once, since a call costs more than a part.
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

PART_END = "\0"
"""The token behind each part."""
# Stands for a hyphen within a word. A text that has one of these two characters is read as if it had DEL in its place.
_HYPHEN = "\x01"
_CONTROLS = str.maketrans({PART_END: "\x7f", _HYPHEN: "\x7f"})
_MARKS = {",": JOIN, "/": JOIN, "&": JOIN} | dict.fromkeys("()[]{}-–—", BREAK) | dict.fromkeys(".;:!?…•|\n\0", STOP)
# A dash counts where it stands alone: *ataxia - tremor*, *rash (-)*.
_WORDS = (
    r"[^\W\d_][^\W_]*(?:\x01[^\W_]+)*|\d+(?:[.,]\d+)+|[^\W_]+|[\0\n,/&()\[\]{}.;:!?…•|]"
    r"|(?<=\s)[-–—](?=\s)|(?<=\()[-–](?=\))"
)
# In groups, so that a split tells words and what stands between them.
_TOKEN = re.compile(f"({_WORDS})")
# The same for ASCII, in half the time: its classes are bitmaps.
_ASCII_TOKEN = re.compile(
    r"([A-Za-z][A-Za-z0-9\x01]*|[0-9]+(?:[.,][0-9]+)+|[A-Za-z0-9]+|[\0\n,/&()\[\]{}.;:!?|]"
    r"|(?<=\s)-(?=\s)|(?<=\()-(?=\)))"
)
# Where a text has addresses or contractions: an address names no concept, whatever words it holds; n't is a word.
_ADDRESS = re.compile(rf"([^\s\0]{{0,200}}?(?:://|www\.|\w@\w)[^\s\0]*|{_WORDS})")
_CONTRACTED = re.compile(
    rf"(n['’]t\b(?!\x01)|(?<![^\s\0])-ve\b|(?:[^\W_]|\x01)+?(?=n['’]t\b(?!\x01))|{_WORDS})", re.IGNORECASE
)
_ABBREVIATIONS = frozenset("vs dr mr mrs ms cf approx resp fig figs al no st".split())  # noqa: SIM905
_NEW_SENTENCE = re.compile(r"\s+[A-Z]|\s*\0")
# Where a sentence ends whatever stands around it: a capital follows a mark or a line's end; or a line ends without a
# full stop, which may be that of an abbreviation, and the next one does not go on in lower case.
# The mark itself, where one is matched, stays with what it ends.
_SURE_END = re.compile(
    r"[.?!\n](?:(?<=[.?!])[ \t]+(?=[A-Z])|(?<=\n)(?<!\n\n)\n*+(?=[A-Z])|(?<=\n)(?<![.\s]\n)(?![^\S\n]*[a-z]))"
)
_SHOWN_HYPHEN = "ʹ"
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


@dataclass(slots=True)
class Tokens:
    """The words and marks of some parts of a text, in parallel sequences of equal length.

    Attributes:
        text: the parts, with PART_END behind each.
        divided: what stands before the first token, the token, what stands before the next, …, what is behind the last.
        spelled: as written; PART_END behind each part.
        words: in lower case; *not* for n't.
        keys, stems: of words; of marks the mark.
        kinds: CONTENT, FREE, JOIN, BREAK or STOP.
        short_forms: index of each token that is written like an abbreviation, with its spelling, in order.
    """

    text: str
    divided: list[str]
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
        """Code-point offsets in the text."""
        if self._starts is None:
            self._starts = list(accumulate(map(len, self.divided)))[0:-1:2]
        return self._starts

    def end(self, index: int) -> int:
        """Code-point offset behind a token."""
        return self.starts[index] + len(self.spelled[index])

    def sentences(self) -> list[tuple[int, int]]:
        """Half-open ranges of tokens between ends of sentences, without empty ones."""
        if self._sentences is None:
            ends = [index for index, kind in enumerate(self.kinds) if kind == STOP]
            begins = [0, *[end + 1 for end in ends[:-1]]]
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


_Piece = tuple[str, str, str, int, int]
_MAY_BE_SHORT_FORM, _DEPENDS = 1, 2
"""Marks of a piece: it looks like an abbreviation; what it, or the full stop behind it, is depends on its place."""


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

    def __call__(self, *texts: str, contracted: bool | None = None) -> Tokens:
        """Divide texts, or parts of one.

        Args:
            texts: any; several where none has an address.
            contracted: whether words such as *don't* are two; by default where the text has one in lower case.
        """
        if len(self._memory) > self._MEMORY:
            self._memory.clear()
        text = PART_END.join((*texts, ""))
        if text.count(PART_END) > len(texts) or _HYPHEN in text:
            text = PART_END.join((*[one.translate(_CONTROLS) for one in texts], ""))
        joined = _JOINING.sub(_joint, text) if "-" in text else text
        divided = _pattern(joined, contracted).split(joined)
        spelled = divided[1::2]
        pieces = map(self._memory.__getitem__, spelled)
        words, keys, stems, kinds, marks = zip(*pieces, strict=True)
        if _ABSENCE in keys:
            keys, stems = _kinds_of_absence(words, keys, stems)
        tokens = Tokens(text, divided, spelled, words, keys, stems, bytearray(kinds), {})
        for index in compress(range(len(marks)), marks):
            if marks[index] & _MAY_BE_SHORT_FORM:
                tokens.short_forms[index] = spelled[index]
            if marks[index] & _DEPENDS:
                self._decide(tokens, index)
        return tokens

    @staticmethod
    def _decide(tokens: Tokens, index: int) -> None:
        """Decide about a token whose meaning depends on where it stands."""
        spelled, kinds = tokens.spelled[index], tokens.kinds
        if spelled == "\n":
            if _WRAPPED.match("".join(tokens.divided[2 * index + 2 : 2 * index + 4])):
                kinds[index] = FREE  # a wrapped line goes on in lower case
            return
        if spelled == "A" and (index == 0 or kinds[index - 1] == STOP):
            kinds[index] = FREE  # at the head of a sentence an article; elsewhere it may be that of hepatitis A
        if tokens.spelled[index + 1] == "." and not _NEW_SENTENCE.match(tokens.text, tokens.end(index + 1)):
            kinds[index + 1] = FREE

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
    new_keys, new_stems = list(keys), list(stems)
    for index, key in enumerate(keys):
        if key == _ABSENCE and words[index + 1] != "of":
            new_keys[index] = new_stems[index] = f"{_ABSENCE}-"  # with a hyphen it is its own stem
    return tuple(new_keys), tuple(new_stems)


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
    parts, start = [], 0
    for end in _SURE_END.finditer(text):
        parts.append((start, text[start : end.start() + (text[end.start()] != "\n")]))
        start = end.end()
    parts.append((start, text[start:]))
    return Divided(tuple(parts), _is_contracted(text))


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
    """Word, key, stem, kind, and marks."""
    word = spelled.lower()
    if spelled in _MARKS:
        return word, word, word, _MARKS[spelled], _DEPENDS if spelled == "\n" else 0
    if word in ("n't", "n’t"):
        return "not", "not", "not", CONTENT, 0
    if word == "-ve":
        return "negative", "negative", "negative", CONTENT, 0
    if not word.replace(_HYPHEN, "").isalnum():  # addresses, numbers
        return word, word, word, CONTENT, 0
    depends = _DEPENDS if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()) else 0
    if word in CONJUNCTIONS:
        return word, word, word, JOIN, depends
    if word in FUNCTION_WORDS and spelled != "A":
        return word, word, "", FREE, depends  # no phrase holds one
    key = word_key(spelled.replace(_HYPHEN, ""))
    kind = FREE if word in _MODIFIERS or (word.endswith("ly") and _ADVERB.fullmatch(word)) else CONTENT
    if spelled != word and _SHORT_FORM.fullmatch(spelled):
        depends |= _MAY_BE_SHORT_FORM
    return word.replace(_HYPHEN, _SHOWN_HYPHEN), key, stem(key), kind, depends
