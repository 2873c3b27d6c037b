"""From a text to words and the marks between them.

A token is a word of letters and digits, or a mark. Hyphens and quotes only divide words, so that ``IL-6`` and ``IL 6``
agree. A full stop ends a sentence unless it ends an abbreviation; a line's end does unless the next line goes on in
lower case. Many parts of texts are divided at once, since a call costs more than a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import accumulate
from threading import Lock
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
_SPACES = re.compile("[\xa0\u2000-\u200a\u202f\u205f\u3000]")
_TAG = re.compile(
    r"(?P<cells></t[dh]>\s{0,20}<t[dh]\b[^<>]{0,200}>)"
    r"|</?(?:(?P<inline>a|abbr|b|em|font|i|mark|small|span|strong|su[bp]|u)|article|blockquote|br|caption|div|d[dlt]"
    r"|footer|h[1-6r]|header|li|[ou]l|p|section|t(?:able|body|[dhr]|head))(?=\s*/?>|\s[^<>=]{0,50}=)[^<>]{0,200}>",
    re.IGNORECASE,
)
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
_CONTRACTION = re.compile("n['’]t|-ve", re.IGNORECASE)
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
_ABSENCE, _NOT_OF = "absence", " -"
"""The absence of a septum is an absent septum; an absence seizure, with the second behind it, the presence of one."""
_MAY_BE_SHORT_FORM, _DEPENDS, _IS_ABSENCE = 8, 16, 32
"""Added to a kind: it looks like an abbreviation; what it, or the full stop behind it, is depends on its place; so does
its key."""
_KIND_OF, _MARKED, _STOPS = bytes(byte & 7 for byte in range(256)), re.compile(rb"[\x08-\xff]"), re.compile(b"\x04")
_NUMBERING = Lock()
_WRAPPED = re.compile(r"[^\S\n]*[a-z]")
_SHORT_FORM = re.compile(r"(?=(?:.*[A-Z]){2})[A-Z][A-Za-z0-9]{1,7}")


class Lexemes(dict[str, int]):
    """Numbers of the spellings met, of which clinical texts repeat most; the attributes are by number.

    Attributes:
        words: in lower case; *not* for n't.
        key_of, stems: of words; of marks the mark.
        traits: kind, and what depends on where it stands.
    """

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.key_of: list[str] = []
        self.stems: list[str] = []
        self.traits = bytearray()
        self._columns: dict[Callable[[str], int], bytearray] = {}

    def __missing__(self, spelled: str) -> int:
        word, key, stemmed, traits = _lexeme(spelled)
        with _NUMBERING:
            if spelled not in self:
                self.words.append(word)
                self.key_of.append(key)
                self.stems.append(stemmed)
                self.traits.append(traits)
                self[spelled] = len(self.words) - 1
            return self[spelled]

    def column(self, of: Callable[[str], int]) -> bytearray:
        """Return what a function says of each word, by number; it is asked once about each."""
        column = self._columns.setdefault(of, bytearray())
        if len(column) < len(self.words):
            with _NUMBERING:
                column.extend(map(of, self.words[len(column) :]))
        return column


class Tokens:
    """The words and marks of some parts of a text, in parallel sequences of equal length.

    Attributes:
        text: the parts, with PART_END behind each.
        spelled: as written; PART_END behind each part.
        lexemes: all spellings met.
        ids: number of each token's lexeme.
        words: in lower case; *not* for n't.
        keys, stems: of words; of marks the mark.
        kinds: CONTENT, FREE, JOIN, BREAK or STOP, a byte each.
        short_forms: index of each token that is written like an abbreviation, with its spelling, in order.
        ends: indices of the tokens that end a sentence, the last token among them.
    """

    def __init__(self, text: str, divided: list[str], lexemes: Lexemes) -> None:
        self.text, self.lexemes = text, lexemes
        self.spelled = divided[1::2]
        self._divided = divided
        self._starts: list[int] | None = None
        self.ids = list(map(lexemes.__getitem__, self.spelled))
        self.short_forms: dict[int, str] = {}
        traits = bytes(map(lexemes.traits.__getitem__, self.ids))
        kinds = bytearray(traits.translate(_KIND_OF))
        for found in _MARKED.finditer(traits):
            index = found.start()
            if traits[index] & _MAY_BE_SHORT_FORM:
                self.short_forms[index] = self.spelled[index]
            if traits[index] & _IS_ABSENCE and lexemes.words[self.ids[index + 1]] != "of":
                self.ids[index] = lexemes[self.spelled[index] + _NOT_OF]
            if traits[index] & _DEPENDS and (self.spelled[index] in "\nAS" or self.spelled[index + 1] == "."):
                self._decide(index, kinds)
        self.kinds = bytes(kinds)
        self.words = tuple(map(lexemes.words.__getitem__, self.ids))
        self.keys = tuple(map(lexemes.key_of.__getitem__, self.ids))
        self.stems = tuple(map(lexemes.stems.__getitem__, self.ids))
        self.ends = [found.start() for found in _STOPS.finditer(kinds)]

    def _decide(self, index: int, kinds: bytearray) -> None:
        """Decide about a token whose meaning depends on where it stands."""
        spelled = self.spelled[index]
        if spelled == "\n":
            if _WRAPPED.match("".join(self._divided[2 * index + 2 : 2 * index + 4])):
                kinds[index] = FREE  # a wrapped line goes on in lower case
            return
        if spelled == "A" and (index == 0 or kinds[index - 1] == STOP):
            kinds[index] = FREE  # at the head of a sentence an article; elsewhere it may be that of hepatitis A
        if spelled == "S" and self._divided[2 * index].endswith(("'", "’")):
            kinds[index] = FREE  # CROHN'S, not protein S
        if self.spelled[index + 1] == "." and not _NEW_SENTENCE.match(self.text, self.end(index + 1)):
            kinds[index + 1] = FREE

    @property
    def starts(self) -> list[int]:
        """Code-point offsets in the text."""
        if self._starts is None:
            self._starts = list(accumulate(map(len, self._divided)))[0:-1:2]
        return self._starts

    def end(self, index: int) -> int:
        """Code-point offset behind a token."""
        return self.starts[index] + len(self.spelled[index])

    def part_ends(self) -> list[int]:
        """Indices of the tokens behind the parts."""
        return [end for end in self.ends if self.spelled[end] == PART_END]

    def sentences(self) -> list[tuple[int, int]]:
        """Half-open ranges of tokens between ends of sentences, without empty ones."""
        begins = [0, *[end + 1 for end in self.ends[:-1]]]
        return [(begin, end) for begin, end in zip(begins, self.ends, strict=True) if end > begin]


class Divided(NamedTuple):
    """A text in parts.

    Attributes:
        parts: each with its offset, in code points.
        contracted: whether the text has words such as *don't*.
    """

    parts: tuple[tuple[int, str], ...]
    contracted: bool


class Tokenizer:
    """Divides texts; remembers each spelling."""

    _MEMORY = 200_000

    def __init__(self) -> None:
        self._lexemes = Lexemes()

    def __call__(self, *texts: str, contracted: bool | None = None) -> Tokens:
        """Divide texts, or parts of one.

        Args:
            texts: any; several where none has an address.
            contracted: whether words such as *don't* are two; by default where the text has one in lower case.
        """
        if len(self._lexemes) > self._MEMORY:
            self._lexemes = Lexemes()
        text = PART_END.join((*texts, ""))
        if text.count(PART_END) > len(texts) or _HYPHEN in text:
            text = PART_END.join((*[one.translate(_CONTROLS) for one in texts], ""))
        joined = _JOINING.sub(_joint, text) if "-" in text else text
        return Tokens(text, _pattern(joined, contracted).split(joined), self._lexemes)

    def name(self, name: str) -> tuple[str, ...]:
        """Keys of the words of a name that count, in order."""
        tokens = self(name)
        return tuple(
            key
            for key, word, kind in zip(tokens.keys, tokens.words, tokens.kinds, strict=True)
            if kind == CONTENT or (kind == FREE and word not in FUNCTION_WORDS)
        )


def _joint(hyphen: re.Match[str]) -> str:
    """A word character for a hyphen behind a letter or prefix, so that no offset moves: *type A-1*, *pre-term*."""
    text, place = hyphen.string, hyphen.start()
    before, after = text[max(0, place - _LONGEST_PREFIX) : place], text[place + 1 : place + 5]
    lettered = after[0].isdigit() and _LETTER.search(before)
    prefixed = len(after) == 4 and after.isalpha() and _PREFIX.search(before)
    return _HYPHEN if lettered or prefixed else "-"


def _blank(tag: re.Match[str]) -> str:
    n = len(tag[0])
    if tag["cells"]:
        return " " * (n - 1) + "|"
    return " " * n if tag["inline"] else "|" + " " * (n - 1)


def with_plain_spaces(text: str) -> str:
    """Return a text of the same length in which lines end in a line feed alone, a space is a space, and no tag stands.

    What HTML divides a bar divides instead, between two cells directly in front of the second.
    """
    text = _TAG.sub(_blank, text) if "<" in text else text
    text = text.replace("\r\n", " \n").replace("\r", "\n") if "\r" in text else text
    return text if text.isascii() else _SPACES.sub(" ", text)


def divide(text: str) -> Divided:
    """Return the parts of a text, divided where a sentence surely ends: each can be read without the others."""
    if has_address(text):  # it may hold anything, full stops too
        return Divided(((0, text),), contracted=False)
    parts, start = [], 0
    for end in _SURE_END.finditer(text):
        parts.append((start, text[start : end.start() + (text[end.start()] != "\n")]))
        start = end.end()
    last = text[start:].rstrip()
    # White space behind an end says nothing, and without it the sentence is one that was read before.
    parts.append((start, last if last.endswith((".", "?", "!")) else text[start:]))
    return Divided(tuple(parts), _is_contracted(text))


def has_address(text: str) -> bool:
    """Whether a text may hold an address."""
    return "@" in text or "://" in text or "www." in text


def _is_contracted(text: str) -> bool:
    return "n't" in text or "n’t" in text or "-ve" in text


def may_be_contracted(part: str) -> bool:
    """Whether a part can have words such as *don't*, in small letters or capitals; it takes twice the time."""
    return ("'" in part or "’" in part or "-" in part) and _CONTRACTION.search(part) is not None


def _pattern(text: str, contracted: bool | None) -> re.Pattern[str]:
    if has_address(text):
        return _ADDRESS
    if _is_contracted(text) if contracted is None else contracted:
        return _CONTRACTED
    return _ASCII_TOKEN if text.isascii() else _TOKEN


def _lexeme(spelled: str) -> tuple[str, str, str, int]:
    """Word, key, stem and traits of a spelling."""
    if spelled.endswith(_NOT_OF):
        return _ABSENCE, f"{_ABSENCE}-", f"{_ABSENCE}-", CONTENT  # with a hyphen it is its own stem
    word = spelled.lower()
    if spelled in _MARKS:
        return word, word, word, _MARKS[spelled] | (_DEPENDS if spelled == "\n" else 0)
    if word in ("n't", "n’t"):
        return "not", "not", "not", CONTENT
    if word == "-ve":
        return "negative", "negative", "negative", CONTENT
    if not word.isalnum() and not word.replace(_HYPHEN, "").isalnum():  # addresses, numbers
        return word, word, word, CONTENT
    marks = _DEPENDS if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()) else 0
    if word in CONJUNCTIONS:
        return word, word, word, JOIN | marks
    if word in FUNCTION_WORDS and spelled not in {"A", "S"}:
        return word, word, "", FREE | marks  # no phrase holds one
    key = word_key(word.replace(_HYPHEN, ""))
    kind = FREE if word in _MODIFIERS or (word.endswith("ly") and _ADVERB.fullmatch(word)) else CONTENT
    if spelled != word and _SHORT_FORM.fullmatch(spelled):
        marks |= _MAY_BE_SHORT_FORM
    if key == _ABSENCE:
        marks |= _IS_ABSENCE
    return word.replace(_HYPHEN, _SHOWN_HYPHEN), key, stem(key), kind | marks
