"""Random conversations whose words are labelled, and updates that mostly copy them; a word's meaning is its own.

`conversations.WordExtractor` finds every word of two or more capitals. Against that, the words below are labelled as a
generator might have meant them, so that it is right, wrong, blind or fooled, word by word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from exaid_evals.artifacts.gold import GoldMention, MentionKind
from exaid_evals.concepts.base import Mention
from exaid_evals.metrics.extraction import LabelledConversation, LabelledMessage
from exaid_evals.metrics.observation import Observation
from exaid_evals.replay.run_log import RunLog, Summary
from exaid_evals.traces.model import Trace
from oracles.random_runs import META, runs

MEANINGS: dict[str, tuple[str, str | None]] = {
    "AA": ("canonical", "AA"),  # found
    "BB": ("synonym", "BB"),  # found
    "CC": ("inflected", "XX"),  # something else is found
    "DD": ("negated", "DD"),  # found, and should not be
    "EE": ("near_miss", None),  # found, and should not be
    "HH": ("abbreviated", "HH"),  # found
    "and": ("abbreviated", "AA"),  # missed
    "Aa": ("synonym", "YY"),  # missed
    "the": ("canonical", None),  # names nothing that is known
    "FF": ("unjudged", None),
    "II": ("copied", None),  # what copies it may state anything
}
"""Word → kind and concept. GG has no label: what is found there is spurious."""
_WORD = re.compile(r"\w+")
_LONG = (
    "AA BB. CC and the DD, EE of FF",
    "GG. Aa AA GG",
    "**AA** and BB. The Aa: GG",
    "- CC DD\n- BB Aa HH",
    "CC. BB II. Aa",
)


def labels_of(text: str) -> tuple[GoldMention, ...]:
    """Label the words of a text."""
    return tuple(
        GoldMention(match.start(), match.end(), MentionKind(MEANINGS[match[0]][0]), MEANINGS[match[0]][1])
        for match in _WORD.finditer(text)
        if match[0] in MEANINGS
    )


def labelled(
    labels: Iterable[tuple[str, str | None, int, int]],
    found: Iterable[tuple[str, int, int]] = (),
    **seen: Any,
) -> Observation:
    """Return an observation of a conversation of one message, as the examples in docstrings write it."""
    message = LabelledMessage(
        tuple(GoldMention(start, end, MentionKind(kind), concept) for kind, concept, start, end in labels),
        tuple(Mention(concept, start, end) for concept, start, end in found),
    )
    return Observation(labels=LabelledConversation([message]), **seen)


@st.composite
def labelled_runs(draw: st.DrawFn) -> tuple[Trace, RunLog]:
    """Draw a conversation with labels, and updates of its sentences, of beginnings of them, or of something else."""
    trace, log = draw(runs(st.sampled_from(_LONG)))
    trace = replace(trace, messages=tuple(one.labelled(labels_of(one.content)) for one in trace.messages))
    updates = tuple(_copying(draw, trace, update) for update in log.summaries)
    return trace, RunLog(META, log.flushes, log.decisions, updates)


def _copying(draw: st.DrawFn, trace: Trace, update: Summary) -> Summary:
    sources = [line for message in trace.messages for line in message.content.splitlines()]
    pieces = [piece for line in sources for piece in (line, *re.split(r"(?<=\.) ", line.lstrip("- "))) if piece]
    pieces += [f"{piece[:cut]}…" for piece in pieces for cut in (4, 7) if cut < len(piece)]
    if not update.schema_ok or not pieces or draw(st.integers(0, 5)) == 0:
        return update
    lines = draw(st.lists(st.lists(st.sampled_from(pieces), min_size=1, max_size=3).map(" ".join), max_size=3))
    text = "\n".join(line.replace("**", "") if draw(st.booleans()) else line for line in lines)
    head = draw(st.sampled_from(["", "", "", "GG "]))
    return replace(update, semantics_text=text, rendered_text=f"{head}{text}\nsaid by AA")
