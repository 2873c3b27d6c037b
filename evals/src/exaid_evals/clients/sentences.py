"""Cutting chat text into sentences, as the stub model reads it."""

from __future__ import annotations

import re

# A sentence ends at . ? ! before white space and something that opens a sentence. Decimals and most abbreviations
# have no capital behind them; where one does, a cut too many shortens a quote and does no harm.
_END = re.compile(r"(?<=[.?!])[\"'”’)]*\s+(?=[\"'“‘(\[]*[A-Z0-9])")
_MARKUP = " \t\r#-•>\"'“”`{}[],;:_"
_NUMBERING = re.compile(r"^\(?\d{1,2}[.)]\s+")


def split_sentences(text: str) -> list[str]:
    r"""Return a text's sentences in order, without list marks, emphasis and JSON punctuation around them.

    >>> split_sentences('1. **Fever** of 39.5 °C. No rash!\n- {"Tests": "MRI"},')
    ['Fever of 39.5 °C.', 'No rash!', 'Tests": "MRI']
    """
    found = []
    for line in text.replace("**", "").splitlines():
        start = _NUMBERING.sub("", line.lstrip(_MARKUP))
        for part in _END.split(start):
            sentence = part.strip(_MARKUP)
            if sentence:
                found.append(sentence)
    return found


def shorten(sentence: str, limit: int) -> str:
    """Return a sentence of at most `limit` characters, cut at a clause or else at a word, marked by an ellipsis.

    >>> shorten("Fever, cough and a large liver were seen", 24)
    'Fever, cough and a…'
    """
    if len(sentence) <= limit:
        return sentence
    head = sentence[: limit - 1]
    clause = max(head.rfind(mark) for mark in ("; ", ", ", " – "))
    cut = clause if clause > limit // 2 else head.rfind(" ")
    return f"{head[: cut if cut > 0 else limit - 1].rstrip(' ,;–')}…"
