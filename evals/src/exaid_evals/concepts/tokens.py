"""From a text to words and the marks between them, by spaCy's English tokenizer rules.

spaCy's tokenizer needs ``import spacy``, over a second, and makes objects that nobody here uses. Its rules are data:
four regular expressions and a table of exceptions. They are taken from spaCy once, when the lexicon is compiled, and
applied here; the tests compare both tokenizers on the same texts. Hyphenated and dotted tokens are then divided into
their words, so that ``IL-6`` and ``IL 6`` agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from exaid_evals.concepts.normalize import FUNCTION_WORDS, word_key

SKIP, COMMA, OPEN, CLOSE, STOP = "", ",", "(", ")", "."
"""Codes of what is not a word: a function word, a comma, an opening and a closing bracket, the end of a clause."""

_MARKS = {",": COMMA, "(": OPEN, "[": OPEN, ")": CLOSE, "]": CLOSE} | dict.fromkeys(".;:!?…•|*", STOP)
_CHUNK = re.compile(r"\S+|\n")
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d[\d.,]*")
_ADDRESS = re.compile(r"://|www\.|@")
_SHORT_FORM = re.compile(r"(?=(?:.*[A-Z]){2})[A-Z][A-Za-z0-9]{1,7}")
_LONGEST_EXCEPTION = 5  # in pieces; more than any of spaCy's exceptions has
_WRAPPED = re.compile(r"[^\S\n]*[a-z]")


@dataclass(frozen=True, slots=True)
class Rules:
    """spaCy's tokenizer as data: pattern sources, and exceptions as lengths of the pieces."""

    prefix: str
    suffix: str
    infix: str
    url: str
    exceptions: dict[str, list[int]]

    @classmethod
    def from_spacy(cls) -> Rules:
        """Take the rules of spaCy's blank English pipeline."""
        import spacy
        from spacy.attrs import ORTH

        tokenizer: Any = spacy.blank("en").tokenizer
        return cls(
            prefix=tokenizer.prefix_search.__self__.pattern,
            suffix=tokenizer.suffix_search.__self__.pattern,
            infix=tokenizer.infix_finditer.__self__.pattern,
            url=tokenizer.url_match.__self__.pattern,
            exceptions={
                text: [len(piece[ORTH]) for piece in pieces]
                for text, pieces in sorted(tokenizer.rules.items())
                if not any(character.isspace() for character in text)
            },
        )


@dataclass(slots=True)
class Tokens:
    """The words and marks of one text, in parallel lists of equal length.

    Attributes:
        codes: a word's key, or one of SKIP, COMMA, OPEN, CLOSE, STOP.
        starts, ends: code-point offsets.
        short_forms: index of each token that is written like an abbreviation, with its spelling.
    """

    codes: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    short_forms: dict[int, str] = field(default_factory=dict)


_Piece = tuple[str, int, int, str | None]


class Tokenizer:
    """Divides texts; remembers each whitespace-delimited chunk, of which clinical texts repeat most."""

    _MEMORY = 200_000

    def __init__(self, rules: Rules) -> None:
        self._prefix = re.compile(rules.prefix).search
        self._suffix = re.compile(rules.suffix).search
        self._infix = re.compile(rules.infix).finditer
        self._url = re.compile(rules.url).match
        self._exceptions = rules.exceptions
        self._memory: dict[str, tuple[_Piece, ...]] = {}

    def spans(self, chunk: str) -> list[tuple[int, int]]:
        """Divide a chunk without whitespace as spaCy does, into half-open spans that cover it."""
        if chunk.isascii() and chunk.isalpha() and chunk not in self._exceptions:
            return [(0, len(chunk))]  # no affix of spaCy's is a letter behind a letter
        start, end = 0, len(chunk)
        suffixes: list[tuple[int, int]] = []
        spans: list[tuple[int, int]] = []
        last = -1
        while start < end and end - start != last:
            if chunk[start:end] in self._exceptions:
                break
            last = end - start
            found = self._prefix(chunk[start:end])
            head = found.end() - found.start() if found else 0
            if head and chunk[start + head : end] in self._exceptions:
                spans.append((start, start + head))
                start += head
                break
            found = self._suffix(chunk[start + head : end])
            tail = found.end() - found.start() if found else 0
            if tail and chunk[start : end - tail] in self._exceptions:
                suffixes.append((end - tail, end))
                end -= tail
                break
            if head:
                spans.append((start, start + head))
                start += head
            if tail and start + tail <= end:
                suffixes.append((end - tail, end))
                end -= tail
        if start < end:
            spans.extend(self._inner(chunk, start, end))
        return self._merged(chunk, spans + suffixes[::-1])

    def _merged(self, chunk: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Undo divisions inside an exception (``p.`` of ``(p.Gly12Val)``), as spaCy's last pass does."""
        merged: list[tuple[int, int]] = []
        i = 0
        while i < len(spans):
            start = spans[i][0]
            for j in range(min(i + _LONGEST_EXCEPTION, len(spans)), i + 1, -1):
                lengths = self._exceptions.get(chunk[start : spans[j - 1][1]])
                if lengths is not None:
                    for length in lengths:
                        merged.append((start, start + length))
                        start += length
                    i = j
                    break
            else:
                merged.append(spans[i])
                i += 1
        return merged

    def _inner(self, chunk: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Divide what is left between prefixes and suffixes."""
        text = chunk[start:end]
        lengths = self._exceptions.get(text)
        if lengths is not None:
            for length in lengths:
                yield start, start + length
                start += length
        elif self._url(text):
            yield start, end
        else:
            position = 0
            for found in self._infix(text):
                if found.start() == position:
                    continue
                yield start + position, start + found.start()
                if found.start() != found.end():
                    yield start + found.start(), start + found.end()
                position = found.end()
            if start + position < end:
                yield start + position, end

    def _pieces(self, chunk: str) -> Iterator[_Piece]:
        """Words and marks of a chunk: code, start, end, and the spelling of a possible abbreviation."""
        for start, end in self.spans(chunk):
            text = chunk[start:end]
            mark = _MARKS.get(text[0])
            if mark is not None:
                yield mark, start, end, None
            elif text in ("n't", "n’t"):
                yield "not", start, end, None
            elif _ADDRESS.search(text):
                yield "@", start, end, None  # an address names no concept, whatever words it holds
            elif _NUMBER.fullmatch(text):
                yield text.rstrip(".,"), start, end, None
            else:
                for found in _WORD.finditer(text):
                    word = found[0]
                    key = word_key(word)
                    short = word if _SHORT_FORM.fullmatch(word) else None
                    if key in FUNCTION_WORDS and word != "A":  # an article, unless it is that of hepatitis A
                        key = SKIP
                    yield key, start + found.start(), start + found.end(), short

    def words(self, name: str) -> list[str]:
        """The word keys of a short text, as a call gives them but without offsets, marks and function words.

        A vocabulary has over a hundred thousand names; this takes a third of the time of a call.
        """
        found: list[str] = []
        for chunk in name.split():
            pieces = self._memory.get(chunk)
            if pieces is None:
                pieces = self._memory[chunk] = tuple(self._pieces(chunk))
            found += [piece[0] for piece in pieces if piece[0] and piece[0][0].isalnum()]
        if "absence" in found:
            return [code for code in self(name).codes if code and code[0].isalnum()]
        return found

    def __call__(self, text: str) -> Tokens:
        """Divide a text."""
        tokens = Tokens()
        codes, starts, ends, short_forms = tokens.codes, tokens.starts, tokens.ends, tokens.short_forms
        memory = self._memory
        if len(memory) > self._MEMORY:
            memory.clear()
        for found in _CHUNK.finditer(text):
            chunk = found[0]
            base = found.start()
            if chunk == "\n":
                if not _WRAPPED.match(text, base + 1):  # a wrapped line goes on in lower case
                    codes.append(STOP)
                    starts.append(base)
                    ends.append(base + 1)
                continue
            pieces = memory.get(chunk)
            if pieces is None:
                pieces = memory[chunk] = tuple(self._pieces(chunk))
            for code, start, end, short in pieces:
                if short is not None:
                    short_forms[len(codes)] = short
                codes.append(code)
                starts.append(base + start)
                ends.append(base + end)
        if "absence" in codes:
            # The absence of a septum is an absent septum; an absence seizure is the presence of one.
            for i in range(len(codes) - 1):
                if codes[i] == "absence" and text[starts[i + 1] : ends[i + 1]].lower() == "of":
                    codes[i] = "absent"
        return tokens
